"""Runs drawn at random, by a fixed seed: what each policy makes of the same worlds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from crossfade import Rollout
from crossfade.cli.plan import shapes
from crossfade.report.plot import plot, shares
from crossfade.simulation import Played, Version, World, play, summary
from crossfade.spec.experiment import DeploymentPattern
from crossfade.spec.rollout import Bundle, Policy
from crossfade.verdict import Outcome

EXAMPLE = Path(__file__).resolve().parents[2] / "workflows" / "examples" / "iris"


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return Rollout.load(EXAMPLE).bundle


def outcomes(bundle: Bundle, policy: str, candidate: Version, runs: int = 40) -> dict[str, float]:
    world = World(500.0, (Version(0.3), candidate))
    rng = np.random.default_rng(7)
    played = [play(bundle.experiment, Policy(name=policy), shapes(bundle), world, rng)
              for _ in range(runs)]  # fmt: skip
    found: dict[str, float] = summary(played)["outcomes"]
    return found


def test_the_same_model_twice_is_promoted_by_chance_or_not_at_all(bundle: Bundle) -> None:
    same = Version(0.3)

    assert outcomes(bundle, "iter8", same).get("promoted", 0) > 0.2
    assert outcomes(bundle, "evidence", same, runs=100).get("promoted", 0) <= 0.05


def test_a_candidate_that_errs_is_rolled_back_by_evidence_only(bundle: Bundle) -> None:
    errs = Version(0.6, default_bad=0.1)

    assert outcomes(bundle, "evidence", errs) == {"rolled-back": 1.0}


def test_a_much_better_model_is_promoted(bundle: Bundle) -> None:
    assert outcomes(bundle, "evidence", Version(0.6))["promoted"] > 0.9


def test_weights_that_never_move_begin_at_equal_shares(bundle: Bundle) -> None:
    strategy = bundle.experiment.spec.strategy
    fixed = strategy.model_copy(update={"deployment_pattern": DeploymentPattern.FIXED_SPLIT})
    spec = bundle.experiment.spec.model_copy(update={"strategy": fixed})
    still = bundle.experiment.model_copy(update={"spec": spec})

    world, rng = World(500.0, (Version(0.3), Version(0.6))), np.random.default_rng(3)
    run = play(still, Policy(name="evidence"), shapes(bundle), world, rng)

    assert run.outcome is Outcome.PROMOTED
    assert run.weights[0] == (50, 50)


def test_a_seed_gives_the_same_runs(bundle: Bundle) -> None:
    world = World(500.0, (Version(0.3), Version(0.4)))
    twice = [
        play(bundle.experiment, Policy(name="evidence"), shapes(bundle), world,
             np.random.default_rng(3))
        for _ in range(2)
    ]  # fmt: skip

    assert twice[0] == twice[1]
    assert twice[0].outcome in Outcome
    assert all(sum(weights) == 100 for weights in twice[0].weights)


def test_the_plot_shows_every_run_to_the_end_and_escapes_its_words() -> None:
    ended = [Played(Outcome.PROMOTED, 1, 2, 90.0, 0.0, ((80, 20), (50, 50))),
             Played(Outcome.ROLLED_BACK, 0, 1, 10.0, 3.0, ((100, 0),))]  # fmt: skip

    assert shares(ended[0], 4) == [0, 20, 100, 100, 100]
    assert shares(ended[1], 4) == [0, 0, 0, 0, 0]
    told = {"policy": "evidence", **summary(ended)}
    text = plot("<b>", told, [("lift", "+10 %")], ended, 4)
    assert "&lt;b&gt;: 2 simulated runs" in text
    assert "<b>" not in text
    assert text.count('class="one"') == 2
    assert "50.0 %" in text
