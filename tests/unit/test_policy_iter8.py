"""The predecessor's vectors V1-V29 (baseline/candidate after each iteration) and properties."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade import policies
from crossfade.errors import SpecError
from crossfade.policies.iter8 import best_versions, decide, target_weights, unsafe
from crossfade.spec.experiment import Direction, Experiment, TestingPattern
from crossfade.spec.rollout import Policy
from crossfade.verdict import Decision, Judgement, Observation, Outcome, Reading, judge
from crossfade.weights import whole_percent

SETTINGS = policies.load("iter8").Settings()
NAMES = ("v1", "v2", "v3", "v4", "v5", "v6")


def experiment(
    *,
    versions: int = 2,
    pattern: str = "A/B",
    deployment: str = "Progressive",
    direction: str | None = "High",
    limits: Sequence[Any] = (100,),
    iterations: int = 50,
    rollback: bool | None = None,
    **weights: int,
) -> Experiment:
    objectives = [{"metric": f"o{i}", "upperLimit": limit} for i, limit in enumerate(limits)]
    if rollback is not None:
        objectives = [{**o, "rollback_on_failure": rollback} for o in objectives]
    strategy: dict[str, Any] = {"testingPattern": pattern, "deploymentPattern": deployment}
    if weights:
        strategy["weights"] = {
            "maxCandidateWeight": weights.get("cap", 100),
            "maxCandidateWeightIncrement": weights.get("inc", 10),
        }
    rewards = [{"metric": "r", "preferredDirection": direction}] if direction else []
    document = {
        "apiVersion": "iter8.tools/v2alpha2",
        "kind": "Experiment",
        "metadata": {"name": "e"},
        "spec": {
            "target": "t",
            "strategy": strategy,
            "criteria": {"objectives": objectives, "rewards": rewards},
            "duration": {"iterationsPerLoop": iterations},
            "versionInfo": {
                "baseline": {"name": NAMES[0]},
                "candidates": [{"name": name} for name in NAMES[1:versions]],
            },
        },
    }
    return Experiment.model_validate(document)


def reading(value: float | None) -> Reading:
    return Reading(value, "" if value is not None else "no data")


def observation(
    weights: Sequence[int],
    *,
    iteration: int = 1,
    objective: Sequence[float | None] = (),
    reward: Sequence[float | None] = (),
) -> Observation:
    names = NAMES[: len(weights)]
    values = dict(zip(names, objective, strict=False))
    rewards = dict(zip(names, reward, strict=False))
    return Observation(
        iteration=iteration,
        elapsed_seconds=10 * iteration,
        weights=dict(zip(names, weights, strict=True)),
        readings={
            "default/o0": {name: reading(values.get(name)) for name in names},
            "default/r": {name: reading(rewards.get(name)) for name in names},
        },
    )


GOOD = ((1.0, 1.0), (0.7, 1.0))  # objective values, rewards: the candidate is best
NO_DATA = ((None, None), (None, None))
CANDIDATE_BAD = ((1.0, 101.0), (0.7, 1.0))
BASELINE_BETTER = ((1.0, 1.0), (1.0, 0.7))
TIE = ((1.0, 1.0), (0.5, 0.5))
NOBODY = ((101.0, 101.0), (0.7, 1.0))
BASELINE_BAD = ((101.0, 1.0), (1.0, 0.5))


def path(
    worlds: Sequence[Any], *, start: Sequence[int] = (100, 0), **settings: Any
) -> tuple[str, Decision]:
    """Return the trajectory as text, and the last decision."""
    spec, weights, texts, last = experiment(**settings), list(start), [], None
    for k, (objective, reward) in enumerate(worlds, start=1):
        seen = observation(weights, iteration=k, objective=objective, reward=reward)
        last, _ = decide(spec, SETTINGS, seen, {})
        weights = list(last.weights.values())
        texts.append("/".join(map(str, weights)))
    assert last is not None
    return " ".join(texts), last


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


def test_the_reason_says_whether_weights_move_or_stay() -> None:
    assert path([GOOD])[1].reason.endswith("weights 100/0 -> 90/10")
    assert path([NO_DATA] * 3)[1].reason.endswith("weights stay at 95/5")


def test_the_winner_of_the_last_iteration_is_to_be_promoted() -> None:
    _, last = path([GOOD] * 2, iterations=2)

    assert (last.outcome, last.winner) == (Outcome.PROMOTED, "v2")
    assert last.reason == (
        "v2 is best by r (High is better: v1 0.7, v2 1), 1 of 1 objectives met; promote v2"
    )


@pytest.mark.parametrize(
    ("world", "expected"),
    [
        pytest.param(BASELINE_BETTER, Outcome.KEPT, id="baseline-wins"),
        pytest.param(NO_DATA, Outcome.INCONCLUSIVE, id="nothing-known"),
        pytest.param(TIE, Outcome.INCONCLUSIVE, id="tie"),
    ],
)
def test_the_last_iteration_ends_the_run(world: Any, expected: Outcome) -> None:
    assert path([world], iterations=1)[1].outcome is expected


def test_a_known_violation_rolls_back_and_sends_all_traffic_to_the_baseline() -> None:
    text, last = path([GOOD, CANDIDATE_BAD], rollback=True)

    assert (text, last.outcome) == ("90/10 100/0", Outcome.ROLLED_BACK)
    assert "default/o0 of v2: 101 is above the limit 100" in last.reason


def test_a_missing_value_never_rolls_back() -> None:
    assert path([NO_DATA], rollback=True)[1].outcome is None


@pytest.mark.parametrize("deployment", ["FixedSplit", "BlueGreen"])
def test_patterns_that_do_not_move_traffic_keep_the_weights(deployment: str) -> None:
    assert path([GOOD] * 2, deployment=deployment, start=(70, 30))[0] == "70/30 70/30"


def test_conformance_keeps_its_only_version() -> None:
    text, last = path(
        [((1.0,), ())], start=(100,), versions=1, pattern="Conformance", direction=None,
        iterations=1,
    )  # fmt: skip

    assert (text, last.outcome, last.winner) == ("100", Outcome.KEPT, "v1")


def test_where_exact_compatibility_is_unsafe_is_said() -> None:
    canary = experiment(pattern="Canary", direction=None, limits=())

    assert [f.rule for f in unsafe(experiment())] == ["V9", "D30", "V26"]
    assert [f.rule for f in unsafe(canary)] == ["V9", "V28"]


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


@pytest.mark.parametrize(
    ("policy", "text"),
    [
        pytest.param({"name": "bandit"}, "policy 'bandit' is not known", id="unknown"),
        pytest.param({"name": "iter9"}, "expected one of", id="near-miss"),
        pytest.param({"name": "iter8", "alpha": 1}, "iter8: alpha", id="unknown-setting"),
        pytest.param({"name": "iter8", "accept": ["D1"]}, "iter8: accept.0", id="wrong-value"),
    ],
)
def test_a_policy_or_setting_that_is_not_known_is_refused(policy: Any, text: str) -> None:
    with pytest.raises(SpecError, match=text):
        policies.settings(Policy.model_validate(policy))
