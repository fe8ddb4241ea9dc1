"""``crossfade plan``: what the experiment as written can decide, before it is started."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from crossfade.cli.loading import bundle_of, pins_users, read, weights_at_start
from crossfade.cli.output import err, out, show_findings
from crossfade.errors import SpecError
from crossfade.evidence.limits import Plan, compares, design, fitting, planned
from crossfade.evidence.planning import (
    HORIZON,
    Forecast,
    World,
    forecast,
    iterations_enough,
    traffic_enough,
)
from crossfade.evidence.rules import Design, Rules
from crossfade.lint.shapes import shapes
from crossfade.policies import settings as settings_of
from crossfade.spec.experiment import Experiment, qualified
from crossfade.spec.requests import request_rate
from crossfade.spec.rollout import Bundle
from crossfade.verdict import Observation, Shape

LIFTS = (0.02, 0.1, 0.4)
MEAN_REWARD = 0.3


@dataclass(frozen=True, slots=True)
class Sought:
    """What would have to be decided: the world supposed, and how."""

    world: World
    plan: Plan
    design: Design
    rules: Rules


def run(
    paths: Sequence[Path], settings: Sequence[str], policy: str | None, *, rps: float | None,
    reward: float, as_json: bool = False,
) -> int:  # fmt: skip
    """Print the plan; 0 when a clean candidate that is 40 % better is promoted in time, else 1."""
    loaded = read(paths, settings, policy or "evidence")
    bundle = bundle_of(loaded, despite=["E1"])
    show_findings(loaded.findings)
    rate = rps or request_rate(bundle)
    if rate is None:
        raise SpecError(
            "the requests a second are not known: the rollout sends no load of its own",
            hint="name them: crossfade plan --rps 50 ...",
        )
    rules = settings_of(bundle.policy)
    if not isinstance(rules, Rules):
        raise SpecError(f"policy {bundle.policy.name} proves nothing that could be planned",
                        hint="crossfade plan --policy evidence ...")  # fmt: skip
    looked = _look_ahead(bundle, rules, rate, reward)
    return _print_json(looked) if as_json else _show(out, looked)


def foretell(bundle: Bundle) -> None:
    """Print the plan to standard error where there is one: load of its own, a policy that proves.

    The baseline's mean reward is not known yet; 0.3 is supposed.
    """
    rules, rate = settings_of(bundle.policy), request_rate(bundle)
    if isinstance(rules, Rules) and rate is not None:
        _show(err, _look_ahead(bundle, rules, rate, MEAN_REWARD))


@dataclass(frozen=True, slots=True)
class Ahead:
    """A plan: at which rate of requests, what is supposed of candidates, and what comes of it.

    ``found`` is by the label of what is supposed; the last one, most likely, is ``sought``.
    """

    bundle: Bundle
    rate: float
    found: Mapping[str, Forecast]
    sought: Sought
    known: Mapping[str, Shape]

    @property
    def likely(self) -> Forecast:
        """Return what is foretold for the last of the worlds."""
        return list(self.found.values())[-1]

    @property
    def enough(self) -> bool:
        """Return whether such a candidate wins within the experiment's iterations."""
        return self.likely.won is not None and self.likely.won <= self.sought.design.iterations


def _look_ahead(bundle: Bundle, rules: Rules, rate: float, reward: float) -> Ahead:
    experiment = bundle.experiment
    known = shapes(bundle)
    seen = Observation(0, 0, {}, shapes=known, sticky=pins_users(bundle))
    plan, rules = planned(experiment, known), fitting(rules, experiment, seen)
    what = design(experiment, plan)
    traffic = rate * experiment.spec.duration.interval_seconds
    start = () if what.moves else weights_at_start(bundle)
    worlds = {label: replace(world, start=start) for label, world in
              _worlds(traffic, reward, what)}  # fmt: skip
    found = {label: forecast(world, plan, what, rules) for label, world in worlds.items()}
    return Ahead(bundle, rate, found, Sought(list(worlds.values())[-1], plan, what, rules), known)


def _show(screen: Console, ahead: Ahead) -> int:
    experiment, plan = ahead.bundle.experiment, ahead.sought.plan
    interval = experiment.spec.duration.interval_seconds
    total = ahead.rate * interval * experiment.iterations
    screen.print(f"plan: {experiment.iterations} iterations of {interval} s at {ahead.rate:g} "
                 f"requests a second: {total:g} requests in all", soft_wrap=True)  # fmt: skip
    screen.print(_grid(list(ahead.found), plan, list(ahead.found.values())))
    for i in plan.points:
        metric = experiment.spec.criteria.objectives[i].metric
        err.print(f"{metric} counts nothing that is known: it is judged as a bare value")
    if _guessed(experiment, ahead.known):
        metric = experiment.spec.criteria.rewards[0].metric
        err.print(f"{metric} is taken to be at most 1 a request, by its counters' names "
                  "(reward_range or reward: count if it is not)",
                  soft_wrap=True)  # fmt: skip
    return _advice(screen, ahead)


