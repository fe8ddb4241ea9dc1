"""How policy ``iter8`` ends a run, what it gives as reason, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from iter8_runs import BASELINE_BETTER, CANDIDATE_BAD, GOOD, NO_DATA, TIE, experiment, path

from crossfade import policies
from crossfade.errors import SpecError
from crossfade.policies.iter8 import unsafe
from crossfade.spec.rollout import Policy
from crossfade.verdict import Outcome


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
