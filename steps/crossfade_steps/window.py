"""Read what a metric counts between both exact ends of a window, series by series."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from crossfade.births import carried
from crossfade.counting import Counting, counted, counting
from crossfade.errors import BackendError
from crossfade.growth import (
    Key,
    Labels,
    Last,
    Point,
    Resets,
    Samples,
    Series,
    fallen_sums,
    increments,
    restarts,
)
from crossfade.verdict import Counts
from crossfade_steps.samples import MOST_SAMPLES, Ask, Store, cut, last, points_at, value_at

__all__ = ["LOOK_BACK", "read_counts", "value_at"]
LOOK_BACK = 60.0
"""How long before an end of a window, in seconds, the last scrape may be."""
GONE_SECONDS = 300.0
"""After how long without a sample a series is gone for good."""
FAR_SECONDS = 3600.0
"""How long a series may have been away and still go on from where it was."""


@dataclass(slots=True)
class _Counter:
    """A counter that is read: each series' last scrape so far, and how much it grew.

    Growth begins with what lies between the last scrape before the window and the line at its
    beginning, which is not of the window: only scrapes are compared with scrapes, since the next
    one may be another replica's, and lie below the line of this one.  ``earlier`` are the last
    samples of those that were there before the window.
    """

    selector: str
    so_far: dict[Labels, Point]
    known: frozenset[Labels]
    grown: Series = field(default_factory=dict)
    earlier: dict[Labels, Point] | None = None


@dataclass(slots=True)
class _Window:
    """What is known of a window that begins at ``since`` (seconds since the epoch)."""

    store: Store
    since: float
    counters: list[_Counter] = field(default_factory=list)
    resets: dict[Key, list[Point]] = field(default_factory=dict)

    def note(self, before: Iterable[Last], samples: Iterable[Samples]) -> None:
        """Remember what the samples of all counters say of restarts."""
        for key, points in restarts(list(zip(before, samples, strict=True))).items():
            self.resets.setdefault(key, []).extend(points)


def read_counts(
    ask: Ask, query: str, since: float, until: float, back: float = LOOK_BACK,
    *, most: int = MOST_SAMPLES, warn: Callable[[str], None] = lambda text: None,
) -> Counts | None:  # fmt: skip
    """Return the counts of a window; None for a query that counts nothing known.

    Times in seconds since the epoch; ``back`` is how long before an end its last scrape may be;
    ``most`` is how many samples of a counter are asked for at once.  Counters that are seen twice
    count once, and ``warn`` is told.  Raises ``BackendError`` with the reason when the window
    cannot be read.
    """
    found = counting(query)
    if found is None:
        return None
    window = _Window(Store(ask, back, most), since)
    ends = _begin(window, found, until)
    near = max(since, until - back)  # from here on, the samples around the end are all there is
    for piece in window.store.pieces(found.selectors, since, near):
        _grow(window, piece)
    _grow(window, [cut(end, near, until) for end in ends])
    _end(window, [points_at(end, until, window.resets) for end in ends])
    return counted(found.shape, tuple(_grown(window, warn)))


def _grown(window: _Window, warn: Callable[[str], None]) -> Iterator[Series]:
    """Yield how much each counter's series grew, without those that are another one's twin."""
    names = set[str]()
    for counter in window.counters:
        grown, differing = window.store.twins.once(counter.grown, counter.known)
        names |= differing
        yield {labels: max(0.0, value) for labels, value in grown.items()}
    if names:
        warn(
            f"counted once: series of the same pods that differ in {', '.join(sorted(names))} only"
        )


def _begin(window: _Window, found: Counting, until: float) -> list[Samples]:
    """Take the counters where the window begins, and return their samples around its end."""
    begins, ends = (
        [window.store.around(selector, at) for selector in found.selectors]
        for at in (window.since, until)
    )
    for around in (begins, ends):
        window.note([{} for _ in around], around)
    for i, selector in enumerate(found.selectors):
        before = points_at(begins[i], window.since, window.resets)
        if not points_at(ends[i], until, window.resets):
            _check_absent(window, found, i, bool(before), until)
        scraped = last(cut(begins[i], -math.inf, window.since))
        grown = {labels: scraped[labels][1] - value for labels, (_, value) in before.items()}
        window.counters.append(_Counter(selector, dict(scraped), frozenset(scraped), grown))
    return ends


def _check_absent(window: _Window, found: Counting, i: int, before: bool, until: float) -> None:
    """Raise ``BackendError`` unless a counter without series at the window's end is known.

    Series that are all gone are not zero, their scrapes may fail; but those that count a part of
    the denominator's are: it is there, or unknown itself.  What they counted in the window before
    they went away counts, a pod with errors may have been replaced.
    """
    selector, store = found.selectors[i], window.store
    if not _may_be_absent(found, i):
        what = "has no sample any more" if before else "matches no series"
        raise BackendError(f"no data: {selector} {what}")
    may_have_been = before or until - window.since > store.back
    if not may_have_been or _counts_a_part(found):
        return
    recent = store.last_before(selector, until, GONE_SECONDS)
    if recent and all(when <= window.since for when, _ in recent.values()):
        raise BackendError(f"no data: {selector} has no sample any more")


def _counts_a_part(found: Counting) -> bool:
    """Return whether both counters of a ratio are of one metric, and so of the same targets."""
    names = {selector.partition("{")[0] for selector in found.selectors}
    return len(found.selectors) == 2 and len(names) == 1


def _may_be_absent(found: Counting, i: int) -> bool:
    return i == 0 and found.absent_is_zero


def _grow(window: _Window, samples: Sequence[Samples]) -> None:
    """Add what the next samples of all counters say: a restart is one for all of them."""
    for counter, own in zip(window.counters, samples, strict=True):
        _recall(window, counter, own)
    before = [counter.so_far for counter in window.counters]
    window.note(before, samples)
    for labels in fallen_sums(list(zip(before, samples, strict=True)), window.resets):
        raise BackendError(
            f"no counts of {dict(labels)['__name__']}: it fell while its count went on, by values "
            "below 0; count gains and losses apart"
        )
    _add(window, samples, window.resets)


def _end(window: _Window, values: Sequence[Last]) -> None:
    """Add what the counters grew by from their last samples to the window's exact end."""
    samples = [{labels: [point] for labels, point in own.items()} for own in values]
    for counter, own in zip(window.counters, samples, strict=True):
        _recall(window, counter, own)
    _add(window, samples, {})  # restarts are in samples, and these values are none


