"""One iteration: read, decide, record, write, read back, record that it is applied."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crossfade import policies, record
from crossfade.errors import BackendError
from crossfade.verdict import Decision, Outcome
from crossfade_steps.reading import observe
from crossfade_steps.run import Run, Stopped

MOST_DRIFTS = 3
"""How often weights that somebody else changed are put back before the run is contested."""


def iterate(run: Run, start: float) -> Decision:
    """Run iterations until a decision ends the run, and return that decision.

    Iteration k is due at ``start + k * interval`` (seconds since the epoch), whatever the ones
    before it cost.  Raises ``Stopped`` on an alarm or when a foreign writer does not give up.
    """
    experiment = run.bundle.experiment
    interval = experiment.spec.duration.interval_seconds
    resumed = _resume(run)
    if resumed.decision is not None and resumed.decision.outcome is not None:
        return resumed.decision
    expected, state, drifts = resumed.weights, resumed.state, 0
    for k in range(resumed.iterations + 1, experiment.iterations + 1):
        run.wait_until(start + k * interval)
        drifts += _put_back(run, expected, drifts)
        decision, state = decide(run, k, start, expected, state)
        expected = apply(run, decision)
        if decision.outcome is not None:
            return decision
    raise AssertionError("a policy must end the run at the last iteration")


@dataclass(frozen=True, slots=True)
class _Resumed:
    """Where a run goes on: iterations decided, weights in force, state, the last decision."""

    iterations: int
    weights: dict[str, int]
    state: Mapping[str, Any]
    decision: Decision | None


def _resume(run: Run) -> _Resumed:
    """Return where the record ends; a decision in it is applied if need be, never made again.

    Raises ``Stopped`` when the weights are neither those before the last decision nor those after
    it: then somebody else writes them.
    """
    weights = dict(run.router.read().weights)
    recorded = record.of_type(run.record.entries(), "decision")
    if not recorded:
        return _Resumed(0, weights, {}, None)
    _, decision, state = record.read_decision(recorded[-1])
    if weights not in (dict(decision.old), dict(decision.weights)):
        raise Stopped(
            Outcome.CONTESTED,
            f"weights are {weights}, neither {dict(decision.old)} nor {dict(decision.weights)} "
            f"as before and after iteration {decision.iteration}",
        )
    return _Resumed(decision.iteration, apply(run, decision), state, decision)


def decide(
    run: Run, k: int, start: float, weights: Mapping[str, int], state: Mapping[str, Any]
) -> tuple[Decision, Mapping[str, Any]]:
    """Return decision k, recorded before anything is written."""
    experiment, policy = run.bundle.experiment, policies.load(run.bundle.policy.name)
    observation = observe(
        experiment,
        run.bundle.metrics,
        run.sources,
        iteration=k,
        elapsed_seconds=max(1, math.floor(run.clock.now() - start)),
        weights=weights,
        budget_seconds=_budget(experiment.spec.duration.interval_seconds),
    )
    settings = policies.settings(run.bundle.policy)
    decision, new_state = policy.decide(experiment, settings, observation, state)
    run.record.append(record.decision(observation, decision, new_state))
    return decision, new_state


def apply(run: Run, decision: Decision) -> dict[str, int]:
    """Write the decision's weights, read them back, record and return what is in force.

    A write that fails leaves the old weights in force and is recorded as such: the next iteration
    starts from them.
    """
    try:
        state = run.router.read()
        if dict(state.weights) != dict(decision.weights):
            state = run.router.write(state, decision.weights)
    except BackendError as error:
        run.record.append(record.not_applied(decision.iteration, str(error)))
        return dict(decision.old)
    run.record.append(record.applied(decision.iteration, state.weights))
    return dict(state.weights)


def _put_back(run: Run, expected: dict[str, int], drifts: int) -> int:
    """Put weights back that somebody else changed; return 1 if it was so."""
    state = run.router.read()
    if dict(state.weights) == expected:
        return 0
    if drifts >= MOST_DRIFTS:
        raise Stopped(
            Outcome.CONTESTED,
            f"somebody else set the weights to {dict(state.weights)} instead of {expected} "
            f"for the {drifts + 1}th time",
        )
    run.router.write(state, expected)
    return 1


def _budget(interval_seconds: int) -> float:
    """Return how long an iteration may wait for its metrics: well inside the interval."""
    return max(0.8, min(15.0, 0.8 * interval_seconds))