def _print_json(ahead: Ahead) -> int:
    """Print the plan for programs: iterations are null where it takes more than is looked ahead."""
    experiment, sought = ahead.bundle.experiment, ahead.sought
    interval = experiment.spec.duration.interval_seconds
    iterations, rate = (None, None) if ahead.enough else _needed(sought, ahead.rate)
    print(json.dumps({
        "policy": ahead.bundle.policy.name,
        "iterations": experiment.iterations,
        "interval_seconds": interval,
        "requests_per_second": ahead.rate,
        "requests": ahead.rate * interval * experiment.iterations,
        "candidates": [_foretold(label, sought.plan, f) for label, f in ahead.found.items()],
        "bare_values": [experiment.spec.criteria.objectives[i].metric for i in sought.plan.points],
        "reward_range_guessed": _guessed(experiment, ahead.known),
        "enough": ahead.enough,
        "enough_iterations": iterations,
        "enough_requests_per_second": rate,
    }, indent=1))  # fmt: skip
    return 0 if ahead.enough else 1


def _foretold(label: str, plan: Plan, told: Forecast) -> dict[str, Any]:
    limits = [{"metric": limit.metric, "limit": limit.limit, "lower": limit.lower, "proven_at": at}
              for limit, at in zip(plan.limits, told.limits, strict=True)]  # fmt: skip
    return {"supposed": label, "limits": limits, "better_at": told.better,
            "promoted_at": told.promoted,
            "requests": told.requests if told.promoted else None}  # fmt: skip


def _guessed(experiment: Experiment, known: Mapping[str, Shape]) -> bool:
    """Return whether only the names of its counters say that a compared reward is a fraction."""
    rewards = experiment.spec.criteria.rewards
    if not compares(experiment):
        return False
    shape = known.get(qualified(rewards[0].metric, experiment.namespace))
    return shape is not None and shape.guessed


def _worlds(traffic: float, reward: float, what: Design) -> Iterator[tuple[str, World]]:
    if what.rewarded:
        best = LIFTS[-1]
        for lift in LIFTS:
            yield f"{lift:.0%} better, no bad value", World(traffic, reward, lift)
        yield f"{best:.0%} better, half as bad as allowed", World(traffic, reward, best, 0.5)
        yield f"{best:.0%} better, a tenth as bad as allowed", World(traffic, reward, best, 0.1)
    else:
        yield "half as bad as allowed", World(traffic, reward, 0, 0.5)
        yield "without a bad value", World(traffic, reward, 0)


def _grid(labels: Sequence[str], plan: Plan, found: Sequence[Forecast]) -> Table:
    grid = Table("a candidate that is", "objectives hold at", "better at", "promoted at",
                 "requests")  # fmt: skip
    for label, told in zip(labels, found, strict=True):
        grid.add_row(label, _slowest(plan, told), _at(told.better), _at(told.promoted),
                     f"{told.requests:.0f}" if told.promoted else "")  # fmt: skip
    return grid


def _slowest(plan: Plan, told: Forecast) -> str:
    """Return when the last of all limits is proven, and which one that is."""
    if not plan.limits:
        return "none"
    times = [HORIZON + 1 if at is None else at for at in told.limits]
    j = max(range(len(times)), key=times.__getitem__)
    limit = plan.limits[j]
    name = f"{limit.metric.partition('/')[2]} {'>=' if limit.lower else '<='} {limit.limit:g}"
    return f"{_at(told.limits[j])} ({name})"


def _at(iteration: int | None) -> str:
    return "not reached" if iteration is None else str(iteration)


def _advice(screen: Console, ahead: Ahead) -> int:
    """Say whether the time is enough for the last, most likely of the worlds, and what would be."""
    likely = ahead.likely
    if ahead.enough and likely.won is not None:
        watched = (likely.promoted or likely.won) - likely.won
        then = f", after {watched} under watch" if watched else ""
        screen.print(
            f"long enough: such a candidate is promoted at iteration {likely.promoted}{then}"
        )
        return 0
    would = " or ".join(_enough(ahead.sought, ahead.rate)) or "nothing would do"
    screen.print(f"too short: {would}", soft_wrap=True)
    return 1


def _needed(sought: Sought, rate: float) -> tuple[int | None, float | None]:
    """Return the iterations at this load, and the requests a second in these, that would do."""
    world, plan, what, rules = sought.world, sought.plan, sought.design, sought.rules
    times = traffic_enough(world, plan, what, rules)
    return iterations_enough(world, plan, what, rules), None if times is None else rate * times


def _enough(sought: Sought, rate: float) -> Iterator[str]:
    """Yield what would do: more iterations at this load, more load in these iterations."""
    count, more = _needed(sought, rate)
    planned_for = sought.design.iterations
    if count is None:
        yield f"not decided within {HORIZON} iterations of this load"
    else:
        yield f"{planned_for} iterations, expected at least {count} at this load"
    if more is not None:
        yield f"at least {more:.3g} requests a second in {planned_for} iterations"
