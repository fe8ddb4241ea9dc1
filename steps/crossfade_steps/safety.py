"""Which weights are safe at each phase of a run, and how they are restored.

The safe weights are recorded *before* each phase begins, so that whoever ends the run (a handler,
a guard, the next start after a crash) knows them without knowing why it ended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import StrEnum

from crossfade import record
from crossfade.errors import BackendError, CrossfadeError, SpecError
from crossfade.routes.rule import undriven
from crossfade.verdict import Outcome
from crossfade_steps.ports import ObjectKey, RouteState
from crossfade_steps.run import Ended, Run

TRIES = 5
PAUSE_SECONDS = 1.0


class Phase(StrEnum):
    """How far a run has come, as far as the safety of traffic is concerned."""

    STARTING = "starting"
    ITERATING = "iterating"
    PROMOTING = "promoting"
    VERIFIED = "verified"


def enter(run: Run, phase: Phase, safe: Mapping[str, int]) -> None:
    """Record that a phase begins and which weights are safe from here on."""
    run.record.append(record.phase(phase.value, safe))


def safe_weights(entries: Sequence[record.Entry]) -> dict[str, int] | None:
    """Return the safe weights of the phase last entered, None before any."""
    last = record.last_phase(entries)
    return None if last is None else {name: int(weight) for name, weight in last[1].items()}


def who_serves(entries: Sequence[record.Entry]) -> str:
    """Return who serves all traffic once the phase's safe weights are in force."""
    last = record.last_phase(entries)
    told = {
        Phase.ITERATING: "the baseline serves all traffic",
        Phase.PROMOTING: "the winner's own copy serves all traffic",
        Phase.VERIFIED: "the promoted model serves all traffic",
    }
    return told.get(Phase(last[0]) if last else Phase.STARTING, "weights are as they were found")


def with_who_serves(outcome: Outcome, sentence: str, entries: Sequence[record.Entry]) -> str:
    """Return the sentence of a cancelled run with who serves then; any other says so itself."""
    return f"{sentence}: {who_serves(entries)}" if outcome is Outcome.CANCELLED else sentence


def with_others(run: Run, ended: Ended) -> Ended:
    """Return an end that says where candidates get requests still: by rules that are not driven.

    Whoever reads of a rollback takes it that the candidate has no users.  A promoted one may.
    """
    if ended.outcome in (Outcome.PROMOTED, Outcome.PROMOTION_FAILED):
        return ended
    try:
        told = undriven(run.router.read().beside)
    except CrossfadeError:  # the weights were restored: what else there is stays unsaid
        return ended
    return replace(ended, sentence="; ".join([ended.sentence, *told]))


def settle(
    run: Run, entries: Sequence[record.Entry] | None = None, *, fence: bool = False
) -> Mapping[str, int] | None:
    """Bring the weights to the phase's safe ones and return them; twice does no harm.

    ``entries`` is the record that counts, the run's own as it is now if not given.  With a
    ``fence`` no write of this run that is still on its way arrives any more.  Returns None
    where nothing was begun, or where promoted route documents stand as they are.  Raises
    ``BackendError`` if they cannot be written after several tries, ``SpecError`` if the routing
    object has no place for them any more.
    """
    entries = run.record.entries() if entries is None else entries
    pin_recorded(run, entries)
    safe = safe_weights(entries)
    if safe is None or not (safe or fence):
        return None
    for attempt in range(TRIES):
        last = attempt == TRIES - 1
        try:
            return _restored(run, entries, safe, fence=fence and not last)
        except BackendError as error:
            if fence and attempt == TRIES - 2:  # an object that cannot be written ends all the same
                run.notes.append(f"a write that is on its way may still arrive: {error}")
            if last:
                raise BackendError(
                    f"safe weights {safe} not restored after {TRIES} tries: {error}",
                    hint="set them by hand now: traffic may still reach a candidate",
                ) from error
            run.clock.sleep(PAUSE_SECONDS)
    return None


def pin_recorded(run: Run, entries: Sequence[record.Entry]) -> None:
    """Look for the destinations that were deployed: whoever acts may be older than the record."""
    deployed = record.last(entries, "deployed")
    if deployed is not None and deployed.get("identities"):
        run.router.pin(deployed["identities"])


def _restored(
    run: Run, entries: Sequence[record.Entry], safe: Mapping[str, int], *, fence: bool
) -> Mapping[str, int] | None:
    """Write the safe weights; what a writer left behind that died half-way is mended first.

    A route document of a promotion may have other destinations at the same places; without safe
    weights the promoted ones stand as they are.
    """
    state = None
    if safe:
        put_routes_back(run, entries)
        state = _written(run, safe)
    if fence:
        run.router.fence(state)
    return None if state is None else state.weights


def _written(run: Run, safe: Mapping[str, int]) -> RouteState:
    try:
        state = run.router.read()
    except SpecError:
        return run.router.restore(safe)
    return state if dict(state.weights) == safe else run.router.write(state, safe)


def hold(run: Run) -> None:
    """Prove that this run may still change the routes; one failed look is not the answer.

    Raises ``Stopped`` when it may not, ``BackendError`` when nobody can tell after several tries.
    """
    for attempt in range(TRIES):
        try:
            run.hold()
            return
        except BackendError:
            if attempt == TRIES - 1:
                raise
            run.clock.sleep(PAUSE_SECONDS)


def put_routes_back(run: Run, entries: Sequence[record.Entry]) -> None:
    """Bring the routing objects that a promotion replaced back to their specs from before."""
    for entry in record.of_type(entries, "replaced"):
        kind, namespace, name = str(entry["name"]).split("/")
        key = ObjectKey(str(entry["group"]), kind, namespace, name)
        stored = run.objects.get(key)
        if stored is not None and stored.get("spec") != entry["spec"]:
            run.hold()
            version = stored["metadata"]["resourceVersion"]
            test = {"op": "test", "path": "/metadata/resourceVersion", "value": version}
            replace = {"op": "replace", "path": "/spec", "value": entry["spec"]}
            run.objects.patch(key, [test, replace])


def clean_up(run: Run, created: Mapping[str, str], names: tuple[str, ...]) -> list[str]:
    """Delete the named objects that this run created and that nobody replaced since.

    ``created`` maps ``Kind/namespace/name`` to the UID at creation.  Returns what was deleted;
    a failure to delete is a note of the run, never its outcome.  What holds the weights stays,
    whatever it runs besides.
    """
    from crossfade_steps.deploy import parse_name

    deleted = []
    for name in names:
        if name not in created or parse_name(name) in run.router.keys():  # noqa: SIM118
            continue
        try:
            run.objects.delete(parse_name(name), uid=created[name])
            deleted.append(name)
        except CrossfadeError as error:
            run.notes.append(f"{name} not deleted: {error}")
    return deleted
