"""Whether a series that is new to a window began in it, or lived before it unseen.

A new series' first value is growth only if it was not there a scrape before.  That is known of a
process of which another series was read by then: what it did not show, it had not counted.  Of a
process that is new itself nothing is known before its first scrape: it may have started, but its
store may as well have lost what it knew, or its labels were changed, and its whole life would be
counted, a second time.  So a process counts from its first scrape, all of its series alike: a pod
that started loses up to a scrape, as by PromQL's ``increase``, of errors as much as of requests.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence

from crossfade.growth import TARGET, Labels, Last, Point, Samples

Counters = Sequence[tuple[Last, Samples]]
"""Each counter's points before, and its samples after them."""


def process_of(labels: Labels) -> Labels:
    """Return what tells the process that a series comes from; empty where nothing does."""
    return frozenset(pair for pair in labels if pair[0] in TARGET)


def carried(known: Collection[Labels], counters: Counters) -> list[set[Labels]]:
    """Return each counter's new series whose first value is from before it was first read.

    ``known`` are processes that were read before.  Those are the series in the first scrape of a
    process, and those that go on under other labels.
    """
    first: dict[Labels, float] = {}
    for before, samples in counters:
        for labels, points in samples.items():
            own = process_of(labels)
            when = points[0][0] if points else math.inf
            first[own] = min(when, first.get(own, math.inf))
        first.update((process_of(labels), -math.inf) for labels in before)
    first.update((own, -math.inf) for own in known)
    return [
        {labels for labels, points in _new(before, samples)
         if points[0][0] <= first[process_of(labels)]} | _renamed(before, samples)
        for before, samples in counters
    ]  # fmt: skip


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
