"""Read what a metric counts at both exact ends of a window, series by series."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from crossfade.counting import Counting, Series, counted, counting, increments
from crossfade.errors import BackendError
from crossfade.verdict import Counts

Ask = Callable[[str, float], Any]
"""Answers a selector and a time (seconds since the epoch) with the samples of its series around it.

The answer is a body of ``/api/v1/query`` for a range: ``values`` are (time, value), ascending.
"""


def read_counts(ask: Ask, query: str, since: float, until: float) -> Counts | None:
    """Return the counts of a window; None for a query that counts nothing known.

    Raises ``BackendError`` with the reason when an end of the window cannot be read.
    """
    found = counting(query)
    if found is None:
        return None
    grown = []
    for i, selector in enumerate(found.selectors):
        before, after = (_series(ask(selector, at), selector, at) for at in (since, until))
        if not before and not after and not _may_be_absent(found, i):
            raise BackendError(f"no data: {selector} matches no series")
        grown.append(increments(before, after))
    return counted(found.shape, tuple(grown))


def _may_be_absent(found: Counting, i: int) -> bool:
    return i == 0 and found.absent_is_zero


def _series(body: Any, selector: str, at: float) -> Series:
    data = body.get("data") if isinstance(body, Mapping) else None
    result = data.get("result") if isinstance(data, Mapping) else None
    if not isinstance(result, list) or body.get("isPartial"):
        raise BackendError(f"no counts of {selector}: the answer is not whole")
    found: Series = {}
    for series in result:
        try:
            points = [(float(when), float(value)) for when, value in series["values"]]
            labels = frozenset((str(k), str(v)) for k, v in series["metric"].items())
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise BackendError(f"no counts of {selector}: a series has no values") from error
        value = value_at(points, at)
        if value is not None:
            found[labels] = value
    return found


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
