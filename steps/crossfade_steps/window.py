"""Read what a metric counts at both ends of a window, series by series."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from crossfade.counting import Counting, Series, counted, counting, increments
from crossfade.errors import BackendError
from crossfade.verdict import Counts

Ask = Callable[[str, float], Any]
"""Answers a query as of a time (seconds since the epoch) with the body of ``/api/v1/query``."""


def read_counts(ask: Ask, query: str, since: float, until: float) -> Counts | None:
    """Return the counts of a window; None for a query that counts nothing known.

    Raises ``BackendError`` with the reason when an end of the window cannot be read.
    """
    found = counting(query)
    if found is None:
        return None
    grown = []
    for i, selector in enumerate(found.selectors):
        before, after = (_series(ask(selector, at), selector) for at in (since, until))
        if not before and not after and not _may_be_absent(found, i):
            raise BackendError(f"no data: {selector} matches no series")
        grown.append(increments(before, after))
    return counted(found.shape, tuple(grown))


def _may_be_absent(found: Counting, i: int) -> bool:
    return i == 0 and found.absent_is_zero


def _series(body: Any, selector: str) -> Series:
    data = body.get("data") if isinstance(body, Mapping) else None
    result = data.get("result") if isinstance(data, Mapping) else None
    if not isinstance(result, list) or body.get("isPartial"):
        raise BackendError(f"no counts of {selector}: the answer is not whole")
    found: Series = {}
    for series in result:
        try:
            value = float(series["value"][1])
            labels = frozenset((str(k), str(v)) for k, v in series["metric"].items())
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise BackendError(f"no counts of {selector}: a series has no value") from error
        if math.isfinite(value):  # a stale marker is no count
            found[labels] = value
    return found
