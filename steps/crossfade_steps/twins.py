"""Series that are one counter seen twice: by two scrapes, or kept under two names.

Two Services of the same pods, or two Prometheus servers behind one store, give every counter twice.
Added up, 200 requests seem to be 400, and what is to be proven seems proven too early (faults C50).
"""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from crossfade.growth import Labels, Point, Samples, Series

VIEWS = ("service", "job", "endpoint", "prometheus", "prometheus_replica")
"""Labels that say by whom a counter was scraped; some applications have such labels themselves."""
STORES = ("job", "prometheus", "prometheus_replica")
"""Those of them that no application has: series of one time that differ in others only are its own,
two scrapes are hardly of one millisecond."""
PROCESS = ("instance", "pod")
"""Labels one of which there must be: without them nobody knows what is scraped."""
Views = tuple[Labels, Labels, Labels]
"""A process, and two ways it is seen."""


@dataclass(slots=True)
class Twins:
    """What a window's answers so far say of the views of each process.

    Two views are of one counter where all of their counters are alike in all answers: one alone may
    be by chance, or because it stands still.
    """

    alike: set[Views] = field(default_factory=set)
    apart: set[Views] = field(default_factory=set)

    def note(self, samples: Samples) -> None:
        """Compare the series of an answer that differ in their views only."""
        for one, other in _pairs(samples):
            key = _views(one, other)
            if key not in self.apart:
                stores = any(name in STORES for name, _ in one ^ other)
                same = _same(samples[one], samples[other], stores=stores)
                if same is not None:
                    (self.alike if same else self.apart).add(key)

    def once(self, grown: Series, known: Collection[Labels]) -> tuple[Series, set[str]]:
        """Return what series grew by without twins, and the labels by which these differ.

        Of twins the one stays that was ``known`` when the window began, else the one that grew
        more: the other one may be seen for a part of it only.  Labels of twins that did not grow
        are not told.
        """
        left, names = dict(grown), set[str]()
        for one, other in _pairs(grown):
            if one in left and other in left and _views(one, other) in self.alike - self.apart:
                gone = left.pop(min(one, other, key=lambda twin: (twin in known, left[twin])))
                names |= {name for name, _ in one ^ other} if gone else set()
        return left, names


def _pairs(series: Iterable[Labels]) -> Iterator[tuple[Labels, Labels]]:
    groups = defaultdict[Labels, list[Labels]](list)
    for labels in series:
        if any(name in PROCESS for name, _ in labels):
            groups[_without_views(labels)].append(labels)
    for group in groups.values():
        if len(group) > 1:
            yield from itertools.combinations(sorted(group, key=sorted), 2)


def _without_views(labels: Labels) -> Labels:
    return frozenset(pair for pair in labels if pair[0] not in VIEWS)


def _views(one: Labels, other: Labels) -> Views:
    process = frozenset(pair for pair in one if pair[0] in PROCESS)
    return process, one - _without_views(one), other - _without_views(other)


def _same(one: Sequence[Point], other: Sequence[Point], *, stores: bool) -> bool | None:
    """Return whether samples are of one counter; None where they say nothing.

    They are equal wherever they are of the same time, and between two scrapes of one no further
    from its line than it grows in one: a scrape may take a while.
    """
    if not one or not other or one[-1][0] < other[0][0] or other[-1][0] < one[0][0]:
        return None
    mine, theirs = dict(one), dict(other)
    if shared := mine.keys() & theirs.keys():
        return stores and all(mine[when] == theirs[when] for when in shared)
    return _near(one, other) and _near(other, one)


def _near(one: Sequence[Point], other: Sequence[Point]) -> bool:
    """Return whether the one's samples lie along the other's, as far as there are any around."""
    times = [when for when, _ in other]
    for when, value in one:
        i = bisect_left(times, when)
        if 0 < i < len(times):
            (begin, low), (end, high) = other[i - 1], other[i]
            line = low + (high - low) * (when - begin) / (end - begin)
            if abs(value - line) > abs(high - low):
                return False
    return True
