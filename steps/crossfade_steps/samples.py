"""The samples of a metric store's counters, read in answers of a bounded size."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from crossfade.errors import BackendError
from crossfade.growth import Labels, Last, Point, Resets, Samples, resets_of, was_reset
from crossfade_steps.twins import Twins

Ask = Callable[[str, float, float], Any]
"""Answers a selector, a time (seconds since the epoch) and how far to look back from it (seconds)
with the samples of its series from there to a scrape after that time.

The answer is a body of ``/api/v1/query`` for a range: ``values`` are (time, value), ascending.
"""
MOST_SAMPLES = 50_000
"""How many samples of a counter are asked for at once, about 1 MB, by how dense they were so far:
there are more in an answer if there are more series in the middle of a window than at its ends."""
MOST_ANSWERS = 240
"""Into how many answers a window may be split before it counts as unreadable."""


@dataclass(slots=True)
class Store:
    """A store's samples; ``back`` is how long before a time (seconds) its last scrape may be.

    ``most`` is how many samples of a counter are asked for at once.
    """

    ask: Ask
    back: float
    most: int = MOST_SAMPLES
    density: float = 0.0  # samples of a counter a second, as far as is known
    twins: Twins = field(default_factory=Twins)

    def around(self, selector: str, at: float) -> Samples:
        """Return the samples around a time."""
        return self._asked(selector, at, self.back)

    def last_before(self, selector: str, at: float, seconds: float) -> dict[Labels, Point]:
        """Return each series' last sample at or up to ``seconds`` before a time."""
        found: dict[Labels, Point] = {}
        for (samples,) in self.pieces((selector,), at - seconds, at):
            found.update(last(samples))
        return found

    def pieces(
        self, selectors: Sequence[str], begin: float, end: float
    ) -> Iterator[tuple[Samples, ...]]:
        """Yield the samples after ``begin`` and up to ``end`` in turn, of all selectors at once.

        Raises ``BackendError`` where they cannot be read, or are too many.
        """
        at, most = begin, math.inf
        for _ in range(MOST_ANSWERS):
            if at >= end:
                return
            until = min(at + min(most, self._seconds()), end)
            try:
                whole = [self._asked(selector, until, until - at) for selector in selectors]
            except BackendError:
                if most <= self.back:
                    raise
                most = self.back  # the store has a limit of its own; so much it did answer
                continue
            yield tuple(cut(samples, at, until) for samples in whole)
            at = until
        if at < end:
            raise BackendError(
                f"no counts of {selectors[0]}: too many samples in {end - begin:g} s"
            )

    def _seconds(self) -> float:
        """Return how long a piece may be; never shorter than what is asked for anyway."""
        return max(self.back, self.most / self.density if self.density else math.inf)

    def _asked(self, selector: str, at: float, back: float) -> Samples:
        found = _samples(self.ask(selector, at, back), selector)
        count = sum(len(points) for points in found.values())
        self.density = max(self.density, count / max(back, self.back))
        self.twins.note(found)
        return found


def _samples(body: Any, selector: str) -> Samples:
    """Return an answer's samples, without those that are no number."""
    data = body.get("data") if isinstance(body, Mapping) else None
    result = data.get("result") if isinstance(data, Mapping) else None
    if not isinstance(result, list) or body.get("isPartial"):
        raise BackendError(f"no counts of {selector}: the answer is not whole")
    found: dict[Labels, list[Point]] = {}
    for series in result:
        try:
            points = [(float(when), float(value)) for when, value in series["values"]]
            labels = frozenset((str(k), str(v)) for k, v in series["metric"].items())
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise BackendError(f"no counts of {selector}: a series has no values") from error
        found[labels] = [point for point in points if math.isfinite(point[1])]
    return found


def gaps_of(body: Any) -> Iterator[float]:
    """Yield how many seconds an answer's samples are apart; none where it is not whole."""
    with suppress(BackendError):
        for points in _samples(body, "").values():
            yield from (high[0] - low[0] for low, high in itertools.pairwise(points))


def cut(samples: Samples, begin: float, end: float) -> Samples:
    """Return the samples after a time and up to another one, of the series that have any."""
    found = {labels: [point for point in points if begin < point[0] <= end]
             for labels, points in samples.items()}  # fmt: skip
    return {labels: points for labels, points in found.items() if points}


def last(samples: Samples) -> Last:
    """Return each series' last sample."""
    return {labels: points[-1] for labels, points in samples.items() if points}


def points_at(samples: Samples, at: float, resets: Resets) -> dict[Labels, Point]:
    """Return each series' last scrape at or before a time, with its value right at that time."""
    found = {}
    for labels, points in samples.items():
        value = value_at(points, at, resets_of(labels, resets))
        if value is not None:
            found[labels] = (max(when for when, _ in points if when <= at), value)
    return found


def value_at(points: Sequence[Point], at: float, resets: Sequence[Point] = ()) -> float | None:
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
    if not later or was_reset((begin, low), later[0], resets):
        return low
    end, high = later[0]
    return low + (high - low) * (at - begin) / (end - begin)