def _add(window: _Window, samples: Sequence[Samples], resets: Resets) -> None:
    """Add what the samples say of all counters: a process that is new is new to all of them."""
    before = [{**(counter.earlier or {}), **counter.so_far} for counter in window.counters]
    begin = window.since - window.store.back
    births = carried(list(zip(before, samples, strict=True)), begin)
    for counter, own, unseen in zip(window.counters, samples, births, strict=True):
        for labels, value in increments(counter.so_far, own, resets, unseen).items():
            counter.grown[labels] = counter.grown.get(labels, 0.0) + value
        counter.so_far.update(last(own))


def _recall(window: _Window, counter: _Counter, samples: Samples) -> None:
    """Find where series go on that are new here, but were there before their scrapes failed."""
    new = samples.keys() - counter.so_far.keys()
    if new and counter.earlier is None:
        counter.earlier = window.store.last_before(counter.selector, window.since, FAR_SECONDS)
    back = {labels: point for labels, point in (counter.earlier or {}).items() if labels in new}
    if back:
        counter.so_far.update(back)
        _look_back(window, min(when for when, _ in back.values()) - window.store.back)


def _look_back(window: _Window, begin: float) -> None:
    """Find what was reset before the window: there is no error again until the first one is."""
    before: list[dict[Labels, Point]] = [{} for _ in window.counters]
    selectors = [counter.selector for counter in window.counters]
    for piece in window.store.pieces(selectors, begin, window.since):
        window.note(before, piece)
        for points, own in zip(before, piece, strict=True):
            points.update(last(own))
