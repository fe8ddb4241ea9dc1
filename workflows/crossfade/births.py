"""Whether a series that is new to a window began in it, or lived before it unseen.

A new series counts from zero: a pod that started, the first error of one.  But a store may have
lost what it knew, or a process may go on under other labels: then its whole life would be counted,
a second time.  A life is told from a start by how much there is of it: more than the fastest
process of the query can have counted since the window began.  Then it counts from its first scrape,
all of its series alike, errors as much as requests.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

from crossfade.growth import FEW, MOST, TARGET, Labels, Last, Point, Samples

Counters = Sequence[tuple[Last, Samples]]
"""Each counter's points before, and its samples after them."""


def process_of(labels: Labels) -> Labels:
    """Return what tells the process that a series comes from; empty where nothing does."""
    return frozenset(pair for pair in labels if pair[0] in TARGET)


def carried(counters: Counters, begin: float) -> list[set[Labels]]:
    """Return each counter's new series whose first value is from before it was first read.

    Nothing of them began before ``begin`` (seconds since the epoch) if they began unseen.  The last
    counter is the one of all requests: what lived is told by it.  Series that go on under other
    labels are among them.
    """
    whole = counters[-1]
    fastest = max(_rates(*whole), default=math.inf)  # nothing is known of one scrape alone
    known = {process_of(labels) for before, _ in counters for labels in before}
    lived = set[Labels]()
    for labels, points in _new(*whole):
        when, value = points[0]
        if value > MOST * fastest * max(when - begin, 1.0) + FEW:
            lived.add(process_of(labels))
    lived -= known
    return [
        {labels for labels, _ in _new(before, samples) if process_of(labels) in lived}
        | _renamed(before, samples)
        for before, samples in counters
    ]


def _rates(before: Last, samples: Samples) -> Iterator[float]:
    """Yield how fast series grew from scrape to scrape, a second."""
    for labels, points in samples.items():
        whole = [before[labels], *points] if labels in before else points
        for low, high in itertools.pairwise(whole):
            if high[0] > low[0] and high[1] >= low[1]:
                yield (high[1] - low[1]) / (high[0] - low[0])


def _new(before: Last, samples: Samples) -> Iterator[tuple[Labels, Sequence[Point]]]:
    for labels, points in samples.items():
        if points and labels not in before:
            yield labels, points


def _renamed(before: Last, samples: Samples) -> set[Labels]:
    """Return the new series that begin where one of their process ends, and no lower than it.

    Labels that are not the process's own were changed: it is the same counter.
    """
    lives: dict[Labels, list[list[Point]]] = {}
    for labels in before.keys() | samples.keys():
        whole = [before[labels]] if labels in before else []
        lives.setdefault(_alike(labels), []).append([*whole, *samples.get(labels, ())])
    return {
        labels for labels, points in _new(before, samples)
        if any(value <= points[0][1] for value in _ended(lives[_alike(labels)], points[0][0]))
    }  # fmt: skip


def _alike(labels: Labels) -> Labels:
    """Return the process, the name and the bucket: what renamed series still have in common."""
    return frozenset(pair for pair in labels if pair[0] in (*TARGET, "__name__", "le"))


def _ended(lives: Sequence[Sequence[Point]], at: float) -> Iterator[float]:
    """Yield the last values of the series that were in the scrape before a time, and not then."""
    earlier = [[point for point in points if point[0] < at] for points in lives]
    scrape = max((points[-1][0] for points in earlier if points), default=-math.inf)
    for points, past in zip(lives, earlier, strict=True):
        if past and past[-1][0] == scrape and len(past) == len(points):
            yield past[-1][1]
