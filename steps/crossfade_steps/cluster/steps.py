"""The steps of a workflow, one function each: they take a stage and return a container's outputs.

Each may run twice, since Argo replaces pods: what is recorded is not decided or done again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress

from crossfade import contract, policies, record
from crossfade.errors import BackendError, CrossfadeError, SpecError
from crossfade.frame import require_frame
from crossfade.report.page import page
from crossfade.verdict import Decision, Outcome
from crossfade_steps import deploy as deploying
from crossfade_steps import loop, opening, safety, scraping, versions
from crossfade_steps.applying import resume
from crossfade_steps.beginning import beginning
from crossfade_steps.cluster import doctor, guard, promotion, rejected
from crossfade_steps.cluster.conclude import conclude, deployed_of
from crossfade_steps.cluster.jobs import create_jobs
from crossfade_steps.cluster.scrapes import SCRAPE
from crossfade_steps.cluster.stage import Stage, facts_of, labels_of, require_keys
from crossfade_steps.cluster.store import UID
from crossfade_steps.freeing import free_candidates
from crossfade_steps.iteration import evaluate, iterate
from crossfade_steps.run import Ended, EndedElsewhere, Run, StepFailed, Stopped
from crossfade_steps.safety import Phase

Outputs = Mapping[str, str]


def check(stage: Stage, frame: str, uid: str) -> Outputs:
    """Make the run's state, take the Lease, and start the guard; no weight has moved yet.

    Raises ``SpecError`` for a rollout that a workflow of that frame does not carry out as written,
    and where a run of that name is not of the Workflow with that UID.
    """
    run = stage.run
    require_frame(run.bundle, frame)
    policies.settings(run.bundle.policy)
    require_keys(stage)
    candidates, scrape = rejected.digest(run), scraping.measured(run)
    facts = {**facts_of(stage), "candidates": candidates, UID: uid}
    if scrape is not None:
        facts[SCRAPE] = f"{scrape:g}"
    if not stage.store.create(labels_of(run.bundle), facts):
        require_digest(stage, stage.store.head().get("digest", ""))
    stage.store.append_once(record.header(run.name, run.bundle, run.clock.now()))
    before = rejected.earlier(stage, candidates)  # by a retried step, too: nothing has begun yet
    if before is not None:
        stage.store.append_once(record.concluded(Outcome.KEPT, before, None))
    _take(stage)
    promoted = [manifest for documents in run.bundle.promote.values() for manifest in documents]
    for manifest in (*run.bundle.deploy, *promoted):
        stage.kube.require(manifest)
    guard.start(stage)
    names = ", ".join(v.name for v in run.versions)
    summary = "; ".join(filter(None, (f"ready to compare {names}", scraping.told(run, scrape))))
    return {"start": "0", "digest": run.bundle.digest, "summary": summary}


def _take(stage: Stage) -> None:
    """Become the owner; what an owner that is gone has sent cannot arrive any more then."""
    stage.lease.take()
    if stage.lease.inherited():
        stage.run.router.fence(None)
        stage.lease.cleared()


def require_digest(stage: Stage, checked: str) -> None:
    """Raise ``SpecError`` unless the rollout is the one that the first step saw."""
    found = stage.run.bundle.digest
    if found != checked:
        raise SpecError(
            f"parameter bundle: its rollout was replaced during the run (digest {found[:12]}, "
            f"at its beginning {checked[:12] or 'none'})",
            hint="submit it as a run of its own",
        )


def deploy(stage: Stage) -> Outputs:
    """Create what is missing and wait until it is ready; weights are safe at the baseline now."""
    run, entries = stage.run, stage.entries()
    if record.last(entries, "concluded") is not None:
        return _restore("already concluded")
    if record.last(entries, "deployed") is None:
        _deploy(stage)
    deployed = deployed_of(stage.entries())
    objects = deployed.objects
    candidates = [v.name for v in run.versions[1:]]
    if any(loop.same(run, objects, name) for name in candidates):
        text = "nothing to compare: baseline and candidate run the same model"
        return _concluded(stage, Ended(Outcome.KEPT, text))
    try:
        loop.wait_ready(run, objects)
    except BackendError as error:
        return _concluded(stage, Ended(Outcome.FAILED, str(error)))
    safety.enter(run, Phase.ITERATING, run.all_baseline)
    opening.split(run, deployed.created)
    return {"action": contract.ITERATE_NOW, "summary": "all versions are ready"}


def _deploy(stage: Stage) -> None:
    run = stage.run
    versions.pin_documents(run)
    versions.require_baseline(run)
    found = versions.version_objects(run)  # refuses what would be two versions
    candidates = {n for v in run.versions[1:] for n in found[v.name]} - set(found[run.baseline])
    freed = free_candidates(run)
    done = deploying.deploy(
        run.bundle, run.objects, candidates=frozenset(candidates),
        routed=frozenset(run.router.keys()), baseline=found[run.baseline],
        on_created=lambda name, uid: run.record.append(record.created(name, uid)),
    )  # fmt: skip
    for note in (*freed, *done.notes):
        print(f"note: {note}", flush=True)
    known = run.router.identities()
    run.router.pin(known)
    opening.begin(run, deployed_of(stage.entries()).created)
    objects, hosts = versions.version_objects(run), versions.hosts(run)
    run.record.append(record.deployed(objects, hosts, [*freed, *done.notes], known))


def start_load(stage: Stage) -> Outputs:
    """Start the load; iterations are counted from what this returns."""
    run, entries = stage.run, stage.entries()
    concluded = record.last(entries, "concluded")
    if concluded is not None:
        return {"start": "0", "pause": "1s", "summary": str(concluded["sentence"])}
    started = record.last(entries, "started")
    if started is None:
        create_jobs(stage)
        started = record.started(beginning(run))
        run.record.append(started)
    start, sources = float(started["start"]), len(run.bundle.load)
    summary = f"{sources} source(s) of load started"
    return {"start": f"{start:.3f}", "pause": _pause(run, start, 1), "summary": summary}


def evaluate_step(stage: Stage, k: int, start: float) -> Outputs:
    """Wait until iteration k is due and decide it; the next container writes the weights."""
    if record.last(stage.entries(), "concluded") is not None:
        return {}
    progress = resume(stage.run)
    if progress.iterations < k:
        evaluate(stage.run, progress, k, start)
    return {}


def set_weights(stage: Stage, k: int, start: float) -> Outputs:
    """Write the weights of iteration k and say what comes next."""
    run, entries = stage.run, stage.entries()
    concluded = record.last(entries, "concluded")
    if concluded is not None:
        return {**_restore(concluded["sentence"]), "next": str(k), "pause": "1s"}
    progress = resume(run)
    assert progress.decision is not None, "evaluate has decided"
    pause = _pause(run, start + progress.held_seconds, k + 1)
    return {**_after(stage, progress.decision), "next": str(k + 1), "pause": pause}


def _pause(run: Run, start: float, k: int) -> str:
    """Return how long a workflow's timer waits before it starts the pod of iteration k."""
    due = start + k * run.bundle.experiment.spec.duration.interval_seconds
    return f"{max(1, int(due - run.clock.now() - contract.AWAKE_SECONDS))}s"


