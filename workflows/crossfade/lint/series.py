"""Rules about how many series a query gives: one value is judged, whatever there is besides."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import promql_parser

from crossfade import policies
from crossfade.lint.promql import bare, children, operator, selectors_of
from crossfade.lint.rule import Asked, Context, Place, rule

ANY = "*"
"""Stands for labels that nobody knows: those of series as they are stored."""
OTHERS = "label that 'without' leaves"
RANKING = ("topk", "bottomk", "limitk", "limit_ratio", "count_values")
"""Aggregations that give several series even without ``by``."""
SINGLE = ("vector", "time", "pi", "absent", "absent_over_time", "scalar")
"""Functions that give one value, whatever they are given."""
FIRST = "the first of several series is taken, and the others are not seen"
REMEDY = "add them up: sum(...) without by or without, on both sides of a division"


@rule("C12", FIRST, REMEDY)
def first_of_several(context: Context) -> Iterator[Place]:
    """Find queries that are split by labels, under a policy that takes their first series."""
    if not policies.counts(context.bundle.policy.name):
        yield from _split(context)


@rule("E4", "a query gives a series for each label's value, and several are no value", REMEDY)
def several_refused(context: Context) -> Iterator[Place]:
    """Find queries that are split by labels, under a policy that refuses them at each iteration."""
    said = context.bundle.prometheus.get("several_series")
    if policies.counts(context.bundle.policy.name) and said != "first":
        yield from _split(context)


@rule(
    "Series",
    "a query does not say what to make of several series",
    "aggregate, as with sum(...): a pod is enough to make a series more",
)
def unaggregated(context: Context) -> Iterator[Place]:
    """Find queries that give each stored series by itself; there may be only one."""
    for asked in _one_valued(context):
        if ANY in spread(asked.query.tree):
            yield asked.place("gives each series it finds by itself, and only one is a value")


def _split(context: Context) -> Iterator[Place]:
    for asked in _one_valued(context):
        labels = spread(asked.query.tree)
        if labels and ANY not in labels:
            text = ", ".join(sorted(labels))
            yield asked.place(f"gives a series for each {text}, where one value is expected")


def _one_valued(context: Context) -> Iterator[Asked]:
    """Yield the metrics whose query must give one series: no jq makes one number of several."""
    for asked in context.asked:
        metric = asked.metric
        if asked.query.tree is not None and not metric.chooses and not metric.spec.mock:
            yield asked


def spread(tree: Any) -> frozenset[str]:
    """Return the labels by which a query's series may differ: none where it gives one value.

    ``*`` stands for whatever labels stored series have.  A label that all selectors pin to one
    value tells no series apart.
    """
    tree = bare(tree)
    if isinstance(tree, promql_parser.AggregateExpr):
        return _aggregated(tree)
    if isinstance(tree, promql_parser.Call):
        return _called(tree)
    if isinstance(tree, promql_parser.BinaryExpr):
        left, right = spread(tree.lhs), spread(tree.rhs)
        return left if operator(tree).startswith(("and", "unless")) else left | right
    if isinstance(tree, promql_parser.VectorSelector | promql_parser.MatrixSelector):
        return frozenset((ANY,))
    return _union(children(tree))


def _aggregated(tree: Any) -> frozenset[str]:
    """Return what an aggregation leaves: what it names, or what it does not name."""
    if str(tree.op) == "count_values":
        return frozenset((str(tree.param.val),))
    inner, modifier = spread(tree.expr), tree.modifier
    if str(tree.op) in RANKING or modifier is None:
        return inner if str(tree.op) in RANKING else frozenset()
    named, unknown = frozenset(modifier.labels), bool(inner & {ANY, OTHERS})
    if modifier.type == promql_parser.AggModifierType.By:
        named -= _pinned(tree)
        return named if unknown else named & inner
    return frozenset((OTHERS,)) if unknown else inner - named


def _called(tree: Any) -> frozenset[str]:
    name = tree.func.name
    if name in SINGLE:
        return frozenset()
    if name == "histogram_quantile":
        return _union(tree.args) - {"le"}
    return _union(tree.args)


def _union(trees: Iterable[Any]) -> frozenset[str]:
    return frozenset().union(*(spread(tree) for tree in trees))


def _pinned(tree: Any) -> set[str]:
    """Return the labels that every selector under an expression matches by equality."""
    each = [
        {label for label, sign, _ in selector.matchers if sign == "="}
        for selector in selectors_of(tree)
    ]
    return set.intersection(*each) if each else set()
