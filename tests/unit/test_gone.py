"""Pods that come, go and restart while a metric is counted: what a store has of them, it counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from crossfade.errors import BackendError
from crossfade.verdict import Counts
from crossfade_steps.window import read_counts

ALL, BAD = 'hits_total{ns="a"}', 'hits_total{code="500",ns="a"}'
RATIO = f"sum(rate({BAD}[1m])) / sum(rate({ALL}[1m]))"
LATE = 'late_total{ns="a"}'
GAIN = 'gain_total{ns="a"}'
BUCKET = 'seconds_bucket{ns="a"}'
QUANTILE = f"histogram_quantile(0.9, sum by (le) (rate({BUCKET}[1m])))"
SCRAPE = 15.0
Points = Sequence[tuple[float, float]]


class Pods:
    """A store of samples; ``most`` is how many it gives at once."""

    def __init__(self, most: float = float("inf")) -> None:
        self.series: dict[str, list[tuple[dict[str, str], Points]]] = {}
        self.most, self.asked = most, list[int]()

    def add(self, selector: str, points: Points, **labels: str) -> None:
        self.series.setdefault(selector, []).append((labels, points))

    def serve(
        self, pod: str, life: tuple[float, float], good: float, bad: float, *restarts: float
    ) -> None:
        """Add a pod that serves ``good`` and ``bad`` requests a second and counts from zero."""
        begin, end = life
        times = [t for t in range(int(begin), int(end) + 1) if t % SCRAPE == 0]
        born = {t: max((r for r in restarts if r <= t), default=begin) for t in times}
        for code, rate in (("200", good), ("500", bad)):
            points = [(float(t), rate * (t - born[t])) for t in times]
            for selector in (ALL, BAD) if code == "500" else (ALL,):
                self.add(selector, points, instance=pod, code=code)

    def ask(self, selector: str, at: float, back: float) -> Any:
        result = []
        for labels, points in self.series.get(selector, []):
            first, end = at - (back or 60), at + SCRAPE
            found = [[t, str(value)] for t, value in points if first < t <= end]
            if found:
                result.append({"metric": {"__name__": selector.partition("{")[0], **labels},
                               "values": found})  # fmt: skip
        self.asked.append(sum(len(series["values"]) for series in result))
        if self.asked[-1] > self.most:
            raise BackendError("query failed: HTTP 422")
        return {"data": {"result": result}}


def test_a_pod_that_hands_over_takes_nothing_with_it() -> None:
    """10 requests a second; of the first pod's a half failed, and it is gone for two minutes."""
    pods = Pods()
    pods.serve("a", (-600, 165), 5, 5)
    pods.serve("b", (165, 600), 10, 0)

    assert read_counts(pods.ask, RATIO, 0.0, 300.0) == Counts(825, 3000)


def test_a_pod_that_lived_inside_a_window_only_is_counted() -> None:
    pods = Pods()
    pods.serve("a", (-600, 600), 10, 0)
    pods.serve("b", (60, 180), 4, 1)

    assert read_counts(pods.ask, RATIO, 0.0, 300.0) == Counts(120, 3600)


def test_both_counters_of_a_ratio_see_the_same_restart() -> None:
    """1 % fails; since its restart the pod served more than before, as far as the ends show."""
    pods = Pods()
    pods.serve("a", (-90, 600), 9.9, 0.1, 15.0)

    found = read_counts(pods.ask, RATIO, 0.0, 300.0)

    assert found is not None
    assert (found.total, found.count) == (pytest.approx(28.5), pytest.approx(2850)), (
        "all but the scrape before the restart, which nobody knows"
    )


def test_as_many_errors_after_each_restart_are_errors() -> None:
    """It breaks every 15 seconds after 5 errors: their counter alone stands still."""
    pods = Pods()
    times = [SCRAPE * i for i in range(-4, 22)]
    for selector in (ALL, BAD):
        pods.add(selector, [(t, 5.0) for t in times], instance="a", code="500")
    pods.add(ALL, [(t, 60 - t / SCRAPE) for t in times], instance="a", code="200")

    assert read_counts(pods.ask, RATIO, 0.0, 45.0) == Counts(15, 15 + 59 + 58 + 57)


@pytest.mark.parametrize(
    "windows",
    [
        pytest.param([(0, 300)], id="in-one-window"),
        pytest.param([(i, i + 30) for i in range(0, 300, 30)], id="in-many"),
        pytest.param([(0, 52), (52, 143), (143, 300)], id="between-scrapes"),
        pytest.param([(0, 120), (120, 300)], id="in-the-next-one"),
    ],
)
@pytest.mark.parametrize("again", [60.0, 180.0])
def test_an_error_counter_that_a_restart_took_away_counts_from_zero_when_it_is_back(
    windows: list[tuple[float, float]], again: float
) -> None:
    """A process that restarted has no series of errors until the first one."""
    pods = Pods()
    times = [SCRAPE * i for i in range(-9, 23)]
    for selector in (ALL, BAD):
        errors = [(t, 5.0 if t < 45 else 7.0) for t in times if t < 45 or t >= again]
        pods.add(selector, errors, instance="a", code="500")
    good = [(t, 9000 + t if t < 45 else t - 30) for t in times]
    pods.add(ALL, good, instance="a", code="200")

    found = [read_counts(pods.ask, RATIO, *window) for window in windows]

    assert sum(counts.total for counts in found if counts) == pytest.approx(7)
    assert sum(counts.count or 0 for counts in found if counts) == pytest.approx(30 + 270 + 7)


