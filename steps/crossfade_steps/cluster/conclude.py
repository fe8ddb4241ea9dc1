"""How a run ends, whoever ends it: the workflow's last step, the guard, a step that gave up.

Everything is read from the record, so that acting twice does no harm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from crossfade import record
from crossfade.errors import CrossfadeError, SpecError
from crossfade.report.page import page
from crossfade.verdict import Outcome
from crossfade_steps import safety
from crossfade_steps.cluster import verified, workflow
from crossfade_steps.cluster.stage import ABORT, Stage, aborted
from crossfade_steps.cluster.store import RUN_LABEL, UID
from crossfade_steps.deploy import Deployed
from crossfade_steps.loop import clean_up
from crossfade_steps.ports import ObjectKey
from crossfade_steps.run import Ended, Stopped
from crossfade_steps.safety import Phase
from crossfade_steps.versions import version_objects

Entries = Sequence[Mapping[str, Any]]


def conclude(stage: Stage) -> Ended:
    """Restore the phase's safe weights, clean up, and record the outcome, once.

    Raises ``BackendError`` when the API cannot be reached: then somebody tries again.
    """
    entries: Entries = stage.entries()
    recorded = record.last(entries, "outcome")
    if recorded is not None:
        return _again(stage, entries, recorded)
    entries = verified.ending(stage, entries)
    head = stage.store.find() or {}
    state = workflow.look(stage.kube, stage.namespace, stage.store.run, head.get(UID, ""))
    ended = intended(entries, state, aborted(head) if head.get("control") == ABORT else None)
    ended = _settle(stage, entries, ended)
    _sweep(stage, entries, ended)
    for note in stage.run.notes:
        print(f"note: {note}", flush=True)
    entry = record.outcome(ended.outcome, ended.sentence, ended.winner)
    if not stage.log.append_once(record.at(entry, stage.run.clock.now())):
        return conclude(stage)  # somebody else was faster: theirs counts
    _leave(stage)
    return ended


def _sweep(stage: Stage, entries: Entries, ended: Ended) -> None:
    """End the load and remove what is not needed, between two looks at the weights."""
    end_load(stage)
    _look_again(stage, entries, ended)
    clean_up(stage.run, _deployed(stage, entries), ended)
    _look_again(stage, entries, ended)


def _leave(stage: Stage) -> None:
    with suppress(CrossfadeError):  # the outcome is what counts: a Lease ends by itself
        stage.lease.release()
    with suppress(CrossfadeError):  # and a report can be made again
        stage.store.publish(page(stage.entries()))


def intended(entries: Entries, state: workflow.State, asked: Stopped | None = None) -> Ended:
    """Return how the run is to end, from what is recorded and what became of its Workflow.

    ``asked`` is what a person asked for who then stopped the Workflow.  A promotion that was
    verified is ``concluded`` before anybody asks this.
    """
    concluded = record.last(entries, "concluded")
    if concluded is not None:
        return _ended(concluded)
    phase = record.last_phase(entries)
    decided = record.last(entries, "decision")
    winner = decided["decision"]["winner"] if decided is not None else None
    if phase is not None and phase[0] == Phase.PROMOTING:
        reason = _trouble(entries) or "the workflow was ended"
        text = f"{reason} while {winner} was promoted; its own copy serves all traffic"
        return Ended(Outcome.PROMOTION_FAILED, text, winner)
    if asked is None and (state.shutdown or not state.there):
        how = f"ended ({state.shutdown})" if state.shutdown else "deleted"
        asked = Stopped(Outcome.CANCELLED, f"the workflow was {how}")
    if asked is not None:
        text = safety.with_who_serves(asked.outcome, str(asked), entries)
        return Ended(asked.outcome, text)
    text = _trouble(entries) or state.message or "the workflow ended without a decision"
    return Ended(Outcome.FAILED, text)


def deployed_of(entries: Entries) -> Deployed:
    """Return what the run deployed, from its record."""
    found = Deployed()
    for entry in record.of_type(entries, "created"):
        found.created[str(entry["name"])] = str(entry["uid"])
    deployed = record.last(entries, "deployed")
    if deployed is not None:
        found.objects = {version: tuple(names) for version, names in deployed["objects"].items()}
    return found


def _deployed(stage: Stage, entries: Entries) -> Deployed:
    """Return what was deployed; a deployment that broke off did not say whose the objects are."""
    found = deployed_of(entries)
    if not found.objects:
        with suppress(CrossfadeError):
            found.objects = version_objects(stage.run)
    return found


def end_load(stage: Stage) -> None:
    """Delete the Jobs that this run made for its load; the guard is not one of them."""
    selector = f"{RUN_LABEL}={stage.store.run}"
    created = deployed_of(stage.entries()).created
    namespaces = {name.split("/")[1] for name in created if name.startswith("Job/")}
    for namespace in sorted(namespaces):
        for job in stage.kube.list("batch", "Job", namespace, selector):
            metadata = job["metadata"]
            if created.get(f"Job/{namespace}/{metadata['name']}") == metadata["uid"]:
                key = ObjectKey("batch", "Job", namespace, metadata["name"])
                stage.kube.delete(key, uid=metadata["uid"])


def _settle(stage: Stage, entries: Entries, ended: Ended) -> Ended:
    """Bring the weights to the safe ones; somebody else's object is left as it is."""
    if record.last_phase(entries) is None:
        return ended  # nothing was begun: the Lease may be another run's
    try:
        stage.lease.take(ending=True)
        weights = safety.settle(stage.run, entries, fence=True)
    except (CrossfadeError, Stopped) as error:
        if stage.lease.lost():
            return Ended(Outcome.CONTESTED, f"{ended.sentence}; {error}", ended.winner)
        if isinstance(error, SpecError):  # no repetition mends it, and the run must end
            text = f"{ended.outcome} as far as it went, but safe weights are NOT restored: {error}"
            return Ended(Outcome.FAILED, text, ended.winner)
        raise
    if weights is not None:
        stage.store.append(record.settled(weights))
        ended = safety.with_others(stage.run, ended)
    return ended


def _look_again(stage: Stage, entries: Entries, ended: Ended) -> None:
    """Settle once more: what was applied when the Lease was marked comes without a version."""
    if record.last_phase(entries) is not None and ended.outcome is not Outcome.CONTESTED:
        with suppress(SpecError, Stopped):
            safety.settle(stage.run, entries)


def _again(stage: Stage, entries: Entries, recorded: Mapping[str, Any]) -> Ended:
    """Finish what a recorded outcome may lack: whoever recorded it may have died right then.

    A step that was told too late may have made more load.
    """
    ended = _ended(recorded)
    stage.store.summarize(recorded)
    with suppress(CrossfadeError):
        end_load(stage)
        clean_up(stage.run, _deployed(stage, entries), ended)
    _leave(stage)
    return ended


def _ended(entry: Mapping[str, Any]) -> Ended:
    return Ended(Outcome(entry["outcome"]), str(entry["sentence"]), entry["winner"])


def _trouble(entries: Entries) -> str:
    entry = record.last(entries, "trouble")
    return "" if entry is None else str(entry["sentence"])
