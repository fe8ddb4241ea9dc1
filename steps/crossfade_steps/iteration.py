"""One iteration: read, decide, record, write, read back, record that it is applied."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from crossfade import policies, record
from crossfade.reasons import as_held
from crossfade.verdict import Decision, Observation, as_ordered
from crossfade_steps.applying import (
    Progress,
    applied_to,
    apply,
    looked_after,
    patiently,
    put_back,
    resume,
)
from crossfade_steps.reading import observe
from crossfade_steps.run import Run
from crossfade_steps.watching import Alarmed, Watch, newest_seconds, scrape_seconds

LATE_SECONDS = 5.0


def iterate(run: Run, start: float) -> Decision:
    """Run iterations until a decision ends the run, and return that decision.

    Iteration k is due at ``start + k * interval`` (seconds since the epoch), whatever the ones
    before it cost.  Raises ``Stopped`` on an alarm or when a foreign writer does not give up.
    """
    progress = resume(run)
    while progress.decision is None or progress.decision.outcome is None:
        progress = evaluate(run, progress, progress.iterations + 1, start)
        assert progress.decision is not None, "an iteration decides"
        progress = applied_to(progress, apply(run, progress.decision))
    return progress.decision


@dataclass(frozen=True, slots=True)
class Turn:
    """Iteration ``k`` of a run that is counted from ``start`` (seconds since the epoch).

    ``progress`` is what was so far: what the policy kept, and what is in force.  ``sticky`` says
    that the route pins users to the version they met first.
    """

    k: int
    start: float
    progress: Progress
    sticky: bool = False

    @property
    def state(self) -> Mapping[str, Any]:
        """Return what the policy kept of the iteration before."""
        return self.progress.state

    @property
    def weights(self) -> Mapping[str, int]:
        """Return what is in force, as far as is known."""
        return self.progress.weights


def evaluate(run: Run, progress: Progress, k: int, start: float) -> Progress:
    """Wait until iteration k is due, and decide it; the weights are not written yet.

    A limit that is proven to be broken before then is decided at once, as iteration k.
    """
    interval = run.bundle.experiment.spec.duration.interval_seconds
    due = start + progress.held_seconds + k * interval
    progress = _looked_after(run, progress)
    turn, seen = Turn(k, start, progress), list[Observation]()
    try:
        held = run.wait_until(due, _watch(run, turn, due, seen))
    except Alarmed:
        decision, state = _decided(run, seen[-1], progress.state)
        return replace(progress, iterations=k, state=state, decision=decision)
    if held:
        run.record.append(record.paused(held))
    late = _late(run, due + held, interval)
    if late:
        run.record.append(record.late(late))
    route, disturbed = put_back(run, progress)
    now = replace(progress, weights=dict(route.weights),
                  disturbed=max(disturbed, progress.disturbed))  # fmt: skip
    observation = observed(run, Turn(k, start, now, route.sticky), _budget(interval))
    observation = replace(observation, order=run.order())
    decision, state = _decided(run, observation, progress.state)
    return replace(
        progress, iterations=k, weights=dict(route.weights), tried=None, state=state,
        decision=decision, drifts=progress.drifts + (disturbed > 0),
        held_seconds=progress.held_seconds + held + late, disturbed=0.0,
    )  # fmt: skip


def _looked_after(run: Run, progress: Progress) -> Progress:
    """Return the progress with what became of a write that nobody saw the end of, recorded."""
    found = looked_after(run, progress)
    if found.weights != progress.weights:
        entry = record.applied(progress.iterations, found.weights)
        run.record.append(record.at(entry, run.clock.now()))
    return found


def _also(run: Run, turn: Turn) -> tuple[Mapping[str, int], ...]:
    """Return which weights were in force in the window, too, or may have been."""
    seen, tried = window(run, turn.start, turn.state), turn.progress.tried
    found = () if seen is None else turn.progress.within(seen[0])
    return found if tried is None else (*found, tried)


def _late(run: Run, due: float, interval: float) -> float:
    """Return by how many seconds an iteration is so late that the schedule moves with it.

    Nobody was there (an evicted pod, a machine asleep): iterations that were due meanwhile would
    follow each other at once, each with a window of nothing.
    """
    late = run.clock.now() - due
    return late if late > interval + LATE_SECONDS else 0.0


def _watch(run: Run, turn: Turn, due: float, seen: list[Observation]) -> Callable[[], None]:
    """Return what looks for broken limits while an iteration is waited for.

    A policy of values decides at its iterations, and in their place while the run is paused.
    """
    if not _watched(run, turn):
        return lambda: None
    counts = policies.counts(run.bundle.policy.name)
    held = 0.0 if counts else float(run.bundle.experiment.spec.duration.interval_seconds)

    def look_now(budget: float) -> bool:
        found = look(run, turn, min(budget, _budget(int(held))) if held else budget)
        seen[:] = [] if found is None else [found]
        return found is not None

    return Watch(run, due, look_now, held)


def _watched(run: Run, turn: Turn) -> bool:
    known = (turn.weights, turn.progress.tried or {})
    served = {name for weights in known for name, weight in weights.items() if weight}
    return served != {run.baseline}


def look(run: Run, turn: Turn, budget_seconds: float) -> Observation | None:
    """Return what is seen now if a limit is proven to be broken by it, else None."""
    if not _watched(run, turn):
        return None
    seen = _observed(run, turn, budget_seconds, newest=True)
    if not _alarmed(run, seen, turn):
        return None
    sticky = patiently(run, run.router.read).sticky
    seen = replace(seen, sticky=sticky, also=_also(run, turn))
    return seen if _alarmed(run, seen, turn) else None


def _alarmed(run: Run, seen: Observation, turn: Turn) -> bool:
    return policies.alarmed(run.bundle.policy, run.bundle.experiment, seen, turn.state)


def decide_now(run: Run, seen: Observation, turn: Turn) -> Decision:
    """Return the decision of iteration k by what was seen before it is due, recorded."""
    return _decided(run, seen, turn.state)[0]


def observed(run: Run, turn: Turn, budget_seconds: float, *, newest: bool = False) -> Observation:
    """Return everything that is known of the interval that ends now; ``newest`` as in ``window``.

    Raises ``SpecError`` for a request that no retry can mend.
    """
    seen = _observed(run, turn, budget_seconds, newest=newest)
    disturbed = round(turn.progress.disturbed, 3)
    return replace(seen, disturbed=disturbed, sticky=turn.sticky, also=_also(run, turn))


def _observed(run: Run, turn: Turn, budget_seconds: float, *, newest: bool = False) -> Observation:
    return observe(
        run.bundle.experiment,
        run.bundle.metrics,
        run.sources,
        iteration=turn.k,
        elapsed_seconds=max(1, math.floor(run.clock.now() - turn.start)),
        weights=turn.weights,
        budget_seconds=budget_seconds,
        window=window(run, turn.start, turn.state, newest=newest),
    )


def _decided(
    run: Run, observation: Observation, state: Mapping[str, Any]
) -> tuple[Decision, Mapping[str, Any]]:
    """Return the decision, recorded before anything is written."""
    policy, settings = policies.load(run.bundle.policy.name), policies.settings(run.bundle.policy)
    decision, new_state = policy.decide(run.bundle.experiment, settings, observation, state)
    decision = as_ordered(as_held(decision, observation), observation)
    entry = record.decision(observation, decision, new_state)
    run.record.append(record.at(entry, run.clock.now()))
    return decision, new_state


def window(
    run: Run, start: float, state: Mapping[str, Any], *, newest: bool = False
) -> tuple[float, float] | None:
    """Return the window that a policy of counts reads now; None for any other policy.

    It begins where the last one that was read ended, and ends so long ago that each series' next
    scrape is there: without it the counter would stand still up to this end, and the next window
    would begin from a line to that scrape, which is higher.  With ``newest`` it ends as late as
    anything is known: what a look finds is not kept, and no window begins there.
    """
    if not policies.counts(run.bundle.policy.name):
        return None
    delay = newest_seconds(run)
    since = float(state.get("until") or start - delay)
    return since, max(since, run.clock.now() - (scrape_seconds(run) if newest else delay))


def _budget(interval_seconds: int) -> float:
    """Return how long an iteration may wait for its metrics: well inside the interval."""
    return max(0.8, min(15.0, 0.8 * interval_seconds))
