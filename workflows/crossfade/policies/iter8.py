"""Policy ``iter8``: the predecessor's rule, exactly, with deterministic rounding.

It looks at point values only: it moves weights without data and can promote on one-sided data, as
the original did; ``unsafe`` says where.  The unit tests have its cases as vectors V1 to V29.
Differences, on purpose: rounding is by largest remainder instead of at random; an unknown value is
shown as unknown (it still makes a version infeasible); ``rollback_on_failure`` fires for values
that are known to violate, never for missing ones, and sends traffic back to the baseline.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Literal

from pydantic import BaseModel, ConfigDict

from crossfade.errors import Finding, Severity
from crossfade.policies import State
from crossfade.reasons import reason_for
from crossfade.spec.experiment import (
    DeploymentPattern,
    Direction,
    Experiment,
    Objective,
    TestingPattern,
    qualified,
)
from crossfade.verdict import Decision, Judgement, Observation, Outcome, Verdict, judge
from crossfade.weights import whole_percent

EXPLORATION = Fraction(1, 10)


class Settings(BaseModel):
    """The rule's numbers are the predecessor's and cannot be set.

    ``accept`` lists the unsafe behaviours (V9, V26, V28, D30) that the user has decided about.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    accept: tuple[Literal["V9", "V26", "V28", "D30"], ...] = ()


def decide(
    experiment: Experiment, settings: Settings, observation: Observation, state: State
) -> tuple[Decision, State]:
    """Return the decision of one iteration; the policy keeps no state."""
    names = [version.name for version in experiment.versions]
    verdicts = judge_all(experiment, observation)
    rewards = _rewards(experiment, observation)
    feasible = [_feasible(name, verdicts) for name in names]
    best = best_versions(
        experiment.spec.strategy.testing_pattern,
        feasible,
        [rewards.get(name) for name in names],
        _direction(experiment),
    )
    winner = best[0] if len(best) == 1 else None
    old = [observation.weights[name] for name in names]
    outcome = _outcome(experiment, observation.iteration, verdicts, winner)
    weights = _weights(experiment, best, old, outcome)
    decision = Decision(
        iteration=observation.iteration,
        old=dict(zip(names, old, strict=True)),
        weights=dict(zip(names, weights, strict=True)),
        verdicts=verdicts,
        best=tuple(names[i] for i in best),
        winner=names[winner] if winner is not None else None,
        reason="",
        outcome=outcome,
        rewards=rewards,
    )
    return reason_for(experiment, decision), {}


def alarmed(
    experiment: Experiment, settings: Settings, observation: Observation, state: State
) -> bool:
    """Return whether an objective that rolls back is missed now."""
    verdicts = judge_all(experiment, observation)
    return any(_rolls_back(experiment, o, verdicts) for o in experiment.spec.criteria.objectives)


def judge_all(experiment: Experiment, observation: Observation) -> tuple[Verdict, ...]:
    """Return every objective's verdict for every version, objectives in the order written."""
    count = experiment.spec.criteria.request_count
    return tuple(
        judge(
            version.name,
            qualified(objective.metric, experiment.namespace),
            observation,
            lower=objective.lower_limit,
            upper=objective.upper_limit,
            sample_size=observation.value(qualified(count, experiment.namespace), version.name)
            if count
            else None,
        )
        for objective in experiment.spec.criteria.objectives
        for version in experiment.versions
    )


def best_versions(
    pattern: TestingPattern,
    feasible: Sequence[bool],
    rewards: Sequence[float | None],
    direction: Direction | None,
) -> list[int]:
    """Return the indices of the best versions (baseline 0); one of them is the winner.

    ``direction`` is None where the criteria name no reward.
    """
    if pattern is TestingPattern.CONFORMANCE:
        return [0] if feasible[0] else []
    if pattern is TestingPattern.CANARY:
        return [1] if feasible[1] else [0] if feasible[0] else []
    if direction is None:
        return []
    known = {i: reward for i, reward in enumerate(rewards) if feasible[i] and reward is not None}
    if not known:
        return []
    top = (max if direction is Direction.HIGH else min)(known.values())
    return [i for i, reward in known.items() if reward == top]


