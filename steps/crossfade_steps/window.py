"""Read what a metric counts at both exact ends of a window, series by series."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from crossfade.counting import Counting, Series, counted, counting, increments
from crossfade.errors import BackendError
from crossfade.verdict import Counts

Ask = Callable[[str, float, float], Any]
"""Answers a selector, a time (seconds since the epoch) and how far to look back from it (seconds,
0 for as far as is usual) with the samples of its series around that time.

The answer is a body of ``/api/v1/query`` for a range: ``values`` are (time, value), ascending.
"""
GONE_SECONDS = 300.0
"""After how long without a sample a series is gone for good."""
FAR_SECONDS = 3600.0
"""How long a series may have been away and still go on from where it was."""


def read_counts(ask: Ask, query: str, since: float, until: float) -> Counts | None:
    """Return the counts of a window; None for a query that counts nothing known.

    Raises ``BackendError`` with the reason when an end of the window cannot be read.
    """
    found = counting(query)
    if found is None:
        return None
    grown = [_grown(ask, found, i, since, until) for i in range(len(found.selectors))]
    return counted(found.shape, tuple(grown))


def _grown(ask: Ask, found: Counting, i: int, since: float, until: float) -> Series:
    """Return how much one counter's series grew.

    Series that are all gone are not zero, their scrapes may fail; but those that count a part of
    the denominator's are: it is there, or unknown itself.  A series that is new may have been there
    before its scrapes failed: then it goes on from its last value.
    """
    selector = found.selectors[i]
    before, after = (_series(ask(selector, at, 0.0), selector, at) for at in (since, until))
    if not after and not _may_be_absent(found, i):
        what = "has no sample any more" if before else "matches no series"
        raise BackendError(f"no data: {selector} {what}")
    if before and not after and not _counts_a_part(found):
        if _last(ask(selector, until, GONE_SECONDS), selector, until):
            raise BackendError(f"no data: {selector} has no sample any more")
        return {}  # gone for good
    if after.keys() - before.keys():
        earlier = _last(ask(selector, since, FAR_SECONDS), selector, since)
        before = {**earlier, **before}
    return increments(before, after)


def _counts_a_part(found: Counting) -> bool:
    """Return whether both counters of a ratio are of one metric, and so of the same targets."""
    names = {selector.partition("{")[0] for selector in found.selectors}
    return len(found.selectors) == 2 and len(names) == 1


def _may_be_absent(found: Counting, i: int) -> bool:
    return i == 0 and found.absent_is_zero


def _series(body: Any, selector: str, at: float) -> Series:
    """Return each series' value at a time, between its scrapes."""
    read = {labels: value_at(points, at) for labels, points in _points(body, selector)}
    return {labels: value for labels, value in read.items() if value is not None}


def _last(body: Any, selector: str, at: float) -> Series:
    """Return each series' last value at or before a time."""
    found = {}
    for labels, points in _points(body, selector):
        known = [value for when, value in points if when <= at and math.isfinite(value)]
        if known:
            found[labels] = known[-1]
    return found


def _points(
    body: Any, selector: str
) -> Iterator[tuple[frozenset[tuple[str, str]], list[tuple[float, float]]]]:
    data = body.get("data") if isinstance(body, Mapping) else None
    result = data.get("result") if isinstance(data, Mapping) else None
    if not isinstance(result, list) or body.get("isPartial"):
        raise BackendError(f"no counts of {selector}: the answer is not whole")
    for series in result:
        try:
            points = [(float(when), float(value)) for when, value in series["values"]]
            labels = frozenset((str(k), str(v)) for k, v in series["metric"].items())
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise BackendError(f"no counts of {selector}: a series has no values") from error
        yield labels, points


def value_at(points: Sequence[tuple[float, float]], at: float) -> float | None:
    """Return a counter at a time, by a line between its scrapes around it; None before the first.

    Counters of one ratio are often scraped from two places, seconds apart: taken as they were
    scraped, one of them counts requests that the other one does not, and a small window is mostly
    that difference.  After the last scrape, and across a restart, the counter stands still.
    """
    known = [(when, value) for when, value in points if math.isfinite(value)]
    earlier = [point for point in known if point[0] <= at]
    if not earlier:
        return None
    (begin, low), later = earlier[-1], [point for point in known if point[0] > at]
    if not later or later[0][1] < low:
        return low
    end, high = later[0]
    return low + (high - low) * (at - begin) / (end - begin)
