"""How much counters grew, from sample to sample.

Only the samples in between tell a restart from growth: a counter that was reset in a window may be
higher at its end than at its beginning.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache

Labels = frozenset[tuple[str, str]]
Series = dict[Labels, float]
Point = tuple[float, float]
"""A time (seconds since the epoch) and a counter's value then."""
Last = Mapping[Labels, Point]
Samples = Mapping[Labels, Sequence[Point]]
"""Each series' points, ascending."""
Key = tuple[str | None, Labels]
Resets = Mapping[Key, Sequence[Point]]
"""When something was reset, and up to which value a counter of it then counts from zero."""

MOST, FEW = 3.0, 30.0
"""How much faster a process may be than it was seen to be, and how little is no life."""
ROUNDING = 1e-9
"""Part of a sum by which it may seem to fall: values are added up in floating point."""
NEVER: Point = (-math.inf, 0.0)
TARGET = ("job", "instance", "namespace", "pod", "container")
"""Labels that series of one process have in common."""
PARTS = ("_sum", "_count", "_bucket")


def increments(
    before: Last, samples: Samples, resets: Resets, carried: Collection[Labels] = ()
) -> Series:
    """Return how much each series grew from its point before, over one sample after another.

    One that was reset counts from zero again, and so does one that is new, unless its first value
    is ``carried`` over from a life that nobody saw.  One that is gone grew up to its last sample.
    """
    found: Series = {}
    for labels, points in samples.items():
        first = points[0] if labels in carried and points else NEVER
        low, grown, own = before.get(labels, first), 0.0, resets_of(labels, resets)
        for high in points:
            grown += high[1] if was_reset(low, high, own) else high[1] - low[1]
            low = high
        found[labels] = grown
    return found


def resets_of(labels: Labels, resets: Resets) -> list[Point]:
    """Return what ``resets`` says of one series."""
    return [point for key in _keys(labels) for point in resets.get(key, ())]


def was_reset(low: Point, high: Point, resets: Sequence[Point]) -> bool:
    """Return whether a counter began anew between two samples: it fell, or ``resets`` says so."""
    if _fell(low, high) or not resets:
        return _fell(low, high)
    return any(low[0] < when <= high[0] and high[1] <= bound for when, bound in resets)


def restarts(counters: Sequence[tuple[Last, Samples]]) -> dict[Key, list[Point]]:
    """Return what was reset when, from all counters of a query, each with its points before.

    A restart resets all counters of a process, but one that had counted little may be higher again
    when it is next seen: alone, it would seem to have grown while the others began anew.  Parts of
    one histogram or summary are reset together.  Counters of one process are taken to be unless
    one of them counted more than those that fell did since: series can also be removed one by one,
    and then the life of all others would be counted again.
    """
    found: dict[Key, list[Point]] = {}
    fallen: dict[tuple[Key, float], float] = {}
    for labels, low, (when, value) in _events(counters):
        if _fell(low, (when, value)):
            own, process = _keys(labels)
            found.setdefault(own, []).append((when, math.inf))
            fallen[process, when] = max(value, fallen.get((process, when), 0.0))
    if not fallen:
        return found
    for labels, _, (when, value) in _events(counters):
        process = _keys(labels)[1]
        if value > fallen.get((process, when), math.inf):
            del fallen[process, when]
    for (key, when), bound in fallen.items():
        found.setdefault(key, []).append((when, bound))
    return found


def fallen_sums(counters: Sequence[tuple[Last, Samples]], resets: Resets) -> set[Labels]:
    """Return the sums of values that fell while what counts their values went on.

    They were not reset, there are values below 0: what such a sum grew by cannot be told from a
    restart anywhere else.  A process that was restarted may soon have counted more than before; but
    not in one scrape more than it can have since, and hardly again and again.
    """
    lives = _lives(counters)
    found = set[Labels]()
    for labels, points in _steps_of_sums(counters):
        life = lives.get(_keys(labels)[0], {})
        fastest = max(_rates(life), default=math.inf)
        falls = [(low, high) for low, high in _falls(labels, points, resets) if high[0] in life]
        if len(falls) > 1 or any(
            high[1] < 0 or life[high[0]] > MOST * fastest * (high[0] - low[0]) + FEW
            for low, high in falls
        ):
            found.add(labels)
    return found


def _falls(
    labels: Labels, points: Sequence[Point], resets: Resets
) -> Iterator[tuple[Point, Point]]:
    """Yield the steps down of a series at which nothing is known to have been reset."""
    own = resets_of(labels, resets)
    for low, high in itertools.pairwise(points):
        if _fell(low, high) and not any(low[0] < when <= high[0] for when, _ in own):
            yield low, high


def _lives(counters: Sequence[tuple[Last, Samples]]) -> dict[Key, dict[float, float]]:
    """Return how many values there were when, by what they are a part of."""
    found: dict[Key, dict[float, float]] = {}
    for labels, low, (when, value) in _events(counters):
        own = found.setdefault(_keys(labels)[0], {})
        for at, counted in (low, (when, value)):
            own[at] = max(counted, own.get(at, 0.0))
    return found


def _rates(life: Mapping[float, float]) -> Iterator[float]:
    for (begin, low), (end, high) in itertools.pairwise(sorted(life.items())):
        if high >= low and math.isfinite(begin):
            yield (high - low) / (end - begin)


def _steps_of_sums(
    counters: Sequence[tuple[Last, Samples]],
) -> Iterator[tuple[Labels, Sequence[Point]]]:
    for before, samples in counters:
        for labels, points in samples.items():
            if dict(labels).get("__name__", "").endswith("_sum"):
                yield labels, [before[labels], *points] if labels in before else points


def _fell(low: Point, high: Point) -> bool:
    """Return whether a counter fell, by more than sums of floating-point values do."""
    return high[1] < low[1] - ROUNDING * abs(low[1])


def _events(counters: Sequence[tuple[Last, Samples]]) -> Iterator[tuple[Labels, Point, Point]]:
    """Yield the steps of all that counts events: a sum of values may fall, and has other units."""
    for before, samples in counters:
        counts = {labels: points for labels, points in samples.items()
                  if not dict(labels).get("__name__", "").endswith("_sum")}  # fmt: skip
        for labels, points in counts.items():
            low = before.get(labels, NEVER)
            for high in points:
                yield labels, low, high
                low = high


@lru_cache(maxsize=10_000)
def _keys(labels: Labels) -> tuple[Key, Key]:
    """Return what a series is a part of, and the process that it comes from."""
    named = dict(labels)
    name = named.pop("__name__", "")
    named.pop("le", None)
    rest = frozenset(named.items())
    process = frozenset(pair for pair in rest if pair[0] in TARGET)
    family = next((name.removesuffix(part) for part in PARTS if name.endswith(part)), name)
    return (family, rest), (None, process or rest)