def iterate_step(stage: Stage, start: float) -> Outputs:
    """Run every iteration in this container."""
    if record.last(stage.entries(), "concluded") is not None:
        return _restore("already concluded")
    return _after(stage, iterate(stage.run, _counted_from(stage, start)))


def _counted_from(stage: Stage, start: float) -> float:
    """Return when this container's iterations began: it may have come up long after the load did.

    A container that continues another one's iterations keeps that one's beginning.
    """
    entries = stage.entries()
    started = record.of_type(entries, "started")
    if record.last(entries, "decision") is None and len(started) < 2:
        started.append(record.started(beginning(stage.run)))
        stage.run.record.append(started[-1])
    return float(started[-1]["start"]) if started else start


def _after(stage: Stage, decision: Decision) -> dict[str, str]:
    """Return what follows a decision that is applied."""
    summary = decision.reason
    if decision.outcome is None:
        return {"action": contract.CONTINUE, "summary": summary}
    if decision.outcome is Outcome.PROMOTED:
        return {"action": contract.PROMOTE_NOW, "summary": summary}
    return _concluded(stage, Ended(decision.outcome, summary, decision.winner))


def restore(stage: Stage) -> Outputs:
    """Bring all traffic back to the phase's safe weights."""
    if record.last(stage.entries(), "outcome") is not None:  # whoever ended the run restored them
        return {"summary": conclude(stage).sentence}
    weights = safety.settle(stage.run)
    concluded = record.last(stage.entries(), "concluded") or _unapproved(stage)
    text = concluded["sentence"] if concluded is not None else "restored"
    if weights is not None:
        stage.store.append(record.settled(weights))
    if concluded is not None and not Outcome(concluded["outcome"]).is_decision:
        raise StepFailed(f"{concluded['outcome']}: {text}")
    return {"summary": text}


