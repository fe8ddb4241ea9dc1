"""An experiment's limits as proportions, and what an observation counts of them.

A fraction, a mean with a ceiling and a percentile become proportions of bad values (F1, F8, F9 of
docs/policies.md); what is only a value is judged by its limits, several intervals in a row.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from crossfade.evidence.increments import above
from crossfade.evidence.rules import Design, Rules
from crossfade.spec.experiment import (
    DeploymentPattern,
    Direction,
    Experiment,
    Objective,
    TestingPattern,
    qualified,
)
from crossfade.verdict import Counts, Observation, Shape

BLIND_SECONDS = 900
"""How long a metric store may be silent before a run gives up, unless the rollout says so."""
CEILING = 10.0
"""A mean's values are taken to be at most so many times its limit (F9)."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit of one objective as a proportion: ``null`` is the largest fraction of bad values.

    ``limit`` is in the metric's own unit; ``lower`` for a limit from below.
    """

    metric: str
    objective: int
    limit: float
    null: float
    lower: bool = False

    def tally(self, shape: Shape, counts: Counts) -> tuple[float, float, float]:
        """Return how many values there were, and how many were certainly and possibly bad."""
        if shape.kind == "quantile":
            if not counts.cumulative:
                return 0.0, 0.0, 0.0
            edges = (*counts.edges, np.inf)
            certain, possible = above(edges, counts.cumulative, self.limit / shape.scale)
            return counts.total, certain, possible
        count = counts.count or 0.0
        if shape.kind == "mean":
            bad = counts.total * shape.scale / (CEILING * self.limit)
        else:
            bad = count - counts.total if self.lower else counts.total
        bad = min(max(bad, 0.0), count)
        return count, bad, bad


@dataclass(frozen=True, slots=True)
class Plan:
    """An experiment's limits that are tested, and the objectives that stay points."""

    limits: tuple[Limit, ...]
    points: tuple[int, ...]


def planned(experiment: Experiment, shapes: Mapping[str, Shape]) -> Plan:
    """Sort the objectives by what their metrics count."""
    tests: list[Limit] = []
    points: list[int] = []
    for i, objective in enumerate(experiment.spec.criteria.objectives):
        key = qualified(objective.metric, experiment.namespace)
        own = _tests(i, key, objective, shapes.get(key))
        tests += own
        if not own:
            points.append(i)
    return Plan(tuple(tests), tuple(points))


def _tests(i: int, key: str, objective: Objective, shape: Shape | None) -> list[Limit]:
    """Return an objective's tests: none where a limit cannot be put as a proportion."""
    upper, lower, found = objective.upper_limit, objective.lower_limit, []
    if shape is None or shape.kind == "total":
        return []
    if upper is not None:
        null = {"fraction": upper / shape.scale, "mean": 1 / CEILING,
                "quantile": 1 - (shape.quantile or 0.0)}[shape.kind]  # fmt: skip
        if not 0 < null < 1 or upper <= 0:
            return []
        found.append(Limit(key, i, upper, null))
    if lower is not None:
        null = 1 - lower / shape.scale
        if shape.kind != "fraction" or not 0 < null < 1:
            return []
        found.append(Limit(key, i, lower, null, lower=True))
    return found


def design(experiment: Experiment, plan: Plan) -> Design:
    """Return what is compared, by whom, for how long."""
    rewards = experiment.spec.criteria.rewards
    pattern = experiment.spec.strategy.deployment_pattern
    return Design(
        versions=len(experiment.versions),
        limits=tuple(limit.null for limit in plan.limits),
        rewarded=compares(experiment),
        iterations=experiment.iterations,
        lower_is_better=bool(rewards) and rewards[0].preferred_direction is Direction.LOW,
        moves=pattern is DeploymentPattern.PROGRESSIVE,
        ceiling=experiment.spec.strategy.weights.max_candidate_weight,
    )


def compares(experiment: Experiment) -> bool:
    """Return whether a reward decides: Canary and Conformance look at objectives only."""
    pattern = experiment.spec.strategy.testing_pattern
    both = pattern in (TestingPattern.AB, TestingPattern.ABN)
    return both and bool(experiment.spec.criteria.rewards)


def fitting(rules: Rules, experiment: Experiment, seen: Observation) -> Rules:
    """Return the rules for the experiment, the reward and the route that there are.

    A silent metric store is waited for, whatever the interval.  A raise that the experiment itself
    limits is never larger.  A bare counter is compared as counts (F5).  A reward of which only the
    counters' names say that it is at most 1 a request is watched for scattering more, and so are
    counts.  Where users stay with a
    version, their requests belong together, and how much is estimated unless the rollout says it
    (F12); they also lag behind the weights, so a split that is not as the weights say is only told
    of.
    """
    found: dict[str, str | int] = _sticky(rules) if seen.sticky else {}
    if "max_blind" not in rules.model_fields_set:
        interval = experiment.spec.duration.interval_seconds
        found["max_blind"] = max(rules.max_blind + 1, math.ceil(BLIND_SECONDS / interval))
    limits = experiment.spec.strategy.weights
    if "max_candidate_weight_increment" in limits.model_fields_set:
        found.update(increment=limits.max_candidate_weight_increment, ramp="steps")
    shape = _rewarded(experiment, seen)
    if shape is not None and shape.kind == "total":
        found["reward"] = "count"
    if shape is not None and (shape.guessed or shape.kind == "total"):
        unsaid = "dispersion" not in rules.model_fields_set
        found |= {"dispersion": found.get("dispersion", "watch")} if unsaid else {}
    return rules.model_copy(update=found) if found else rules


def _rewarded(experiment: Experiment, seen: Observation) -> Shape | None:
    """Return the shape of the reward that versions are compared by, None without one."""
    if not compares(experiment):
        return None
    metric = experiment.spec.criteria.rewards[0].metric
    return seen.shapes.get(qualified(metric, experiment.namespace))


def _sticky(rules: Rules) -> dict[str, str | int]:
    """Return what a route that pins users changes, of what the rollout does not say itself."""
    own = {"dispersion": "auto", "split": "warn"}
    return {name: value for name, value in own.items() if name not in rules.model_fields_set}
