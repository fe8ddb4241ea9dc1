"""The unit of what a query gives, by the name of its series, and limits that are in another one."""

from __future__ import annotations

import math
from collections.abc import Iterator

from crossfade.lint.promql import Selector
from crossfade.lint.rule import Asked, Context, Place, rule
from crossfade.lint.shapes import shapes
from crossfade.spec.experiment import qualified
from crossfade.verdict import Shape

LONGEST = 60.0
"""Seconds: a limit of more for what a request takes is mostly a number of milliseconds."""
UNITS = {
    1.0: ("s", "sec", "secs", "second", "seconds"),
    1e-3: ("ms", "msec", "msecs", "milli", "millis", "millisecond", "milliseconds"),
    1e-6: ("us", "µs", "usec", "micros", "microsecond", "microseconds"),
    1e-9: ("ns", "nanos", "nanosecond", "nanoseconds"),
}
"""How long a unit is, in seconds, and how it is written."""
SECONDS = {word: size for size, words in UNITS.items() for word in words}
NAMES = {1.0: "seconds", 1e-3: "milliseconds", 1e-6: "microseconds", 1e-9: "nanoseconds"}
PARTS = ("_total", "_sum", "_bucket")


@rule(
    "C65",
    "a limit or a unit that is not the series'",
    "write units and limits in the unit of the series, or put a factor into the query",
)
def other_unit(context: Context) -> Iterator[Place]:
    """Compare units and limits of mean and percentile times with the series' suffix."""
    known = shapes(context.bundle)
    for asked in context.asked:
        unit = unit_of(asked, known.get(asked.key))
        if unit is None:
            continue
        said = SECONDS.get((asked.metric.spec.units or "").strip().lower())
        what = asked.query.selectors()[0].name
        if (said, unit) == (1e-3, 1.0):
            continue  # which is D2
        if said not in (None, unit):
            yield asked.place(f"units are {asked.metric.spec.units} but {what} gives {NAMES[unit]}")
        yield from _limits(context, asked, unit)


def _limits(context: Context, asked: Asked, unit: float) -> Iterator[Place]:
    """Yield the upper limits that are longer than any request, or shorter than a small unit."""
    for objective in context.experiment.spec.criteria.objectives:
        limit = objective.upper_limit
        if limit is None or qualified(objective.metric, context.experiment.namespace) != asked.key:
            continue
        if limit * unit > LONGEST:
            text = f"its query gives {NAMES[unit]}, so its limit {limit:g} is {limit * unit:g} s"
            yield asked.place(text)
        elif unit < 1 and 0 < limit < 1:
            yield asked.place(f"its query gives {NAMES[unit]}, and its limit is {limit:g} of them")


def unit_of(asked: Asked, shape: Shape | None) -> float | None:
    """Return how many seconds 1 of what a query gives is; None where it gives no known time."""
    selectors = asked.query.selectors()
    if shape is None or shape.kind not in ("mean", "quantile") or not selectors:
        return None
    own = suffix(selectors[0])
    if own is None:
        return None
    return next((size for size in UNITS if math.isclose(size, own / shape.scale)), None)


def suffix(selector: Selector) -> float | None:
    """Return the unit (seconds) that a counter's name ends in, None where it ends in none."""
    name = selector.name
    for part in PARTS:
        name = name.removesuffix(part)
    return SECONDS.get(name.rpartition("_")[2].lower()) if "_" in name else None
