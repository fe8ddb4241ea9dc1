"""Decided weights are written, and afterwards it is known what is in force: old, new, or which two.

A write whose answer is lost may have been carried out; then both are our own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from crossfade import record
from crossfade.errors import BackendError
from crossfade.verdict import Decision, Outcome
from crossfade_steps.ports import RouteState
from crossfade_steps.run import Run, Stopped
from crossfade_steps.versions import not_ready

MOST_DRIFTS = 3
"""How often weights that somebody else changed are put back before the run is contested."""
PATIENCE_SECONDS, PAUSE_SECONDS = 30.0, 1.0
MOST_CHANGES = 4
T = TypeVar("T")
Weights = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: iterations decided, weights expected, the policy's state, and more.

    ``held_seconds`` is how long pauses and absences have held the schedule back.  ``tried`` are the
    weights of a write that nobody saw the end of: they may be in force instead.  ``changes`` has
    the last weights with the time (seconds since the epoch) from which they were in force.
    ``disturbed`` is until when somebody else's were since the last decision, 0 for never.
    """

    iterations: int
    weights: dict[str, int]
    state: Mapping[str, Any]
    decision: Decision | None
    drifts: int = 0
    held_seconds: float = 0.0
    tried: Weights | None = None
    changes: tuple[tuple[float, Weights], ...] = ()
    disturbed: float = 0.0

    def within(self, since: float) -> tuple[Weights, ...]:
        """Return the weights that were in force at some time after ``since``."""
        before = [weights for when, weights in self.changes if when <= since]
        return (*before[-1:], *(weights for when, weights in self.changes if when > since))


@dataclass(frozen=True, slots=True)
class InForce:
    """What is in force since a decision; with ``tried`` it is that or ``weights``.

    ``disturbed`` is when somebody else's weights were replaced by it, 0 where none were.
    """

    weights: dict[str, int]
    tried: Weights | None = None
    changes: tuple[tuple[float, Weights], ...] = field(default=())
    disturbed: float = 0.0


def applied_to(progress: Progress, found: InForce) -> Progress:
    """Return the progress with what is in force now."""
    changes = (*progress.changes, *found.changes)[-MOST_CHANGES:]
    return replace(progress, weights=found.weights, tried=found.tried, changes=changes,
                   drifts=progress.drifts + (found.disturbed > 0),
                   disturbed=max(progress.disturbed, found.disturbed))  # fmt: skip


def apply(run: Run, decision: Decision) -> InForce:
    """Write the decision's weights, read them back, record and return what is in force.

    Where a candidate that is to get more is not ready, what lowers another one is written all the
    same: nobody waits for capacity to be rid of a bad version.  A write that fails is looked after
    and recorded as what became of it.  Weights that somebody else wrote since the decision are put
    back like any others.  Raises ``Stopped`` when that was done too often.
    """
    wanted, lacking, foreign = dict(decision.weights), None, None
    try:
        state = run.router.read()
        foreign = _foreign(run, decision, state.weights)
        if dict(state.weights) != wanted:
            lacking = not_ready(run, state.weights, wanted)
            wanted = wanted if lacking is None else lowered(run, state.weights, wanted)
        if dict(state.weights) != wanted:
            state = run.router.write(state, wanted)
    except BackendError as error:
        return _failed(run, decision, wanted, error)
    found = _recorded(run, decision, dict(state.weights), lacking)
    if foreign is None:
        return found
    return replace(found, disturbed=_note_put_back(run, foreign, found.weights))


def _foreign(run: Run, decision: Decision, found: Weights) -> Weights | None:
    """Return the weights found where somebody else wrote them since the decision, else None.

    Raises ``Stopped`` when there were too many of them, unless the run ends for a fault anyway.
    """
    old, new = dict(decision.old), dict(decision.weights)
    if dict(found) in (old, new) or dict(found) in (lowered(run, old, new), *_tried(run)):
        return None
    if decision.outcome in (None, Outcome.PROMOTED):
        _refuse_more(len(record.of_type(run.record.entries(), "put-back")), found, old)
    return dict(found)


def _refuse_more(drifts: int, found: Weights, expected: Weights) -> None:
    """Raise ``Stopped`` when weights were put back so often that it is no use."""
    if drifts >= MOST_DRIFTS:
        raise Stopped(
            Outcome.CONTESTED,
            f"somebody else set the weights to {dict(found)} instead of {dict(expected)} "
            f"for the {drifts + 1}th time",
        )


def _note_put_back(run: Run, found: Weights, weights: Weights) -> float:
    """Record that somebody else's weights were replaced now; return the time."""
    now = run.clock.now()
    run.record.append(record.at(record.put_back(found, weights), now))
    return now


def lowered(run: Run, old: Weights, new: Weights) -> dict[str, int]:
    """Return what of a change takes no capacity: every candidate has the least of both."""
    weights = {name: min(old[name], new[name]) for name in new}
    weights[run.baseline] += 100 - sum(weights.values())
    return weights


