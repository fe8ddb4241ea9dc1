"""Counters that are seen twice are counted once, and those that only look alike are not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from crossfade.verdict import Counts
from crossfade_steps.window import read_counts

ALL, BAD = 'hits_total{ns="a"}', 'hits_total{code="500",ns="a"}'
RATIO = f"sum(rate({BAD}[1m])) / sum(rate({ALL}[1m]))"
ALL_RATE = f"sum(rate({ALL}[1m]))"
POD = {"instance": "10.0.0.1:8000", "pod": "a"}
Life = tuple[dict[str, str], Sequence[tuple[float, float]]]


def life(rate: float, offset: float = 0.0, **labels: str) -> Life:
    """Return a series of POD that has grown since long ago, scraped every 2 s."""
    times = [2.0 * i + offset for i in range(-100, 200)]
    return {**POD, **labels}, [(t, rate * (t + 300)) for t in times]


def counts(*lives: Life, query: str = RATIO) -> tuple[Counts | None, list[str]]:
    """Return what a window from 0 to 20 counts, and what is told of it."""
    said: list[str] = []

    def ask(selector: str, at: float, back: float) -> Any:
        result = []
        for labels, points in lives:
            found = [[t, str(v)] for t, v in points if at - back < t <= at + 2]
            if found and ("500" not in selector or labels.get("code") == "500"):
                result.append({"metric": {"__name__": "hits_total", **labels}, "values": found})
        return {"data": {"result": result}}

    return read_counts(ask, query, 0.0, 20.0, warn=said.append), said


def served(offset: float = 0.0, **views: str) -> tuple[Life, Life]:
    """Return 10 requests a second, one of them bad, as they are seen by somebody."""
    return life(9, offset, code="200", **views), life(1, offset, code="500", **views)


VIEWS = [("service",), ("job", "service"), ("prometheus_replica",),
         ("endpoint", "job", "prometheus", "service")]  # fmt: skip
SEEN = [(names, offset) for names in VIEWS for offset in (0.0, 0.7) if offset or len(names) > 1
        or names == ("prometheus_replica",)]  # fmt: skip
"""A lone label ``service`` of samples of one time is the application's own."""


@pytest.mark.parametrize(("names", "offset"), SEEN)
def test_two_views_of_the_same_pod_count_once(names: tuple[str, ...], offset: float) -> None:
    """After a promotion two Services select the same pods (faults C50)."""
    views = [dict.fromkeys(names, value) for value in ("baseline", "promoted", "third")]

    found, said = counts(*served(**views[0]), *served(offset, **views[1]),
                         *served(2 * offset, **views[2]))  # fmt: skip

    assert found == Counts(pytest.approx(20), pytest.approx(200))
    assert said == [f"counted once: series of the same pods that differ in {', '.join(names)} only"]


def test_one_view_is_not_told_of() -> None:
    assert counts(*served(job="x")) == (Counts(20, 200), [])


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"service": "feedback", "instance": "10.0.0.2:8000"}, id="another-instance"),
        pytest.param({"service": "feedback", "container": "sidecar"}, id="another-container"),
    ],
)
def test_what_differs_in_more_counts_twice(other: dict[str, str]) -> None:
    found, said = counts(*served(service="predictions"), *served(**other))

    assert found == Counts(40, 400)
    assert said == []


def test_an_application_s_own_labels_are_told_from_a_scrape_s() -> None:
    """As many predictions as feedback calls failed, but there were fewer of these altogether."""
    mine = (life(9, code="200", service="predictions"), life(1, code="500", service="predictions"))
    other = (life(5, code="200", service="feedback"), life(1, code="500", service="feedback"))

    assert counts(*mine, *other) == (Counts(40, 320), [])


def test_a_view_that_another_one_follows_is_not_its_twin() -> None:
    """The job was renamed: what was counted under its old name counts, too."""
    labels, points = life(10, job="old")
    old = labels, [point for point in points if point[0] <= 10]
    new = {**labels, "job": "new"}, [point for point in points if point[0] > 10]

    found, said = counts(old, new, query=f"sum(rate({ALL}[1m]))")

    assert found is not None
    assert found.total == pytest.approx(180), "all but what was served from 10 s to 12 s"
    assert said == []


def test_of_two_views_the_one_that_was_there_all_the_time_counts() -> None:
    labels, points = life(10, job="z")
    late = {**labels, "job": "a"}, [point for point in points if point[0] > 10]

    found, _ = counts((labels, points), late, query=f"sum(rate({ALL}[1m]))")

    assert found == Counts(200)


def test_of_two_views_the_one_that_goes_on_counts() -> None:
    """One of two servers was restarted: with it, an error burst would have gone unseen."""
    for stops, goes_on in (("a", "b"), ("b", "a")):
        labels, points = life(10, prometheus_replica=stops)
        half = labels, [point for point in points if point[0] <= 10]

        found, _ = counts(half, life(10, 0.7, prometheus_replica=goes_on), query=ALL_RATE)

        assert found == Counts(pytest.approx(200))


def test_a_scrape_that_takes_a_while_makes_no_two_counters_of_one() -> None:
    labels, points = life(10, 0.4, job="second")
    late = [(t, v + 10 if t == 4.4 else v) for t, v in points]

    found, _ = counts(life(10, job="first"), (labels, late), query=ALL_RATE)

    assert found == Counts(pytest.approx(200))


def test_two_services_of_an_application_stay_two_while_they_keep_up() -> None:
    """An executor counts predictions and feedback, at one time: as many, but not the same."""
    found, said = counts(life(10, service="predictions"), life(10, service="feedback"),
                         query=ALL_RATE)  # fmt: skip

    assert found == Counts(400)
    assert said == []


def test_series_of_nobody_knows_whom_count_each() -> None:
    lives = [({"job": job}, points) for job in "ab" for _, points in [life(10)]]

    assert counts(*lives, query=f"sum(rate({ALL}[1m]))") == (Counts(400), [])
