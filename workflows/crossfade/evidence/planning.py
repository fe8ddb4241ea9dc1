"""Before anything is deployed: when each claim would be proven, at the traffic that there is.

The policy itself is run on the counts that are expected, so ramp, minimums and confirmation are
all in the answer (decision.md section 6).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from crossfade.evidence import judging
from crossfade.evidence.limits import Plan
from crossfade.evidence.rules import Design, Interval, Rules
from crossfade.evidence.thresholds import better_threshold, promotion_threshold
from crossfade.evidence.trial import begin
from crossfade.verdict import Outcome

HORIZON = 2000
"""Iterations looked ahead: what takes longer is said to take longer."""


@dataclass(frozen=True, slots=True)
class World:
    """What is supposed: ``traffic`` requests an interval, mean rewards, and how bad values are.

    ``bad`` is each candidate's fraction of bad values as a part of the limit: 0 is none, 0.5 half
    of what is allowed.
    """

    traffic: float
    reward: float = 0.3
    lift: float = 0.1
    bad: float = 0.0


@dataclass(frozen=True, slots=True)
class Forecast:
    """Iterations until each limit is proven, the candidate is proven better, and is promoted.

    None where it takes more than the horizon, or where it never can be.
    """

    limits: tuple[int | None, ...]
    better: int | None
    promoted: int | None
    requests: float


def forecast(world: World, plan: Plan, design: Design, rules: Rules) -> Forecast:
    """Return when the policy would know what, with one candidate that is as supposed."""
    open_ended = replace(design, iterations=HORIZON + 1, horizon=design.iterations)
    trial, proven = begin(rules, open_ended), dict[int, int]()
    better: int | None = None
    passing, needed = promotion_threshold(rules, design), better_threshold(rules, design)
    requests = 0.0
    for k in range(1, HORIZON + 1):
        seen = expected(world, trial.weights, plan, design)
        requests += float(seen.requests.sum())
        judged = judging.observe(trial, seen, rules, open_ended)
        trial = judged.trial
        for j in np.flatnonzero(trial.passes.evidence()[-1] >= passing):
            proven.setdefault(int(j), k)
        if better is None and float(trial.better.evidence()[-1, 0]) >= needed:
            better = k
        if judged.outcome is not None:
            done = k if judged.outcome is Outcome.PROMOTED else None
            return _told(plan, proven, better, done, requests)
    return _told(plan, proven, better, None, requests)


def _told(
    plan: Plan, proven: dict[int, int], better: int | None, done: int | None, requests: float
) -> Forecast:
    return Forecast(tuple(proven.get(j) for j in range(len(plan.limits))), better, done, requests)


def expected(world: World, weights: tuple[int, ...], plan: Plan, design: Design) -> Interval:
    """Return the counts that an interval brings on average."""
    requests = world.traffic * np.asarray(weights, float) / 100
    judged = np.repeat(requests[:, None], len(plan.limits), axis=1)
    bad = judged * np.asarray([limit.null for limit in plan.limits]) * world.bad
    means = np.full(len(weights), min(world.reward * (1 + world.lift), 1.0))
    means[0] = world.reward
    if design.lower_is_better:
        means[1:] = world.reward * (1 - world.lift)
    return Interval(requests, judged, bad, bad, requests * means if design.rewarded else None)
