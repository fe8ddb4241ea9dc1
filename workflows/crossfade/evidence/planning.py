"""Before anything is deployed: when each claim would be proven, at the traffic that there is.

The policy itself is run on the counts that are expected, so ramp, minimums and confirmation are
all in the answer.  Requests are taken to be unrelated, as far as it is estimated how much they
belong together.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from crossfade.evidence import judging
from crossfade.evidence.clustering import as_alike
from crossfade.evidence.limits import Plan
from crossfade.evidence.rules import Design, Interval, Rules
from crossfade.evidence.thresholds import better_threshold, promotion_threshold
from crossfade.evidence.trial import Trial, begin
from crossfade.verdict import Outcome

HORIZON = 2000
"""Iterations looked ahead: what takes longer is said to take longer."""
TRIES = 6
"""How often iterations are named anew: the effects that are looked for depend on them."""
MOST_TIMES, PRECISE = 1e5, 1.1
"""How many times the traffic is looked at, and how far apart two answers may be."""


@dataclass(frozen=True, slots=True)
class World:
    """What is supposed: ``traffic`` requests an interval, mean rewards, and how bad values are.

    ``bad`` is each candidate's fraction of bad values as a part of the limit: 0 is none, 0.5 half
    of what is allowed.  ``start`` are the weights (percent) before the first iteration, where they
    are known: else all is on the baseline, or shared equally where weights never move.
    """

    traffic: float
    reward: float = 0.3
    lift: float = 0.1
    bad: float = 0.0
    start: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Forecast:
    """Iterations until each limit is proven, the candidate is proven better, wins, is promoted.

    It must win within the experiment's iterations; it is promoted after its watch.  None where it
    takes more than the horizon, or where it never can be.
    """

    limits: tuple[int | None, ...]
    better: int | None
    promoted: int | None
    requests: float
    won: int | None = None


def forecast(
    world: World, plan: Plan, design: Design, rules: Rules, *, horizon: int = HORIZON
) -> Forecast:
    """Return when the policy would know what, if one candidate is as supposed, others as now.

    ``horizon`` is iterations looked ahead.
    """
    open_ended = replace(design, iterations=HORIZON + 1, horizon=design.iterations)
    trial, proven = _begun(world, rules, open_ended), dict[int, int]()
    better: int | None = None
    won: int | None = None
    passing, needed = promotion_threshold(rules, design), better_threshold(rules, design)
    requests = 0.0
    for k in range(1, horizon + 1):
        seen = expected(world, trial.weights, plan, design)
        requests += float(seen.requests.sum())
        judged = judging.observe(trial, seen, rules, open_ended)
        trial = _scattering(judged.trial)
        for j in np.flatnonzero(trial.passes.evidence()[-1] >= passing):
            proven.setdefault(int(j), k)
        if better is None and float(trial.bettered.evidence()[-1, 0]) >= needed:
            better = k
        won = k if won is None and judged.winner else won
        if judged.outcome is not None:
            break
    limits = tuple(proven.get(j) for j in range(len(plan.limits)))
    done = k if judged.outcome is Outcome.PROMOTED else None
    return Forecast(limits, better, done, requests, done if design.versions == 1 else won)


def _begun(world: World, rules: Rules, design: Design) -> Trial:
    trial = begin(rules, design)
    start = world.start or (trial.weights if design.moves else equal_shares(design.versions))
    return replace(trial, weights=start, weights_before=start)


def _scattering(trial: Trial) -> Trial:
    """Return the trial with rewards that scattered as they do, though averages do not."""
    return replace(trial, scatter=as_alike(trial.scatter))


def equal_shares(versions: int) -> tuple[int, ...]:
    """Return whole percents, the baseline with what is left over."""
    share = 100 // versions
    return (100 - share * (versions - 1), *[share] * (versions - 1))


def iterations_enough(world: World, plan: Plan, design: Design, rules: Rules) -> int | None:
    """Return how many iterations would do at this traffic, None above the horizon."""
    count = design.iterations
    for _ in range(TRIES):
        told = forecast(world, plan, replace(design, iterations=count), rules)
        if told.won is None or told.won <= count:
            return None if told.won is None else count
        count = told.won
    return count


def traffic_enough(world: World, plan: Plan, design: Design, rules: Rules) -> float | None:
    """Return how many times the traffic would do in these iterations.

    None where none does: the minimums alone take longer.
    """

    def does(times: float) -> bool:
        more = replace(world, traffic=world.traffic * times)
        told = forecast(more, plan, design, rules, horizon=design.iterations)
        return told.won is not None

    low, high = 1.0, 2.0
    while not does(high):
        low, high = high, high * 2
        if high > MOST_TIMES:
            return None
    while high / low > PRECISE:
        middle = (low * high) ** 0.5
        low, high = (low, middle) if does(middle) else (middle, high)
    return high


def expected(world: World, weights: tuple[int, ...], plan: Plan, design: Design) -> Interval:
    """Return the counts that an interval brings on average."""
    requests = world.traffic * np.asarray(weights, float) / 100
    judged = np.repeat(requests[:, None], len(plan.limits), axis=1)
    bad = judged * np.asarray([limit.null for limit in plan.limits]) * world.bad
    means = np.full(len(weights), world.reward)
    if len(weights) > 1:  # of equals none is proven better than the others
        lift = -world.lift if design.lower_is_better else world.lift
        means[-1] = min(world.reward * (1 + lift), 1.0)
    return Interval(requests, judged, bad, bad, requests * means if design.rewarded else None)
