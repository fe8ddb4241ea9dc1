"""Policy ``evidence``, iteration by iteration, from what an observation counts."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from typing import Any

import pytest
from evidence_runs import GOOD, SHAPES, experiment, play, readings, steady

from crossfade import policies
from crossfade.evidence.limits import fitting
from crossfade.policies.evidence import Settings, decide
from crossfade.spec.experiment import Experiment
from crossfade.verdict import Counts, Decision, Judgement, Observation, Outcome, Reading, Shape


def test_a_better_version_is_promoted_after_the_bake() -> None:
    found = play(steady(GOOD, {**GOOD, "reward": 0.42}), experiment())

    assert found[-1].outcome is Outcome.PROMOTED
    assert found[-1].winner == "v2"
    weights = [decision.weights["v2"] for decision in found]
    assert weights[0] == 4, "about 20 requests, before anything is known"
    assert weights == sorted(weights)
    assert all(sum(decision.weights.values()) == 100 for decision in found)
    assert "v2 has won, 1 more interval under watch" in found[-2].reason


def test_a_winner_of_the_last_iteration_is_watched_as_long_as_any_other() -> None:
    world = steady(GOOD, {**GOOD, "reward": 0.42})
    won = next(d.iteration for d in play(world, experiment()) if d.winner)

    found = play(world, experiment(iterations=won))

    assert (found[-1].outcome, found[-1].iteration) == (Outcome.PROMOTED, won + 3)
    regressed = play(
        lambda k, v, n: readings(n, **({**GOOD, "errors": 0.2} if k > won else GOOD))
        if v == "v2" and k > won else world(k, v, n),
        experiment(iterations=won),
    )  # fmt: skip
    assert regressed[-1].outcome is Outcome.ROLLED_BACK


def test_a_state_that_was_stored_decides_as_one_that_was_not() -> None:
    world = steady(GOOD, {**GOOD, "reward": 0.33})

    assert play(world, experiment()) == play(world, experiment(), stored=False)


def test_lower_is_better_is_the_mirror() -> None:
    up = play(steady(GOOD, {**GOOD, "reward": 0.42}), experiment())
    down = play(
        steady({**GOOD, "reward": 0.7}, {**GOOD, "reward": 0.58}), experiment(direction="Low")
    )

    assert [d.weights for d in down] == [d.weights for d in up]
    assert down[-1].winner == "v2"


def test_the_same_version_twice_is_never_promoted() -> None:
    found = play(steady(GOOD, GOOD), experiment(iterations=40))

    assert found[-1].outcome is Outcome.INCONCLUSIVE
    assert "better reward" in found[-1].reason
    assert found[-1].weights == {"v1": 100, "v2": 0}


def test_broken_objectives_roll_back_at_once_and_say_by_how_much_evidence() -> None:
    found = play(steady(GOOD, {**GOOD, "errors": 0.2}), experiment())

    assert len(found) == 2, "the first interval has no candidate traffic"
    assert found[-1].outcome is Outcome.ROLLED_BACK
    assert "v2: errors <= 0.01 is broken (" in found[-1].reason
    missed = [v for v in found[-1].verdicts if v.judgement is Judgement.MISSED]
    assert [(v.version, v.metric) for v in missed] == [("v2", "ns/errors")]


def test_a_sentence_says_what_is_missing_and_how_long_that_takes() -> None:
    clean = {"errors": 0.0, "slow": 0.0, "reward": 1.0}
    found = play(steady({**clean, "reward": 0.7}, clean), experiment(), traffic=50)

    assert "errors <= 0.01" in found[4].reason
    assert "of about 374 clean requests, about" in found[4].reason


def test_a_bare_value_is_judged_several_times_in_a_row_and_said_to_be_a_point() -> None:
    criteria = {"requestCount": "count",
                "rewards": [{"metric": "reward", "preferredDirection": "High"}],
                "objectives": [{"metric": "gauge", "upperLimit": 1}]}  # fmt: skip
    spec = experiment(criteria=criteria)

    def world(k: int, version: str, n: float) -> dict[str, Reading]:
        return readings(n, **GOOD)

    rules, state = Settings(), {}
    seen = [
        Observation(k, 10 * k, {"v1": 96, "v2": 4},
                    {"ns/gauge": {"v1": Reading(0.5), "v2": Reading(2.0)},
                     **{key: {v: world(k, v, n)[key] for v, n in (("v1", 480.0), ("v2", 20.0))}
                        for key in SHAPES}}, SHAPES, float(k))
        for k in (1, 2, 3)
    ]  # fmt: skip
    outcomes = []
    for observation in seen:
        decision, state = decide(spec, rules, observation, state)
        outcomes.append(decision.outcome)

    assert outcomes == [None, None, Outcome.ROLLED_BACK]
    assert "not statistical" in decision.verdicts[0].sentence


def test_probes_of_a_candidate_without_traffic_are_no_wrong_split() -> None:
    def world(k: int, version: str, n: float) -> dict[str, Reading]:
        return readings(4.0 if k == 1 and version == "v2" else n, **GOOD)

    found = play(world, experiment(iterations=3))

    assert found[0].outcome is None
    assert found[-1].outcome is Outcome.INCONCLUSIVE


def test_a_wrong_split_ends_the_run() -> None:
    def world(k: int, version: str, n: float) -> dict[str, Reading]:
        return readings(n * (0.5 if version == "v2" else 1), **GOOD)

    found = play(world, experiment(), traffic=5000)

    assert found[-1].outcome is Outcome.INVALID
    told = "as the weights say (v2 answered 1250 of 3750, its weight is 50)"
    assert told in found[-1].reason


def fixed_split() -> Experiment:
    return experiment(strategy={"testingPattern": "A/B", "deploymentPattern": "FixedSplit"})


def test_fixed_split_moves_nothing_before_the_end() -> None:
    found = play(steady(GOOD, {**GOOD, "reward": 0.42}), fixed_split(), bake=0)

    assert {tuple(d.weights.values()) for d in found[:-1]} == {(100, 0)}


def test_the_policy_is_known_by_its_name_and_reads_counts() -> None:
    assert policies.counts("evidence")
    assert not policies.counts("iter8")


def test_a_bare_counter_of_rewards_is_compared_as_counts() -> None:
    def world(k: int, version: str, n: float) -> dict[str, Reading]:
        own = readings(n, **GOOD)
        gain = n * (2.0 if version == "v1" else 3.0)  # several a request
        return {**own, "ns/reward": Reading(gain, counts=Counts(gain))}

    found = play(world, experiment(), shapes={**SHAPES, "ns/reward": Shape("total")})

    assert found[-1].outcome is Outcome.PROMOTED


def test_a_sticky_route_makes_requests_belong_together_unless_the_rollout_says_how_much() -> None:
    seen = Observation(1, 10, {}, shapes=SHAPES, sticky=True)

    assert fitting(Settings(), experiment(), seen).dispersion == "auto"
    assert fitting(Settings(dispersion=2.0), experiment(), seen).dispersion == 2.0
    assert fitting(Settings(), experiment(), replace(seen, sticky=False)).dispersion == 1.0


def test_rewards_of_every_request_are_better_however_the_weights_move() -> None:
    """They scatter not at all; that a share of them moves with the weights is no scatter."""
    guessed = {**SHAPES, "ns/reward": Shape("fraction", guessed=True)}
    found = play(steady({**GOOD, "reward": 0.4}, {**GOOD, "reward": 1.0}), experiment(),
                 shapes=guessed)  # fmt: skip

    assert found[-1].outcome is Outcome.PROMOTED
    assert len(found) <= 9


@pytest.mark.parametrize("split", [None, "end"])
def test_users_who_stay_lag_behind_the_weights_and_end_no_run(split: str | None) -> None:
    settings = Settings() if split is None else Settings(split=split)
    weights, state, found = {"v1": 50, "v2": 50}, dict[str, Any](), list[Decision]()
    for k in range(1, 13):
        by_version = {"v1": readings(7500, **GOOD), "v2": readings(2500, **GOOD)}
        read = {key: {v: own[key] for v, own in by_version.items()} for key in SHAPES}
        seen = Observation(k, 10 * k, weights, read, SHAPES, float(k), sticky=True)
        decision, after = decide(fixed_split(), settings, seen, state)
        state = dict(after)
        found.append(decision)

    told = "requests are not shared as the weights say (v2 answered 2500 of 1e+04"
    assert any(told in decision.reason for decision in found)
    ended = [d.outcome for d in found if d.outcome is not None]
    assert (Outcome.INVALID in ended) is (split == "end")


def test_the_experiment_s_own_limits_of_weights_hold_to_the_end() -> None:
    limits = {"maxCandidateWeight": 20, "maxCandidateWeightIncrement": 3}
    spec = experiment(strategy={"testingPattern": "A/B", "weights": limits})

    found = play(steady(GOOD, {**GOOD, "reward": 0.6}), spec)

    weights = [0, *(decision.weights["v2"] for decision in found)]
    assert found[-1].outcome is Outcome.PROMOTED
    assert max(weights) == 20
    assert max(b - a for a, b in itertools.pairwise(weights)) == 3


@pytest.mark.parametrize(
    ("also", "outcome"), [((), Outcome.INVALID), (({"v1": 100, "v2": 0},), None)]
)
def test_weights_that_were_written_late_are_no_wrong_split(
    also: tuple[dict[str, int], ...], outcome: Outcome | None
) -> None:
    """A pod was lost between a decision and its write: most of the window had the old weights."""
    rules, state = Settings(), {}
    for k, v2 in ((1, 500.0), (2, 500.0), (3, 20.0)):
        own = {"v1": readings(1000 - v2, **GOOD), "v2": readings(v2, **GOOD)}
        seen = Observation(
            k, 10 * k, {"v1": 50, "v2": 50},
            {key: {v: own[v][key] for v in own} for key in SHAPES}, SHAPES, float(k),
            also=also if k == 3 else (),
        )  # fmt: skip
        decision, after = decide(experiment(), rules, seen, state)
        state = json.loads(json.dumps(after))

    assert decision.outcome is outcome
