"""What a metric counts in a window, from answers at its two ends."""

from __future__ import annotations

from typing import Any

import pytest

from crossfade.errors import BackendError
from crossfade.verdict import Counts
from crossfade_steps.window import read_counts, value_at

ALL, BAD = 'hits_total{ns="a"}', 'hits_total{code="500",ns="a"}'
REWARD = 'gain_total{ns="a"}'
SINCE, UNTIL = 100.0, 110.0
Values = dict[tuple[str, float], dict[str, float]]


def body(series: dict[str, float]) -> dict[str, Any]:
    result = [
        {"metric": {"pod": pod}, "values": [[0, str(value)]]} for pod, value in series.items()
    ]
    return {"status": "success", "data": {"resultType": "matrix", "result": result}}


def asked(values: Values) -> Any:
    def ask(query: str, at: float, back: float) -> Any:
        return body(values.get((query, at), {}))

    return ask


def test_a_ratio_counts_both_of_its_counters() -> None:
    values = {(BAD, SINCE): {"a": 3}, (BAD, UNTIL): {"a": 5},
              (ALL, SINCE): {"a": 100, "b": 40}, (ALL, UNTIL): {"a": 160, "b": 10}}  # fmt: skip

    found = read_counts(asked(values), f"sum(rate({BAD}[1m])) / sum(rate({ALL}[1m]))", SINCE, UNTIL)

    assert found == Counts(2, 70), "pod b was restarted and counted 10 since"


def test_no_error_yet_is_none_but_no_reward_yet_is_unknown() -> None:
    values: Values = {(ALL, SINCE): {"a": 0}, (ALL, UNTIL): {"a": 50}}

    errors = read_counts(asked(values), f"sum(rate({BAD}[1m])) / sum(rate({ALL}[1m]))",
                         SINCE, UNTIL)  # fmt: skip
    assert errors == Counts(0, 50)
    with pytest.raises(BackendError, match="matches no series"):
        read_counts(asked(values), f"sum(rate({REWARD}[1m])) / sum(rate({ALL}[1m]))", SINCE, UNTIL)
    zero = f"(sum(rate({REWARD}[1m])) or on() vector(0)) / sum(rate({ALL}[1m]))"
    assert read_counts(asked(values), zero, SINCE, UNTIL) == Counts(0, 50)


def test_a_query_that_counts_nothing_is_not_asked() -> None:
    def never(query: str, at: float, back: float) -> Any:
        raise AssertionError(query)

    assert read_counts(never, "avg(temperature)", SINCE, UNTIL) is None


@pytest.mark.parametrize(
    "answer",
    [
        {"status": "error"},
        {**body({"a": 1}), "isPartial": True},
        {"data": {"result": [{"metric": {}, "values": [[0]]}]}},
        [],
    ],
)
def test_an_answer_that_is_not_whole_counts_nothing(answer: Any) -> None:
    with pytest.raises(BackendError):
        read_counts(lambda query, at, back: answer, f"sum(rate({ALL}[1m]))", SINCE, UNTIL)


def test_a_stale_series_is_left_out() -> None:
    values = {(ALL, SINCE): {"a": 10}, (ALL, UNTIL): {"a": 12, "b": float("nan")}}

    assert read_counts(asked(values), f"sum({ALL})", SINCE, UNTIL) == Counts(2)


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        pytest.param([(98, 40), (102, 60)], 50, id="between-two-scrapes"),
        pytest.param([(96, 20), (98, 40), (100, 50), (104, 90)], 50, id="at-a-scrape"),
        pytest.param([(98, 40)], 40, id="no-scrape-since"),
        pytest.param([(102, 60)], None, id="not-born-yet"),
        pytest.param([(98, 40), (102, 5)], 40, id="restarted-in-between"),
        pytest.param([(98, 40), (99, float("nan")), (102, 60)], 50, id="stale-marker"),
        pytest.param([], None, id="nothing"),
    ],
)
def test_a_counter_is_taken_at_the_exact_time(
    points: list[tuple[float, float]], expected: float | None
) -> None:
    assert value_at(points, 100.0) == expected


def test_counters_that_are_scraped_apart_count_the_same_requests() -> None:
    """50 requests a second, half of them rewarded, scraped every 2 s, 1.5 s apart from another."""

    def ask(selector: str, at: float, back: float) -> Any:
        phase, rate = (0.2, 50.0) if selector == ALL else (1.7, 25.0)
        times = [2 * i + phase for i in range(60)]
        values = [[t, str(rate * t)] for t in times if at - 60 < t <= at + 2]
        return {"data": {"result": [{"metric": {}, "values": values}]}}

    for since in (60.0, 60.9, 61.5):
        found = read_counts(
            ask, f"sum(rate({REWARD}[1m])) / sum(rate({ALL}[1m]))", since, since + 4
        )

        assert found is not None
        assert (found.total, found.count) == (pytest.approx(100), pytest.approx(200))


PART = f"(sum(rate({REWARD}[1m])) or vector(0)) / sum(rate({ALL}[1m]))"


@pytest.mark.parametrize("query", [f"sum(rate({ALL}[1m]))", PART])
def test_series_that_are_all_gone_are_unknown_and_not_zero(query: str) -> None:
    """Their scrapes fail for longer than one looks back: no window without rewards."""
    gone = REWARD if REWARD in query else ALL

    def ask(selector: str, at: float, back: float) -> Any:
        if selector == gone and at == UNTIL and back < 300:
            return body({})
        return body({"a": at})

    with pytest.raises(BackendError, match="has no sample any more"):
        read_counts(ask, query, SINCE, UNTIL)


@pytest.mark.parametrize("query", [f"sum(rate({BAD}[1m])) / sum(rate({ALL}[1m]))", PART])
def test_a_part_that_is_gone_for_good_counts_nothing_more(query: str) -> None:
    """The pod with the only errors was replaced, and its successor has none."""
    values = {(BAD, SINCE): {"a": 3}, (REWARD, SINCE): {"a": 3},
              (ALL, SINCE): {"a": 100}, (ALL, UNTIL): {"b": 60}}  # fmt: skip

    assert read_counts(asked(values), query, SINCE, UNTIL) == Counts(0, 60)


def test_a_series_that_is_back_goes_on_from_its_last_value() -> None:
    """It was not scraped when the window began: it did not grow by its whole life since."""

    def ask(query: str, at: float, back: float) -> Any:
        points = [[t, str(9000 + 10 * t)] for t in (10.0, 20.0, 108.0) if t <= at + 2]
        near = [p for p in points if float(p[0]) > at - (back or 60)]
        return {"data": {"result": [{"metric": {"pod": "a"}, "values": near}] if near else []}}

    assert read_counts(ask, f"sum({ALL})", 100.0, 110.0) == Counts(880.0), "since second 20"


def test_a_series_that_was_never_there_counts_from_zero() -> None:
    values = {(ALL, SINCE): {"a": 10}, (ALL, UNTIL): {"a": 12, "b": 7}}

    assert read_counts(asked(values), f"sum({ALL})", SINCE, UNTIL) == Counts(9)


def test_buckets_without_the_last_one_count_nothing() -> None:
    def ask(query: str, at: float, back: float) -> Any:
        return {"data": {"result": [{"metric": {"le": "0.5"}, "values": [[0, str(at)]]}]}}

    with pytest.raises(BackendError, match="no bucket"):
        read_counts(ask, "histogram_quantile(0.9, sum by (le) (rate(x_bucket[1m])))", SINCE, UNTIL)