def _recorded(
    run: Run, decision: Decision, weights: dict[str, int], lacking: str | None
) -> InForce:
    entry = record.applied(decision.iteration, weights)
    if lacking is not None:
        entry = record.not_applied(decision.iteration, lacking, weights)
    now = run.clock.now()
    run.record.append(record.at(entry, now))
    return InForce(weights, changes=((now, weights),))


def _failed(run: Run, decision: Decision, wanted: Weights, error: BackendError) -> InForce:
    """Look what became of a write that did not answer, and record it: unknown is not "old"."""
    try:
        now = dict(run.router.read().weights)
    except BackendError:
        entry = record.not_applied(decision.iteration, str(error), None, wanted)
        run.record.append(record.at(entry, run.clock.now()))
        return InForce(dict(decision.old), wanted)
    if now == wanted and now != dict(decision.old):
        return _recorded(run, decision, now, None if now == dict(decision.weights) else str(error))
    return _recorded(run, decision, dict(decision.old), str(error))


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
    found = _in_force(entries, decision)
    progress = Progress(decision.iteration, {}, state, decision, drifts, held)
    changes = tuple((float(entry["at"]), dict(entry["weights"])) for entry in entries
                    if entry["type"] in ("applied", "not-applied")
                    and entry.get("weights") and "at" in entry)  # fmt: skip
    progress = replace(progress, changes=changes[-MOST_CHANGES:], disturbed=_disturbed(entries))
    return (progress, False) if found is None else (applied_to(progress, found), True)


def _disturbed(entries: Sequence[record.Entry]) -> float:
    """Return when weights were last put back since the last decision, 0 where none were."""
    kinds = [entry["type"] for entry in entries]
    since = len(kinds) - kinds[::-1].index("decision") if "decision" in kinds else 0
    found = record.of_type(entries[since:], "put-back")
    return max((float(entry.get("at", 0.0)) for entry in found), default=0.0)


def _in_force(entries: Sequence[record.Entry], decision: Decision) -> InForce | None:
    """Return what is in force since the decision, None when nothing was recorded of it."""
    for entry in reversed(entries):
        if entry["type"] == "decision":
            return None
        if entry.get("iteration") != decision.iteration:
            continue
        if entry["type"] in ("applied", "not-applied"):
            weights = entry.get("weights")
            return InForce(dict(weights or decision.old), entry.get("tried"))
    return None


def resume(run: Run) -> Progress:
    """Return where the record ends; a decision in it is applied if need be, never made again.

    Raises ``Stopped`` as ``apply`` does.
    """
    progress, applied = recorded(run)
    if progress.decision is not None and not applied:
        progress = applied_to(progress, apply(run, progress.decision))
    return progress


def _tried(run: Run) -> list[dict[str, int]]:
    """Return the weights of writes that nobody saw the end of: they are our own."""
    entries = record.of_type(run.record.entries(), "not-applied")
    return [dict(entry["tried"]) for entry in entries if entry.get("tried")]


def looked_after(run: Run, progress: Progress) -> Progress:
    """Return the progress with what became of a write that nobody saw the end of.

    It stays unknown while nobody can tell, or where it is neither.
    """
    if progress.tried is None:
        return progress
    try:
        now = dict(run.router.read().weights)
    except BackendError:
        return progress
    if now == dict(progress.tried):
        changes = (*progress.changes, (run.clock.now(), now))[-MOST_CHANGES:]
        return replace(progress, weights=now, tried=None, changes=changes)
    return replace(progress, tried=None) if now == progress.weights else progress


def put_back(run: Run, progress: Progress) -> tuple[RouteState, float]:
    """Put weights back that somebody else changed; return the route, and when it was so (or 0).

    Raises ``Stopped`` when they were put back too often, ``BackendError`` when nobody can tell
    them for half a minute.
    """
    state = patiently(run, run.router.read)
    if dict(state.weights) == progress.weights:
        return state, 0.0
    if progress.tried is not None and dict(state.weights) == dict(progress.tried):
        entry = record.applied(progress.iterations, state.weights)
        run.record.append(record.at(entry, run.clock.now()))
        return state, 0.0  # it was our own write after all
    _refuse_more(progress.drifts, state.weights, progress.weights)
    route = patiently(run, lambda: run.router.write(run.router.read(), progress.weights))
    return route, _note_put_back(run, state.weights, progress.weights)


def patiently(run: Run, ask: Callable[[], T]) -> T:
    """Return an answer that may take several tries: the API's short absence ends no run."""
    until = run.clock.now() + PATIENCE_SECONDS
    while True:
        try:
            return ask()
        except BackendError:
            if run.clock.now() >= until:
                raise
            run.raise_alarm()
            run.clock.sleep(PAUSE_SECONDS)