def test_one_series_that_begins_anew_is_no_restart_of_the_others() -> None:
    """A proxy forgets what it counted of one path; its process goes on."""
    pods = Pods()
    pods.add(ALL, [(0, 90), (15, 100), (30, 3), (45, 9)], instance="a", path="/x")
    pods.add(ALL, [(0, 9000), (15, 9010), (30, 9020), (45, 9030)], instance="a", path="/y")

    assert read_counts(pods.ask, f"sum(rate({ALL}[1m]))", 0.0, 45.0) == Counts(10 + 9 + 30)


def test_buckets_of_a_histogram_are_reset_together() -> None:
    pods = Pods()
    for le, points in {
        "0.5": [(0, 2), (30, 3), (45, 4)],
        "+Inf": [(0, 90), (30, 8), (45, 12)],
    }.items():
        pods.add(BUCKET, points, instance="a", le=le)

    assert read_counts(pods.ask, QUANTILE, 0.0, 45.0) == Counts(12, None, (0.5,), (4, 12))


def test_pods_with_other_buckets_count_at_the_edges_that_all_have() -> None:
    pods = Pods()
    for pod, begin, end, edges in (("a", -600, 165, "0.3"), ("b", 165, 600, "0.25")):
        for le, rate in ((edges, 1), ("0.5", 6), ("+Inf", 10)):
            points = [(float(t), float(rate * (t - begin))) for t in range(begin, end + 1, 15)]
            pods.add(BUCKET, points, instance=pod, le=le)

    assert read_counts(pods.ask, QUANTILE, 0.0, 300.0) == Counts(3000, None, (0.5,), (1800, 3000))


def test_what_was_away_for_part_of_a_window_goes_on_in_the_next_one() -> None:
    """Its scrapes failed from 120 to 405: two windows count together what it grew by."""
    pods = Pods()
    pods.add(ALL, [(15.0 * i, 150.0 * i) for i in range(-9, 60) if not 120 < 15 * i < 405], pod="a")
    pods.add(ALL, [(15.0 * i, 0.0) for i in range(-9, 60)], pod="b")

    found = [read_counts(pods.ask, f"sum({ALL})", *window) for window in ((0, 400), (400, 600))]

    assert found == [Counts(1200), Counts(4800)]


def test_rewards_that_stop_count_as_far_as_they_were_seen_and_then_are_unknown() -> None:
    """Until they are gone for good: their scrapes may fail."""
    query = f"(sum(rate({GAIN}[1m])) or vector(0)) / sum(rate({ALL}[1m]))"
    pods = Pods()
    pods.serve("a", (-600, 1200), 10, 0)
    pods.add(GAIN, [(15.0 * i, 15.0 * i) for i in range(3, 14)], instance="r")

    assert read_counts(pods.ask, query, 0.0, 300.0) == Counts(195, 3000)
    with pytest.raises(BackendError, match="has no sample any more"):
        read_counts(pods.ask, query, 300.0, 420.0)
    assert read_counts(pods.ask, query, 300.0, 600.0) == Counts(0, 3000)


def test_errors_of_a_pod_that_was_replaced_in_the_window_are_counted() -> None:
    """The last ones before it went are all there are: its successor has no such series yet."""
    query = f"(sum(increase({LATE}[1m])) or vector(0)) / sum(increase({ALL}[1m]))"
    pods = Pods()
    pods.add(ALL, [(15.0 * i, 150.0 * i) for i in range(-9, 8)], pod="a")
    pods.add(LATE, [(t, 10 * (t - 70)) for t in (75.0, 90.0, 105.0)], pod="a")
    pods.add(ALL, [(15.0 * i, 150.0 * (i - 8)) for i in range(8, 40)], pod="b")

    found = read_counts(pods.ask, query, 0.0, 300.0)

    assert found is not None
    assert (found.total, found.count) == (350, 1050 + 1800)


def hour(pods: Pods) -> None:
    """Add an hour of forty pods, each of which lives ten minutes and restarts once."""
    for i in range(40):
        pods.serve(f"p{i}", (75 * i, 75 * i + 600), 9, 1, 75 * i + 300)


HOUR = Counts(40 * 585, 40 * 5850)
"""Each pod's last scrape before its restart is not there: 15 of 600 s are lost."""


def test_many_samples_are_read_in_pieces_and_count_the_same() -> None:
    whole, pieces = Pods(), Pods()
    hour(whole)
    hour(pieces)

    assert read_counts(whole.ask, RATIO, -60.0, 3540.0) == HOUR
    assert read_counts(pieces.ask, RATIO, -60.0, 3540.0, most=50) == HOUR
    assert max(pieces.asked) < max(whole.asked) / 2


def test_a_store_that_gives_less_at_once_is_asked_for_less() -> None:
    pods = Pods(most=200)
    hour(pods)

    assert read_counts(pods.ask, RATIO, -60.0, 3540.0) == HOUR


def test_a_window_that_is_refused_in_the_middle_is_unknown() -> None:
    pods = Pods(most=40)
    hour(pods)

    with pytest.raises(BackendError, match="422"):
        read_counts(pods.ask, RATIO, -60.0, 3540.0)