def _unapproved(stage: Stage) -> record.Entry | None:
    """Conclude a run whose winner a person did not let through; None for any other run."""
    decided = record.last(stage.entries(), "decision")
    winner = None if decided is None else decided["decision"]["winner"]
    if decided is None or decided["decision"]["outcome"] != Outcome.PROMOTED:
        return None
    text = f"{winner} won but was not approved: the baseline serves all traffic"
    stage.store.append_once(record.concluded(Outcome.KEPT, text, winner))
    return record.last(stage.entries(), "concluded")


def finish(stage: Stage, uid: str) -> Outputs:
    """End the run of the Workflow with that UID, whatever happened before."""
    head = stage.store.find()
    if head is None:
        return {"outcome": Outcome.FAILED.value, "summary": "the run never began"}
    if head.get(UID, "") != uid:  # its record and its weights are not ours
        text = f"the run never began: {stage.store.run} is the run of another workflow"
        return {"outcome": Outcome.FAILED.value, "summary": text}
    try:
        ended = conclude(stage)
    except Stopped as stop:  # the guard is ending it, too: look again
        raise BackendError(str(stop)) from stop
    found = {"outcome": ended.outcome.value, "summary": ended.sentence}
    with suppress(CrossfadeError):  # the outcome is recorded: no report is no reason to fail
        found[contract.REPORT_FILE] = page(stage.entries())
    return found


def _restore(summary: str) -> dict[str, str]:
    return {"action": contract.RESTORE_NOW, "summary": summary}


def _concluded(stage: Stage, ended: Ended) -> dict[str, str]:
    stage.store.append_once(record.concluded(ended.outcome, ended.sentence, ended.winner))
    return _restore(ended.sentence)


def stopped(stage: Stage, step: str, stop: Stopped) -> Outputs:
    """Record why the run must end now; the workflow goes on to restore the weights."""
    if not isinstance(stop, EndedElsewhere):
        text = safety.with_who_serves(stop.outcome, str(stop), stage.entries())
        stage.store.append_once(record.concluded(stop.outcome, text, None))
    return {"action": contract.RESTORE_NOW, "summary": str(stop), "next": "0", "pause": "1s"}


STEPS: Mapping[str, Callable[..., Outputs]] = {
    "check": check, "deploy": deploy, "load": start_load, "evaluate": evaluate_step,
    "set-weights": set_weights, "iterate": iterate_step, "watch": promotion.watch,
    "promote": promotion.promote_step, "restore": restore, "verify": promotion.verify_step,
    "finish": finish, "guard": guard.watch_over, "doctor": doctor.doctor,
}  # fmt: skip
