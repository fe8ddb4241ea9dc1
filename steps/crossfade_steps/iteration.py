"""One iteration: read, decide, record, write, read back, record that it is applied."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from crossfade import policies, record
from crossfade.errors import BackendError
from crossfade.verdict import Decision, Observation, Outcome, as_ordered
from crossfade_steps.ports import RouteState
from crossfade_steps.reading import observe
from crossfade_steps.run import Run, Stopped
from crossfade_steps.versions import not_ready
from crossfade_steps.watching import Alarmed, Watch, scrape_seconds

LATE_SECONDS = 5.0
MOST_DRIFTS = 3
"""How often weights that somebody else changed are put back before the run is contested."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: iterations decided, weights expected, the policy's state, and more.

    ``held_seconds`` is how long pauses and absences have held the schedule back.
    """

    iterations: int
    weights: dict[str, int]
    state: Mapping[str, Any]
    decision: Decision | None
    drifts: int = 0
    held_seconds: float = 0.0


def iterate(run: Run, start: float) -> Decision:
    """Run iterations until a decision ends the run, and return that decision.

    Iteration k is due at ``start + k * interval`` (seconds since the epoch), whatever the ones
    before it cost.  Raises ``Stopped`` on an alarm or when a foreign writer does not give up.
    """
    progress = resume(run)
    while progress.decision is None or progress.decision.outcome is None:
        progress = evaluate(run, progress, progress.iterations + 1, start)
        assert progress.decision is not None, "an iteration decides"
        progress = replace(progress, weights=apply(run, progress.decision))
    return progress.decision


def resume(run: Run) -> Progress:
    """Return where the record ends; a decision in it is applied if need be, never made again.

    Raises ``Stopped`` when a decision was not applied yet and the weights are neither those before
    it nor those after it: then somebody else writes them.
    """
    progress, applied = recorded(run)
    if progress.decision is not None and not applied:
        progress = replace(progress, weights=_apply_late(run, progress.decision))
    return progress


def recorded(run: Run) -> tuple[Progress, bool]:
    """Return where the record ends, and whether its last decision is known to be applied."""
    entries = run.record.entries()
    drifts = len(record.of_type(entries, "put-back"))
    moved = [*record.of_type(entries, "paused"), *record.of_type(entries, "late")]
    held = sum(float(entry["seconds"]) for entry in moved)
    last = record.last(entries, "decision")
    if last is None:
        return Progress(0, dict(run.router.read().weights), {}, None, drifts, held), True
    _, decision, state = record.read_decision(last)
    weights = _applied(entries, decision)
    applied = weights is not None
    return Progress(decision.iteration, weights or {}, state, decision, drifts, held), applied


def _applied(entries: Sequence[record.Entry], decision: Decision) -> dict[str, int] | None:
    """Return the weights that are in force since the decision, None when it is not known."""
    for entry in reversed(entries):
        if entry["type"] == "decision":
            return None
        if entry["type"] == "applied" and entry["iteration"] == decision.iteration:
            return {name: int(weight) for name, weight in entry["weights"].items()}
        if entry["type"] == "not-applied" and entry["iteration"] == decision.iteration:
            return dict(decision.old)
    return None


def _apply_late(run: Run, decision: Decision) -> dict[str, int]:
    weights = dict(run.router.read().weights)
    if weights not in (dict(decision.old), dict(decision.weights)):
        raise Stopped(
            Outcome.CONTESTED,
            f"weights are {weights}, neither {dict(decision.old)} nor {dict(decision.weights)} "
            f"as before and after iteration {decision.iteration}",
        )
    return apply(run, decision)


@dataclass(frozen=True, slots=True)
class Turn:
    """Iteration ``k`` of a run that is counted from ``start`` (seconds since the epoch).

    ``state`` is what the policy kept of the iteration before, ``weights`` what is in force.
    """

    k: int
    start: float
    state: Mapping[str, Any]
    weights: Mapping[str, int]


def evaluate(run: Run, progress: Progress, k: int, start: float) -> Progress:
    """Wait until iteration k is due, and decide it; the weights are not written yet.

    A limit that is proven to be broken before then is decided at once, as iteration k.
    """
    interval = run.bundle.experiment.spec.duration.interval_seconds
    due = start + progress.held_seconds + k * interval
    turn, seen = Turn(k, start, progress.state, progress.weights), list[Observation]()
    try:
        held = run.wait_until(due, _watch(run, turn, due, seen))
    except Alarmed:
        last = replace(seen[-1], sticky=run.router.read().sticky)
        decision, state = _decided(run, last, progress.state)
        return replace(progress, iterations=k, state=state, decision=decision)
    if held:
        run.record.append(record.paused(held))
    late = _late(run, due + held, interval)
    if late:
        run.record.append(record.late(late))
    route, disturbed = _put_back(run, progress.weights, progress.drifts)
    drifts = progress.drifts + (disturbed > 0)
    observation = _observed(run, replace(turn, weights=route.weights), _budget(interval))
    observation = replace(observation, disturbed=round(disturbed, 3), sticky=route.sticky,
                          order=run.order())  # fmt: skip
    decision, state = _decided(run, observation, progress.state)
    return Progress(
        k, progress.weights, state, decision, drifts, progress.held_seconds + held + late
    )


def _late(run: Run, due: float, interval: float) -> float:
    """Return by how many seconds an iteration is so late that the schedule moves with it.

    Nobody was there (an evicted pod, a machine asleep): iterations that were due meanwhile would
    follow each other at once, each with a window of nothing.
    """
    late = run.clock.now() - due
    return late if late > interval + LATE_SECONDS else 0.0


def _watch(run: Run, turn: Turn, due: float, seen: list[Observation]) -> Callable[[], None]:
    """Return what looks for broken limits while an iteration is waited for."""
    if not _watched(run, turn):
        return lambda: None

    def look(budget: float) -> bool:
        seen[:] = [_observed(run, turn, budget)]
        return policies.alarmed(run.bundle.policy, run.bundle.experiment, seen[0], turn.state)

    return Watch(run, due, look)


def _watched(run: Run, turn: Turn) -> bool:
    served = [name for name, weight in turn.weights.items() if weight]
    return policies.counts(run.bundle.policy.name) and served != [run.baseline]


def look(run: Run, turn: Turn, budget_seconds: float) -> Observation | None:
    """Return what is seen now if a limit is proven to be broken by it, else None."""
    if not _watched(run, turn):
        return None
    seen = _observed(run, turn, budget_seconds)
    if not policies.alarmed(run.bundle.policy, run.bundle.experiment, seen, turn.state):
        return None
    return replace(seen, sticky=run.router.read().sticky)


def decide_now(run: Run, seen: Observation, turn: Turn) -> Decision:
    """Return the decision of iteration k by what was seen before it is due, recorded."""
    return _decided(run, seen, turn.state)[0]


def _observed(run: Run, turn: Turn, budget_seconds: float) -> Observation:
    return observe(
        run.bundle.experiment,
        run.bundle.metrics,
        run.sources,
        iteration=turn.k,
        elapsed_seconds=max(1, math.floor(run.clock.now() - turn.start)),
        weights=turn.weights,
        budget_seconds=budget_seconds,
        window=window(run, turn.start, turn.state),
    )


def _decided(
    run: Run, observation: Observation, state: Mapping[str, Any]
) -> tuple[Decision, Mapping[str, Any]]:
    """Return the decision, recorded before anything is written."""
    policy, settings = policies.load(run.bundle.policy.name), policies.settings(run.bundle.policy)
    decision, new_state = policy.decide(run.bundle.experiment, settings, observation, state)
    decision = as_ordered(decision, observation)
    entry = record.decision(observation, decision, new_state)
    run.record.append(record.at(entry, run.clock.now()))
    return decision, new_state


def window(run: Run, start: float, state: Mapping[str, Any]) -> tuple[float, float] | None:
    """Return the window that a policy of counts reads now; None for any other policy.

    It begins where the last one that was read ended, and ends a scrape ago: the newest scrape of
    some series may still be missing.
    """
    if not policies.counts(run.bundle.policy.name):
        return None
    delay = scrape_seconds(run)
    since = float(state.get("until") or start - delay)
    return since, max(since, run.clock.now() - delay)


def apply(run: Run, decision: Decision) -> dict[str, int]:
    """Write the decision's weights, read them back, record and return what is in force.

    A write that fails leaves the old weights in force and is recorded as such: the next iteration
    starts from them.
    """
    try:
        state = run.router.read()
        if dict(state.weights) != dict(decision.weights):
            lacking = not_ready(run, state.weights, decision.weights)
            if lacking is not None:
                run.record.append(record.not_applied(decision.iteration, lacking))
                return dict(state.weights)
            state = run.router.write(state, decision.weights)
    except BackendError as error:
        run.record.append(record.not_applied(decision.iteration, str(error)))
        return dict(decision.old)
    entry = record.applied(decision.iteration, state.weights)
    run.record.append(record.at(entry, run.clock.now()))
    return dict(state.weights)


def _put_back(run: Run, expected: dict[str, int], drifts: int) -> tuple[RouteState, float]:
    """Put weights back that somebody else changed; return the route, and when it was so (or 0)."""
    state = run.router.read()
    if dict(state.weights) == expected:
        return state, 0.0
    if drifts >= MOST_DRIFTS:
        raise Stopped(
            Outcome.CONTESTED,
            f"somebody else set the weights to {dict(state.weights)} instead of {expected} "
            f"for the {drifts + 1}th time",
        )
    route = run.router.write(state, expected)
    run.record.append(record.put_back(state.weights, expected))
    return route, run.clock.now()


def _budget(interval_seconds: int) -> float:
    """Return how long an iteration may wait for its metrics: well inside the interval."""
    return max(0.8, min(15.0, 0.8 * interval_seconds))