def target_weights(
    best: Sequence[int], old: Sequence[Fraction | int], *, increment: int, cap: int
) -> list[Fraction]:
    """Return exact percentages before rounding: the best share 90, everybody shares 10.

    A candidate's raise is limited by ``increment`` and ``cap``; lowering is not limited; the
    baseline takes up what a limit left over.
    """
    n = len(old)
    weights = []
    for i in range(n):
        exploit = Fraction(i in best, len(best)) if best else Fraction(i == 0)
        weights.append(100 * (EXPLORATION / n + (1 - EXPLORATION) * exploit))
    for i in range(1, n):
        excess = max(Fraction(0), weights[i] - old[i] - increment, weights[i] - cap)
        weights[i] -= excess
        weights[0] += excess
    return weights


def unsafe(experiment: Experiment) -> tuple[Finding, ...]:
    """Return where the predecessor's exact behaviour would surprise a careful person."""
    spec, found = experiment.spec, []
    pattern = spec.strategy.testing_pattern
    if pattern is not TestingPattern.CONFORMANCE and _moves(experiment):
        found.append(_warning("V9", "weights move without data: a candidate is sent 5 % of the "
                              "traffic before anything is known of it"))  # fmt: skip
    if _moves(experiment) and spec.criteria.objectives and len(experiment.versions) > 1:
        found.append(
            _warning(
                "D30",
                "a candidate that misses its objectives keeps 5 % of the traffic until the end",
            )
        )
    if pattern in (TestingPattern.AB, TestingPattern.ABN):
        found.append(_warning("V26", "a version wins when only its own reward is known, whatever "
                              "the number of requests"))  # fmt: skip
    if pattern is TestingPattern.CANARY and not spec.criteria.objectives:
        found.append(_warning("V28", "without objectives the candidate wins at once, and without "
                              "any data"))  # fmt: skip
    return tuple(found)


def _warning(rule: str, message: str) -> Finding:
    return Finding(Severity.WARNING, rule, f"policy iter8: {message}")


def _moves(experiment: Experiment) -> bool:
    return experiment.spec.strategy.deployment_pattern is DeploymentPattern.PROGRESSIVE


def _direction(experiment: Experiment) -> Direction | None:
    rewards = experiment.spec.criteria.rewards
    return rewards[0].preferred_direction if rewards else None


def _rewards(experiment: Experiment, observation: Observation) -> Mapping[str, float | None]:
    rewards = experiment.spec.criteria.rewards
    if not rewards:
        return {}
    metric = qualified(rewards[0].metric, experiment.namespace)
    return {v.name: observation.value(metric, v.name) for v in experiment.versions}


def _feasible(version: str, verdicts: Sequence[Verdict]) -> bool:
    return all(v.judgement is Judgement.MET for v in verdicts if v.version == version)


def _weights(
    experiment: Experiment, best: Sequence[int], old: list[int], outcome: Outcome | None
) -> Sequence[int]:
    """Return the next weights; ``FixedSplit`` and ``BlueGreen`` move none before the end."""
    if outcome is Outcome.ROLLED_BACK:
        return [100 if i == 0 else 0 for i in range(len(old))]
    if len(old) == 1 or not _moves(experiment):
        return old
    limits = experiment.spec.strategy.weights
    return whole_percent(
        target_weights(
            best,
            old,
            increment=limits.max_candidate_weight_increment,
            cap=limits.max_candidate_weight,
        )
    )


def _outcome(
    experiment: Experiment, iteration: int, verdicts: Sequence[Verdict], winner: int | None
) -> Outcome | None:
    if any(_rolls_back(experiment, o, verdicts) for o in experiment.spec.criteria.objectives):
        return Outcome.ROLLED_BACK
    if iteration < experiment.iterations:
        return None
    if winner is None:
        return Outcome.INCONCLUSIVE
    return Outcome.PROMOTED if winner > 0 else Outcome.KEPT


def _rolls_back(experiment: Experiment, objective: Objective, verdicts: Sequence[Verdict]) -> bool:
    blue_green = experiment.spec.strategy.deployment_pattern is DeploymentPattern.BLUE_GREEN
    wanted = objective.rollback_on_failure
    if not (blue_green if wanted is None else wanted):
        return False
    metric = qualified(objective.metric, experiment.namespace)
    limits = objective.lower_limit, objective.upper_limit
    return any(v.judges(metric, *limits) and v.judgement is Judgement.MISSED for v in verdicts)
