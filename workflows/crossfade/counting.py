"""What a query counts: the counters under its aggregations, so that increments can be read.

A ratio of two counters is a fraction where the first counts events, and a mean where it adds up
seconds, bytes or money; ``histogram_quantile`` over buckets is a percentile; whatever is not of
these shapes stays a bare value.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import promql_parser

from crossfade.errors import BackendError
from crossfade.growth import Labels, Series
from crossfade.verdict import Counts, Shape

RATES = ("rate", "increase")
SCRAPE_SECONDS = 15.0
"""How far apart scrapes are taken to be where the rollout does not say."""
LATENCY_SECONDS = 2.0
"""How long after a scrape began the store is taken to answer with it, unless the rollout says."""
COUNTERS = ("_total", "_count", "_sum", "_bucket")
_VALUES = """
    sum seconds second milliseconds millisecond microseconds nanoseconds minutes hours ms us ns
    duration latency time bytes bits kilobytes megabytes kb mb gb characters tokens joules watts
    dollars dollar cents euros euro eur usd gbp pounds yen money currency revenue income profit
    turnover amount amounts price prices cost costs spend spent value values score scores points
    percent
"""
VALUES = frozenset(_VALUES.split())
"""Last words of names that add up values and count no events."""
NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")


@dataclass(frozen=True, slots=True)
class Counting:
    """A query's shape and its counters as bare selectors, the denominator second.

    A first counter without any series is zero where ``absent_is_zero``: it counts some of what the
    second one counts, or the query itself says ``or vector(0)``.
    """

    shape: Shape
    selectors: tuple[str, ...]
    absent_is_zero: bool = False


@dataclass(frozen=True, slots=True)
class _Counter:
    name: str
    selector: str
    function: str
    or_zero: bool = False

    @property
    def adds_up(self) -> bool:
        """Return whether it grows by values: ``revenue_total``, but not ``seconds_count``."""
        if self.name.endswith(("_count", "_bucket")):
            return False
        return self.name.removesuffix("_total").rpartition("_")[2].lower() in VALUES


@cache
def counting(query: str) -> Counting | None:
    """Return what an interpolated query counts, None when it is not of a shape that is known."""
    try:
        tree = _bare(promql_parser.parse(query))
    except ValueError:
        return None
    tree, scale = _scaled(tree)
    if _is_quantile(tree):
        return _quantile(tree, scale)
    if isinstance(tree, promql_parser.BinaryExpr) and _operator(tree) == "/":
        top, own = _scaled(_bare(tree.lhs))  # 100 * a / b reads as (100 * a) / b
        return _ratio(_counter(top), _counter(tree.rhs), scale * own)
    whole = _counter(tree)
    if whole is None or scale != 1 or whole.adds_up:
        return None  # a sum of values is no number of events
    return Counting(Shape("total"), (whole.selector,), whole.or_zero)


def _ratio(top: _Counter | None, bottom: _Counter | None, scale: float) -> Counting | None:
    """Return a mean, or a fraction: certain where it is of one metric, by its labels.

    Of two metrics the names are all that is known: rewards or errors may come several a request.
    """
    if top is None or bottom is None or top.function != bottom.function or bottom.adds_up:
        return None
    same = top.name == bottom.name
    if top.adds_up:  # of what values is not known
        shape = Shape("mean", scale=scale)
    else:
        part = same or top.name.removesuffix("_bucket") == bottom.name.removesuffix("_count")
        shape = Shape("fraction", scale=scale, guessed=not part)
    return Counting(shape, (top.selector, bottom.selector), top.or_zero or same)


def _quantile(tree: Any, scale: float) -> Counting | None:
    level, buckets = tree.args
    found = _counter(buckets, by="le")
    if found is None or not isinstance(level, promql_parser.NumberLiteral):
        return None
    if not found.name.endswith("_bucket"):
        return None
    return Counting(Shape("quantile", quantile=float(level.val), scale=scale), (found.selector,))


def _is_quantile(tree: Any) -> bool:
    return isinstance(tree, promql_parser.Call) and tree.func.name == "histogram_quantile"


def _scaled(tree: Any) -> tuple[Any, float]:
    """Return the expression under a constant factor, and the factor."""
    if isinstance(tree, promql_parser.BinaryExpr) and _operator(tree) == "*":
        left, right = _bare(tree.lhs), _bare(tree.rhs)
        for factor, rest in ((right, left), (left, right)):
            if isinstance(factor, promql_parser.NumberLiteral) and factor.val > 0:
                return rest, float(factor.val)
    return tree, 1.0


def _counter(tree: Any, by: str = "") -> _Counter | None:
    """Return the one counter under sums, rates, ``> 0`` and ``or vector(0)``."""
    tree = _bare(tree)
    if isinstance(tree, promql_parser.AggregateExpr):
        labels = str(tree.modifier) if tree.modifier is not None else ""
        fine = str(tree.op) == "sum" and labels in ("", f"by ({by})")
        return _counter(tree.expr, by) if fine else None
    if isinstance(tree, promql_parser.BinaryExpr):
        return _guarded(tree, by)
    if isinstance(tree, promql_parser.Call):
        inner = tree.args[0] if tree.func.name in RATES else None
        if not isinstance(inner, promql_parser.MatrixSelector):
            return None
        return _selected(inner.vector_selector, tree.func.name)
    if isinstance(tree, promql_parser.VectorSelector):
        found = _selected(tree, "")
        return found if found is not None and found.name.endswith(COUNTERS) else None
    return None


def _guarded(tree: Any, by: str) -> _Counter | None:
    """Return the counter of ``x > 0`` and of ``x or vector(0)``; ``x > bool 0`` is 0 or 1."""
    operator, modifier = _operator(tree), tree.modifier
    if operator not in ("or", ">") or not _is_zero(tree.rhs):
        return None
    if modifier is not None and modifier.return_bool:
        return None
    found = _counter(tree.lhs, by)
    return replace(found, or_zero=True) if found is not None and operator == "or" else found


def _selected(node: Any, function: str) -> _Counter | None:
    if node.offset is not None or node.at is not None:
        return None  # a query about another time
    if node.name:
        return _Counter(str(node.name), str(node), function)
    matchers = node.matchers.matchers
    named = [m for m in matchers if m.name == "__name__"]
    if len(named) != 1 or str(named[0].op) != "MatchOp.Equal" or not NAME.fullmatch(named[0].value):
        return None  # of which metrics is not known
    others = ",".join(str(m) for m in matchers if m is not named[0])
    return _Counter(named[0].value, f"{named[0].value}{{{others}}}", function)


def _is_zero(tree: Any) -> bool:
    tree = _bare(tree)
    if isinstance(tree, promql_parser.Call) and tree.func.name == "vector":
        tree = _bare(tree.args[0])
    return isinstance(tree, promql_parser.NumberLiteral) and tree.val == 0


def _operator(tree: Any) -> str:
    return str(tree.op).split()[0]


def _bare(tree: Any) -> Any:
    while isinstance(tree, promql_parser.ParenExpr):
        tree = tree.expr
    return tree


def counted(shape: Shape, grown: tuple[Series, ...]) -> Counts:
    """Return a window's counts from the growth of the shape's counters.

    Raises ``BackendError`` for buckets without the one that holds everything.
    """
    totals = [sum(series.values()) for series in grown]
    if shape.kind != "quantile":
        return Counts(total=totals[0], count=totals[1] if len(totals) > 1 else None)
    by_edge = _by_edge(grown[0])
    edges = sorted(by_edge)
    if grown[0] and edges[-1:] != [math.inf]:
        raise BackendError('no counts: the histogram has no bucket le="+Inf"')
    cumulative = tuple(by_edge[edge] for edge in edges)
    finite = tuple(edge for edge in edges if edge < math.inf)
    return Counts(total=cumulative[-1] if cumulative else 0.0, edges=finite, cumulative=cumulative)


def _by_edge(grown: Series) -> dict[float, float]:
    """Return the growth up to each edge that all histograms have which grew.

    Pods of two releases may have other edges: one that only some of them have would count only
    their values.
    """
    histograms: dict[Labels, dict[float, float]] = {}
    for labels, value in grown.items():
        edge = float(dict(labels)["le"])
        own = histograms.setdefault(frozenset(pair for pair in labels if pair[0] != "le"), {})
        own[edge] = own.get(edge, 0.0) + value  # "1" and "1.0" are the same
    found = [own for own in histograms.values() if any(own.values())] or [*histograms.values()]
    common = set[float]().union(*found).intersection(*found)
    return {edge: sum(own[edge] for own in found) for edge in common}
