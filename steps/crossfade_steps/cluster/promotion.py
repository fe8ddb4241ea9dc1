"""The steps of a promotion: a person's approval is watched, the winner promoted and proven."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime

from crossfade import record
from crossfade.errors import BackendError, SpecError
from crossfade.verdict import Outcome
from crossfade_steps import promote
from crossfade_steps.cluster import workflow
from crossfade_steps.cluster.approval import end_waiting
from crossfade_steps.cluster.awaiting import Looks
from crossfade_steps.cluster.conclude import Entries, conclude
from crossfade_steps.cluster.gate import APPROVAL, DECISION, stop_waiting
from crossfade_steps.cluster.stage import Stage
from crossfade_steps.cluster.verified import going_back, look_once_more, plan_of
from crossfade_steps.ports import ObjectKey
from crossfade_steps.run import Ended, EndedElsewhere, StepFailed, Stopped
from crossfade_steps.safety import Phase, settle, with_who_serves

POLL_SECONDS = 2.0


def promote_step(stage: Stage) -> Mapping[str, str]:
    """Promote the winner of the last decision."""
    entries = stage.entries()
    refused = record.last(entries, "concluded")
    if refused is not None:
        return {"summary": refused["sentence"]}
    plan = plan_of(stage, entries)
    try:
        text = promote.promote(stage.run, plan)
    except (BackendError, SpecError) as error:
        text = promote.unpromoted(stage.run, plan.winner, error)
        stage.store.append_once(record.concluded(Outcome.PROMOTION_FAILED, text, plan.winner))
    return {"summary": text}


def verify_step(stage: Stage) -> Mapping[str, str]:
    """Ask users' way in once more, and conclude; without good answers all goes back at once."""
    entries: Entries = stage.entries()
    if record.last(entries, "concluded") is None:
        phase = record.last_phase(entries)
        if phase is None or phase[0] not in (Phase.PROMOTING, Phase.VERIFIED):
            raise StepFailed("nothing was promoted, so there is nothing to verify")
        entries = look_once_more(stage, plan_of(stage, entries))
    else:
        entries = going_back(stage, entries)
    concluded = record.last(entries, "concluded")
    assert concluded is not None, "it was there or is now"
    outcome = Outcome(concluded["outcome"])
    if outcome is Outcome.PROMOTION_FAILED:
        with suppress(Stopped):  # who ends the run says that the routes are not ours any more
            settle(stage.run, entries)
    if not outcome.is_decision:
        raise StepFailed(f"{outcome}: {concluded['sentence']}")
    return {"summary": str(concluded["sentence"])}


def watch(stage: Stage) -> Mapping[str, str]:
    """Keep the alarms on while a person decides; an alarm ends the run, whatever they answer."""
    if record.last(stage.entries(), "concluded") is not None:
        return _ended(stage)
    try:
        missed = _awaited(stage)
    except EndedElsewhere:  # by whoever opens the gate, too, if that one can
        stop_waiting(stage.kube, stage.store)
        raise
    except Stopped as stop:
        text = with_who_serves(stop.outcome, str(stop), stage.entries())
        return _ended(stage, Ended(stop.outcome, text))
    if missed:
        text = f"{missed} while approval was awaited"
        return _ended(stage, Ended(Outcome.ROLLED_BACK, text))
    return {"summary": "approval was answered, no alarm"}


def _awaited(stage: Stage) -> str:
    """Wait for the answer; return what the winner misses first, empty for nothing.

    Raises ``Stopped`` on an alarm.
    """
    run, key = stage.run, workflow.key(stage.namespace, stage.store.run)
    looks = Looks(stage)
    while True:
        answer = _answer(stage, key)
        run.raise_alarm()
        if answer == "no":  # nothing is promoted that would want a look
            return ""
        missed = looks.broken(answered=bool(answer))
        if missed or (answer and looks.done):
            run.raise_alarm()
            return missed
        run.clock.sleep(POLL_SECONDS)


def _answer(stage: Stage, key: ObjectKey) -> str:
    """Return what a person has answered, empty for nothing: the API's absence ends no run."""
    try:
        stored = stage.kube.get(key)
    except BackendError as error:
        print(f"watch: {error}", flush=True)
        return ""
    over = workflow.answered(stored, APPROVAL)
    return (workflow.said(stored, APPROVAL, DECISION) or "yes") if over else ""


def _ended(stage: Stage, ended: Ended | None = None) -> Mapping[str, str]:
    """End the run now, and its Workflow's waiting: nobody's answer counts any more."""
    if ended is not None:
        stage.store.append_once(record.concluded(ended.outcome, ended.sentence, ended.winner))
    found = conclude(stage)
    now = datetime.fromtimestamp(stage.run.clock.now(), UTC)
    undone = end_waiting(stage.kube, stage.store, found.outcome, now)
    if undone:
        print(f"watch: {undone}", flush=True)
    return {"summary": found.sentence}
