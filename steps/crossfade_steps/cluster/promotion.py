"""The steps of a promotion: a person's approval is watched, the winner promoted and proven."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from crossfade import policies, record
from crossfade.errors import BackendError, SpecError
from crossfade.verdict import Judgement, Outcome
from crossfade_steps import promote
from crossfade_steps.cluster import workflow
from crossfade_steps.cluster.conclude import Entries, conclude
from crossfade_steps.cluster.stage import Stage
from crossfade_steps.cluster.verified import going_back, look_once_more, plan_of
from crossfade_steps.iteration import window
from crossfade_steps.ports import ObjectKey
from crossfade_steps.reading import observe
from crossfade_steps.run import Ended, StepFailed, Stopped
from crossfade_steps.safety import settle, with_who_serves

APPROVAL = "approval"
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
    run, entries = stage.run, stage.entries()
    if record.last(entries, "concluded") is not None:
        return _ended(stage)
    interval = run.bundle.experiment.spec.duration.interval_seconds
    due = run.clock.now() + interval
    last = record.last(entries, "decision")
    state: Mapping[str, Any] = {} if last is None else record.read_decision(last)[2]
    key = workflow.key(stage.namespace, stage.store.run)
    while not _answered(stage, key):
        stop = run.alarm()
        if stop is not None:
            return _stopped(stage, stop)
        if run.clock.now() >= due:
            due += interval
            missed, state = _missed(stage, entries, state)
            if missed:
                text = f"{missed} while approval was awaited"
                return _ended(stage, Ended(Outcome.ROLLED_BACK, text))
        run.clock.sleep(POLL_SECONDS)
    stop = run.alarm()
    if stop is not None:
        return _stopped(stage, stop)
    return {"summary": "approval was answered, no alarm"}


def _answered(stage: Stage, key: ObjectKey) -> bool:
    """Return whether a person has answered; the API's absence is no answer, and ends no run."""
    try:
        return workflow.answered(stage.kube.get(key), APPROVAL)
    except BackendError as error:
        print(f"watch: {error}", flush=True)
        return False


def _stopped(stage: Stage, stop: Stopped) -> Mapping[str, str]:
    text = with_who_serves(stop.outcome, str(stop), stage.entries())
    return _ended(stage, Ended(stop.outcome, text))


def _ended(stage: Stage, ended: Ended | None = None) -> Mapping[str, str]:
    """End the run now: the Workflow waits at its gate, and may do so for long."""
    if ended is not None:
        stage.store.append_once(record.concluded(ended.outcome, ended.sentence, ended.winner))
    return {"summary": conclude(stage).sentence}


def _missed(
    stage: Stage, entries: list[Mapping[str, Any]], state: Mapping[str, Any]
) -> tuple[str, Mapping[str, Any]]:
    """Return the sentence of an objective that the winner misses now, empty for none, and state."""
    run, last = stage.run, record.last(entries, "decision")
    started = record.last(entries, "started")
    if last is None or started is None:
        return "", state
    _, decision, _ = record.read_decision(last)
    start = float(started["start"])
    experiment, policy = run.bundle.experiment, policies.load(run.bundle.policy.name)
    observation = observe(
        experiment, run.bundle.metrics, run.sources, iteration=decision.iteration,
        elapsed_seconds=max(1, int(run.clock.now() - start)), weights=dict(decision.weights),
        budget_seconds=10.0, window=window(run, start, state),
    )  # fmt: skip
    now, state = policy.decide(experiment, policies.settings(run.bundle.policy), observation, state)
    missed = [v.sentence for v in now.verdicts
              if v.version == decision.winner and v.judgement is Judgement.MISSED]  # fmt: skip
    return "; ".join(missed), state
