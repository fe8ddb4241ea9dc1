"""What a metric counts in a window, from answers at its two ends."""

from __future__ import annotations

from typing import Any

import pytest

from crossfade.errors import BackendError
from crossfade.verdict import Counts
from crossfade_steps.window import read_counts

ALL, BAD = 'hits_total{ns="a"}', 'hits_total{code="500",ns="a"}'
REWARD = 'gain_total{ns="a"}'
SINCE, UNTIL = 100.0, 110.0
Values = dict[tuple[str, float], dict[str, float]]


def body(series: dict[str, float]) -> dict[str, Any]:
    result = [{"metric": {"pod": pod}, "value": [0, str(value)]} for pod, value in series.items()]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


def asked(values: Values) -> Any:
    def ask(query: str, at: float) -> Any:
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
    def never(query: str, at: float) -> Any:
        raise AssertionError(query)

    assert read_counts(never, "avg(temperature)", SINCE, UNTIL) is None


@pytest.mark.parametrize(
    "answer",
    [
        {"status": "error"},
        {**body({"a": 1}), "isPartial": True},
        {"data": {"result": [{"metric": {}, "value": [0]}]}},
        [],
    ],
)
def test_an_answer_that_is_not_whole_counts_nothing(answer: Any) -> None:
    with pytest.raises(BackendError):
        read_counts(lambda query, at: answer, f"sum(rate({ALL}[1m]))", SINCE, UNTIL)


def test_a_stale_series_is_left_out() -> None:
    values = {(ALL, SINCE): {"a": 10}, (ALL, UNTIL): {"a": 12, "b": float("nan")}}

    assert read_counts(asked(values), f"sum({ALL})", SINCE, UNTIL) == Counts(2)
