"""Series that are new to a window: what they counted unseen is not counted, and never twice."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import pytest

from crossfade.births import carried
from crossfade.verdict import Counts
from crossfade_steps.window import read_counts

ALL, BAD = 'hits_total{ns="a"}', 'hits_total{code="500",ns="a"}'
RATIO = f"sum(rate({BAD}[1m])) / sum(rate({ALL}[1m]))"
SCRAPE = 15.0
Lives = dict[str, list[tuple[dict[str, str], Sequence[tuple[float, float]]]]]


def asked(lives: Lives) -> Any:
    def ask(selector: str, at: float, back: float) -> Any:
        result = []
        for labels, points in lives[selector]:
            found = [[t, str(v)] for t, v in points if at - back < t <= at + SCRAPE]
            if found:
                result.append({"metric": {"__name__": "hits_total", **labels}, "values": found})
        return {"data": {"result": result}}

    return ask


def served(begin: float, end: float, *more: tuple[str, str], pod: str = "a") -> Lives:
    """Return a pod that has always served 10 requests a second, 1 of them badly, as it was read."""
    times = [SCRAPE * i for i in range(-20, 60) if begin <= SCRAPE * i < end]
    bad, good = (
        ({"pod": pod, "code": code, **dict(more)}, [(t, rate * (t + 9000)) for t in times])
        for code, rate in (("500", 1.0), ("200", 9.0))
    )
    return {ALL: [bad, good], BAD: [bad]}


def both(*lives: Lives) -> Lives:
    return {key: [series for own in lives for series in own[key]] for key in (ALL, BAD)}


HALF = Counts(150, 1500)
"""What the pod served from second 150 to 300."""


def test_a_store_that_lost_what_it_knew_counts_no_life_again() -> None:
    assert read_counts(asked(served(150, 900)), RATIO, 0.0, 300.0) == HALF


def test_a_store_that_lost_one_pod_counts_its_life_no_more_than_once() -> None:
    lives = both(served(-300, 900, pod="b"), served(150, 900))

    assert read_counts(asked(lives), RATIO, 0.0, 300.0) == Counts(450, 4500)


@pytest.mark.parametrize("label", [("pod", "a2"), ("version", "v2")])
def test_a_pod_under_other_labels_goes_on_from_its_first_sample(label: tuple[str, str]) -> None:
    """Of the process, or of its series only: nothing but a scrape in between is lost."""
    lives = both(served(-300, 150), served(150, 900, label))

    assert read_counts(asked(lives), RATIO, 0.0, 300.0) == Counts(135 + 150, 1350 + 1500)


def test_the_first_error_of_a_pod_that_was_there_is_counted() -> None:
    lives = served(-300, 900)
    error: Any = ({"pod": "a", "code": "500", "path": "/x"}, [(150.0, 1.0), (165.0, 3.0)])
    for key in (ALL, BAD):
        lives[key].append(error)

    assert read_counts(asked(lives), RATIO, 0.0, 300.0) == Counts(300 + 3, 3000 + 3)


def test_a_pod_that_starts_counts_from_zero_with_its_errors() -> None:
    """More pods under load are no wrong split, and what they get wrong at once is not hidden."""
    lives = both(served(-300, 900, pod="b"), {ALL: [], BAD: []})
    for code, points in {"200": [(150, 90), (165, 180)], "500": [(150, 10), (165, 20)]}.items():
        lives[ALL].append(({"pod": "c", "code": code}, points))
    lives[BAD].append(lives[ALL][-1])

    assert read_counts(asked(lives), RATIO, 0.0, 300.0) == Counts(300 + 20, 3000 + 200)


def test_a_series_of_its_own_process_that_ends_lower_is_not_the_new_one() -> None:
    """It restarted: what it counted under the label before is more than it counts now."""
    old, new = (frozenset({("pod", "a"), ("path", path)}) for path in ("/x", "/y"))

    assert carried([({old: (0.0, 90.0)}, {new: [(15.0, 8.0)]})], 0.0) == [set()]
    assert carried([({old: (0.0, 90.0)}, {new: [(15.0, 95.0)]})], 0.0) == [{new}]


def test_errors_of_another_target_than_the_requests_count_from_their_first() -> None:
    """The pod is an hour old, its failures are counted at another port, and these are the first."""
    lives = served(-300, 900)
    lives[BAD] = [({"pod": "a", "instance": "a:8080"}, [(150.0, 40.0), (165.0, 40.0)])]

    assert read_counts(asked(lives), RATIO, 0.0, 300.0) == Counts(40, 3000)


def test_the_scrapes_of_two_replicas_are_no_restart() -> None:
    """Each answer may be another replica's: its next scrape lies below the line of the other."""
    whole = [(t, float(max(0, math.floor((t + 7) / 15)))) for t in range(-300, 900)]
    replicas = ([p for p in whole if p[0] % 15 == 0], [p for p in whole if p[0] % 15 == 7])
    asks = itertools.cycle(replicas)

    def ask(selector: str, at: float, back: float) -> Any:
        found = [[t, str(v)] for t, v in next(asks) if at - back < t <= at + SCRAPE]
        return {"data": {"result": [{"metric": {"pod": "a"}, "values": found}]}}

    counts = [read_counts(ask, f"sum({ALL})", since, since + 31.0) for since in range(400, 700, 31)]

    assert all(found is not None and 0 <= found.total <= 5 for found in counts), counts
