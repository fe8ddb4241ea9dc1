"""The predecessor's vectors V1-V29 (baseline/candidate after each iteration) and properties."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from iter8_runs import (
    BASELINE_BAD,
    BASELINE_BETTER,
    CANDIDATE_BAD,
    GOOD,
    NO_DATA,
    NOBODY,
    SETTINGS,
    TIE,
    experiment,
    observation,
    path,
)

from crossfade.policies.iter8 import best_versions, decide, target_weights
from crossfade.spec.experiment import Direction, TestingPattern
from crossfade.verdict import Judgement, Observation, Reading, judge
from crossfade.weights import whole_percent


def shares(values: Sequence[Fraction]) -> str:
    return "/".join(f"{float(v):.2f}".rstrip("0").rstrip(".") for v in values)


V1 = "90/10 80/20 70/30 60/40 50/50 40/60 30/70 20/80 10/90 5/95 5/95 5/95"


@pytest.mark.parametrize(
    ("worlds", "settings", "expected"),
    [
        pytest.param([GOOD] * 12, {}, V1, id="V1"),
        pytest.param(
            [GOOD] * 12, {"inc": 5},
            "95/5 90/10 85/15 80/20 75/25 70/30 65/35 60/40 55/45 50/50 45/55 40/60", id="V2",
        ),
        pytest.param(
            [GOOD] * 14, {"inc": 7},
            "93/7 86/14 79/21 72/28 65/35 58/42 51/49 44/56 37/63 30/70 23/77 16/84 9/91 5/95",
            id="V3",
        ),
        pytest.param([GOOD] * 4, {"cap": 30}, "90/10 80/20 70/30 70/30", id="V4"),
        pytest.param([GOOD] * 2, {"cap": 3}, "97/3 97/3", id="V5"),
        pytest.param([GOOD] * 3, {"inc": 0}, "100/0 100/0 100/0", id="V6"),
        pytest.param([GOOD], {"inc": 100}, "5/95", id="V7"),
        pytest.param([CANDIDATE_BAD] * 2, {}, "95/5 95/5", id="V8"),
        pytest.param([NO_DATA] * 2, {}, "95/5 95/5", id="V9"),
        pytest.param(
            [NO_DATA, *[GOOD] * 9], {},
            "95/5 85/15 75/25 65/35 55/45 45/55 35/65 25/75 15/85 5/95", id="V10",
        ),
        pytest.param(
            [NO_DATA] * 3 + [GOOD] * 7, {},
            "95/5 95/5 95/5 85/15 75/25 65/35 55/45 45/55 35/65 25/75", id="V11",
        ),
        pytest.param(
            [*[GOOD] * 5, CANDIDATE_BAD], {}, "90/10 80/20 70/30 60/40 50/50 95/5", id="V12"
        ),
        pytest.param(
            [*[GOOD] * 5, BASELINE_BETTER], {}, "90/10 80/20 70/30 60/40 50/50 95/5", id="V13"
        ),
        pytest.param(
            [GOOD, BASELINE_BETTER, GOOD, BASELINE_BETTER, GOOD], {},
            "90/10 95/5 85/15 95/5 85/15", id="V14",
        ),
        pytest.param([TIE] * 6, {}, "90/10 80/20 70/30 60/40 50/50 50/50", id="V15"),
        pytest.param([NOBODY], {}, "95/5", id="V16"),
        pytest.param([BASELINE_BAD] * 2, {}, "90/10 80/20", id="V17"),
        pytest.param([BASELINE_BETTER], {"start": (0, 100)}, "95/5", id="V18"),
        pytest.param([((1.0, 1.0), (0.5, None))], {}, "95/5", id="V26"),
        pytest.param([GOOD], {"direction": None}, "95/5", id="V27"),
        pytest.param(
            [((), ())] * 12, {"pattern": "Canary", "direction": None, "limits": ()}, V1, id="V28"
        ),
        pytest.param([((1.0, 1.0), (0.3, 0.4))], {"direction": "Low"}, "95/5", id="V29"),
    ],
)  # fmt: skip
def test_two_versions_take_the_predecessor_s_trajectory(
    worlds: Sequence[Any], settings: dict[str, Any], expected: str
) -> None:
    assert path(worlds, **settings)[0] == expected


def chain(best: Sequence[int], old: Sequence[Fraction | int], times: int, **limits: int) -> str:
    limits = {"increment": 10, "cap": 100, **limits}
    values: Sequence[Fraction | int] = old
    for _ in range(times):
        values = target_weights(best, values, **limits)
    return shares([Fraction(v) for v in values])


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        pytest.param(chain([1], (100, 0, 0), 1), "86.67/10/3.33", id="V19-first"),
        pytest.param(chain([1], (100, 0, 0), 2), "76.67/20/3.33", id="V19-second"),
        pytest.param(chain([1], (100, 0, 0), 30), "3.33/93.33/3.33", id="V19-limit"),
        pytest.param(chain([1, 2], (100, 0, 0), 4), "20/40/40", id="V20-fourth"),
        pytest.param(chain([1, 2], (100, 0, 0), 6), "3.33/48.33/48.33", id="V20-limit"),
        pytest.param(chain([], (100, 0, 0), 1), "93.33/3.33/3.33", id="V21"),
        pytest.param(chain([2], (20, 40, 40), 1, cap=40), "56.67/3.33/40", id="V22"),
        pytest.param(chain([3], (70, 10, 10, 10), 1), "75/2.5/2.5/20", id="V23"),
    ],
)
def test_more_versions_have_the_predecessor_s_weights_before_rounding(
    actual: str, expected: str
) -> None:
    assert actual == expected


def test_rounding_gives_what_is_left_to_the_lowest_index_v24() -> None:
    assert whole_percent([Fraction(10, 3), Fraction(280, 3), Fraction(10, 3)]) == (4, 93, 3)


def test_rounding_gives_what_is_left_to_the_largest_remainder() -> None:
    assert whole_percent([Fraction(100, 3), Fraction(200, 3)]) == (33, 67)


def test_a_value_on_its_limit_is_met_v25() -> None:
    _, last = path([((100.0, 100.0), (0.7, 1.0))])

    assert {v.judgement for v in last.verdicts} == {Judgement.MET}


def test_limits_are_inclusive_on_both_sides() -> None:
    seen = Observation(1, 10, {"v1": 100}, {"m": {"v1": Reading(2.0)}})

    judged = [
        judge("v1", "m", seen, lower=lower, upper=upper).judgement
        for lower, upper in ((2.0, None), (2.1, None), (None, 2.0), (None, 1.9))
    ]

    assert judged == [Judgement.MET, Judgement.MISSED, Judgement.MET, Judgement.MISSED]


@pytest.mark.parametrize("deployment", ["FixedSplit", "BlueGreen"])
def test_patterns_that_do_not_move_traffic_keep_the_weights(deployment: str) -> None:
    assert path([GOOD] * 2, deployment=deployment, start=(70, 30))[0] == "70/30 70/30"


maybe = st.none() | st.floats(min_value=-1e6, max_value=1e6)


@given(data=st.data(), n=st.integers(1, 6), low=st.booleans())
def test_weights_are_legal_whatever_is_observed(data: st.DataObject, n: int, low: bool) -> None:
    inc, cap = data.draw(st.integers(0, 100)), data.draw(st.integers(0, 100))
    cuts = sorted(data.draw(st.lists(st.integers(0, 100), min_size=n - 1, max_size=n - 1)))
    old = [b - a for a, b in zip([0, *cuts], [*cuts, 100], strict=True)]
    spec = experiment(
        versions=n, pattern="A/B/N" if n > 1 else "Conformance",
        direction="Low" if low else "High", inc=inc, cap=cap,
    )  # fmt: skip
    seen = observation(
        old,
        objective=data.draw(st.lists(maybe, min_size=n, max_size=n)),
        reward=data.draw(st.lists(maybe, min_size=n, max_size=n)),
    )

    decision, _ = decide(spec, SETTINGS, seen, {})

    new = list(decision.weights.values())
    assert sum(new) == 100
    assert all(isinstance(weight, int) and weight >= 0 for weight in new)
    if n > 1:
        for weight, before in zip(new[1:], old[1:], strict=True):
            assert weight <= min(cap, before + inc)
    for verdict in decision.verdicts:
        assert (verdict.value is None) == (verdict.judgement is Judgement.UNKNOWN)


@pytest.mark.parametrize("n", [2, 3, 4, 5, 6])
@pytest.mark.parametrize("direction", list(Direction))
def test_the_best_arm_gets_the_most_in_both_directions(n: int, direction: Direction) -> None:
    rewards = [float(i) for i in range(1, n + 1)]
    best = best_versions(TestingPattern.ABN, [True] * n, rewards, direction)
    weights = target_weights(best, [100] + [0] * (n - 1), increment=100, cap=100)

    assert best == [n - 1 if direction is Direction.HIGH else 0]
    assert max(weights) == weights[best[0]]
