"""An experiment played many times in a world of one's own choosing, by any policy.

Requests are shared by the weights' coin; errors, slow answers and rewards fall at random.  What the
policy sees has the shape of what a metric store would say (values and counts of each interval).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from crossfade import policies
from crossfade.evidence.planning import equal_shares
from crossfade.spec.experiment import DeploymentPattern, Experiment, Objective, qualified
from crossfade.spec.rollout import Policy
from crossfade.verdict import Counts, Decision, Observation, Outcome, Reading, Shape

SECONDS = 10


@dataclass(frozen=True, slots=True)
class Version:
    """What one version is like: its mean reward, and how often a value breaks its limit.

    ``bad`` has a fraction by metric (``namespace/name``), ``default_bad`` for the others; ``ends``
    are those of a mean reward's values.
    """

    reward: float
    bad: Mapping[str, float] = field(default_factory=dict)
    default_bad: float = 0.002
    ends: tuple[float, float] = (0.0, 1.0)


@dataclass(frozen=True, slots=True)
class World:
    """What the policy does not know: ``traffic`` requests an interval, and the versions.

    ``start`` are the weights (percent) before the first iteration, all on the baseline if none;
    ``sticky`` is whether the route pins users, which changes how a policy counts: all requests are
    drawn as of different ones.
    """

    traffic: float
    versions: tuple[Version, ...]
    start: tuple[int, ...] = ()
    sticky: bool = False


@dataclass(frozen=True, slots=True)
class Played:
    """One run: how it ended, after how many iterations, at what cost.

    ``exposed`` is requests that a candidate answered, ``bad`` those of them that broke a limit.
    """

    outcome: Outcome
    winner: int
    iterations: int
    exposed: float
    bad: float
    weights: tuple[tuple[int, ...], ...]


def play(
    experiment: Experiment, policy: Policy, shapes: Mapping[str, Shape], world: World,
    rng: np.random.Generator,
) -> Played:  # fmt: skip
    """Return one run, drawn at random."""
    rule, settings = policies.load(policy.name), policies.settings(policy)
    ends = getattr(settings, "reward_range", None) or (0.0, 1.0)
    world = replace(world, versions=tuple(replace(v, ends=ends) for v in world.versions))
    names = [version.name for version in experiment.versions]
    weights = dict(zip(names, world.start or _start(experiment), strict=True))
    state: Mapping[str, Any] = {}
    path: list[tuple[int, ...]] = []
    exposed = bad = 0.0
    for k in itertools.count(1):  # a winner of the last iteration is watched past it
        drawn = _drawn(experiment, shapes, world, weights, rng)
        seen = Observation(k, SECONDS * k, dict(weights), drawn.readings, shapes, float(k),
                           sticky=world.sticky)  # fmt: skip
        decision, state = rule.decide(experiment, settings, seen, state)
        exposed, bad = exposed + drawn.exposed, bad + drawn.bad
        weights = dict(decision.weights)
        path.append(tuple(weights.values()))
        if decision.outcome is not None:
            winner = _winner(decision, names)
            return Played(decision.outcome, winner, k, exposed, bad, tuple(path))
    raise AssertionError("a policy ends")


def _start(experiment: Experiment) -> tuple[int, ...]:
    """Return the first weights: where they never move somebody has shared the requests before."""
    count = len(experiment.versions)
    moves = experiment.spec.strategy.deployment_pattern is DeploymentPattern.PROGRESSIVE
    return (100, *[0] * (count - 1)) if moves else equal_shares(count)


def _winner(decision: Decision, names: list[str]) -> int:
    promoted = decision.outcome is Outcome.PROMOTED and decision.winner is not None
    return names.index(str(decision.winner)) if promoted else 0


@dataclass(frozen=True, slots=True)
class _Drawn:
    readings: Mapping[str, Mapping[str, Reading]]
    exposed: float
    bad: float


def _drawn(
    experiment: Experiment, shapes: Mapping[str, Shape], world: World,
    weights: Mapping[str, int], rng: np.random.Generator,
) -> _Drawn:  # fmt: skip
    """Return what one interval brings, as a metric store would tell it."""
    shares = np.asarray(list(weights.values()), float) / 100
    requests = rng.multinomial(round(world.traffic), shares)
    readings: dict[str, dict[str, Reading]] = {}
    worst = np.zeros(len(shares))
    for i, (name, version) in enumerate(zip(weights, world.versions, strict=True)):
        n = int(requests[i])
        for key, reading, broken in _told(experiment, shapes, version, n, rng):
            readings.setdefault(key, {})[name] = reading
            worst[i] = max(worst[i], broken)
    return _Drawn(readings, float(requests[1:].sum()), float(worst[1:].sum()))


def _told(
    experiment: Experiment, shapes: Mapping[str, Shape], version: Version, n: int,
    rng: np.random.Generator,
) -> Iterator[tuple[str, Reading, float]]:  # fmt: skip
    criteria, place = experiment.spec.criteria, experiment.namespace
    if criteria.request_count:
        yield qualified(criteria.request_count, place), Reading(float(n), counts=Counts(n)), 0.0
    for reward in criteria.rewards:
        gain, key = float(rng.binomial(n, version.reward)), qualified(reward.metric, place)
        shape = shapes.get(key)
        if shape is not None and shape.kind == "mean":
            least, most = version.ends
            gain = (least * n + gain * (most - least)) / shape.scale
        yield key, _ratio(gain, n, 1.0 if shape is None else shape.scale), 0.0
    for objective in criteria.objectives:
        key = qualified(objective.metric, place)
        broken = float(rng.binomial(n, version.bad.get(key, version.default_bad)))
        yield key, _objective(shapes.get(key), objective, broken, n), broken


def _ratio(total: float, n: int, scale: float = 1.0) -> Reading:
    counts = Counts(total, float(n))
    return (
        Reading(scale * total / n, counts=counts) if n else Reading(None, "no data", counts=counts)
    )


def _objective(shape: Shape | None, objective: Objective, broken: float, n: int) -> Reading:
    """Return a reading in which ``broken`` of n values are on the wrong side of the limit.

    A mean's values are half its limit, broken ones five times it; the other way round for a limit
    from below.
    """
    above = objective.upper_limit is not None
    limit = (objective.upper_limit if above else objective.lower_limit) or 0.0
    scale = 1.0 if shape is None else shape.scale
    if shape is None or shape.kind == "fraction":
        return _ratio(broken if above else n - broken, n, scale)
    if shape.kind == "mean":
        good, bad = (0.5, 5.0) if above else (2.0, 0.2)
        return _ratio(limit * (good * (n - broken) + bad * broken) / scale, n, scale)
    if not above:
        wrong = broken > (shape.quantile or 0) * n
        return Reading(limit * (0.5 if wrong else 2)) if n else Reading(None, "no data")
    counts = Counts(float(n), None, (limit / scale,), (n - broken, float(n)))
    value = limit * (2 if broken > (1 - (shape.quantile or 0)) * n else 0.5)
    return Reading(value, counts=counts) if n else Reading(None, "no data", counts=counts)


def summary(played: list[Played]) -> dict[str, Any]:
    """Return shares of outcomes, the median time to a decision, and the mean cost."""
    count = len(played)
    by_outcome = {o.value: sum(p.outcome is o for p in played) / count for o in Outcome}
    decided = [p.iterations for p in played if p.outcome is not Outcome.INCONCLUSIVE]
    return {
        "runs": count,
        "outcomes": {word: share for word, share in by_outcome.items() if share},
        "iterations": float(np.median(decided)) if decided else None,
        "exposed": float(np.mean([p.exposed for p in played])),
        "bad": float(np.mean([p.bad for p in played])),
    }
