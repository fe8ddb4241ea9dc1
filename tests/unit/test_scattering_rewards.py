"""Rewards that may come several a request: watched, unless the rollout says how they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from crossfade.evidence.judging import observe
from crossfade.evidence.limits import fitting
from crossfade.evidence.rules import Design, Interval, Rules
from crossfade.evidence.trial import begin
from crossfade.spec.experiment import Experiment
from crossfade.verdict import Observation, Outcome, Shape

RUNS, ITERATIONS, REQUESTS, SEED = 60, 30, 500, 11
NOTHING = np.zeros((2, 0))
EXPERIMENT = Experiment.model_validate({
    "apiVersion": "iter8.tools/v2alpha2", "kind": "Experiment",
    "metadata": {"name": "e", "namespace": "ns"},
    "spec": {
        "target": "t", "strategy": {"testingPattern": "A/B"},
        "criteria": {"rewards": [{"metric": "reward", "preferredDirection": "High"}]},
        "versionInfo": {"baseline": {"name": "v1"}, "candidates": [{"name": "v2"}]},
    },
})  # fmt: skip


def seen(shape: Shape, *, sticky: bool = False) -> Observation:
    return Observation(1, 10, {}, shapes={"ns/reward": shape}, sticky=sticky)


@pytest.mark.parametrize(
    ("shape", "said", "expected"),
    [
        (Shape("fraction"), {}, 1.0),
        (Shape("fraction", guessed=True), {}, "watch"),
        (Shape("fraction", guessed=True), {"dispersion": 1.0}, 1.0),
        (Shape("total"), {}, "watch"),
    ],
)
def test_what_only_a_name_says_is_watched(shape: Shape, said: Any, expected: Any) -> None:
    assert fitting(Rules(**said), EXPERIMENT, seen(shape)).dispersion == expected


def test_users_who_stay_are_estimated_whatever_the_reward_is() -> None:
    found = fitting(Rules(), EXPERIMENT, seen(Shape("total"), sticky=True))

    assert found.dispersion == "auto"
    assert found.reward == "count"


def promoted(each: int, share: tuple[float, float], rules: Rules) -> float:
    """Return the part of runs that promote; ``each`` rewards in a ``share`` of requests."""
    rng, design, count = np.random.default_rng(SEED), Design(2, (), True, ITERATIONS), 0
    for _ in range(RUNS):
        trial, outcome = begin(rules, design), None
        while outcome is None:
            n = rng.multinomial(REQUESTS, np.array(trial.weights) / 100)
            rewards = each * rng.binomial(n, share).astype(float)
            read = Interval(n.astype(float), NOTHING, NOTHING, NOTHING, rewards)
            judged = observe(trial, read, rules, design)
            trial, outcome = judged.trial, judged.outcome
        count += outcome is Outcome.PROMOTED
    return count / RUNS


def test_equals_with_several_rewards_a_request_are_seldom_promoted() -> None:
    watched, taken = (promoted(5, (1 / 17, 1 / 17), Rules(bake=0, dispersion=way))
                      for way in ("watch", 1.0))  # fmt: skip

    assert watched <= 0.17
    assert taken >= 0.3, "the fault that the watch is for"


def test_a_better_version_hardly_waits_for_being_watched() -> None:
    watched, taken = (promoted(1, (0.3, 0.33), Rules(bake=0, dispersion=way))
                      for way in ("watch", 1.0))  # fmt: skip

    assert watched >= taken - 0.06
