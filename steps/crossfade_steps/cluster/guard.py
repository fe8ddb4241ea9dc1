"""The guard: a Job of its own that ends a run when nothing else can any more.

No weight moves before its heartbeat is there.  It acts at once when the Workflow is deleted or
terminated, and 25 s after any other end without an outcome, or after an abort that no step obeys
since none is awake; concluded means that ``outcome`` is set in ``<run>``, never the Workflow's
phase, which says nothing about the weights.  With each heartbeat it keeps the run's Lease;
between two pods of long intervals it looks for broken limits.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime

from crossfade import record
from crossfade.contract import GUARD, IMAGE_VARIABLE, MODULE
from crossfade.errors import BackendError, Conflict, CrossfadeError
from crossfade.spec.names import dns_name
from crossfade.verdict import Decision, Outcome
from crossfade_steps.cluster import load, workflow
from crossfade_steps.cluster.approval import end_waiting
from crossfade_steps.cluster.between import Between
from crossfade_steps.cluster.conclude import conclude
from crossfade_steps.cluster.gate import APPROVAL
from crossfade_steps.cluster.stage import ABORT, Stage, aborted
from crossfade_steps.cluster.store import UID
from crossfade_steps.ports import Clock
from crossfade_steps.run import Stopped
from crossfade_steps.safety import Phase, with_who_serves

POLL_SECONDS = 2.0
PATIENCE_SECONDS = 25.0
START_SECONDS = 180.0
TERMINATE = "Terminate"
PROMOTION = (Phase.PROMOTING, Phase.VERIFIED)


def job_name(run: str) -> str:
    """Return the name of a run's guard."""
    return dns_name(f"{run}-guard", load.MOST_NAME)


def start(stage: Stage) -> None:
    """Create the guard and wait for its heartbeat.

    Raises ``BackendError`` with the reason when it does not come.
    """
    container = {
        "name": "guard", "image": stage.image, "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-m", MODULE],
        "args": [GUARD.name, "--run", stage.store.run, "--bundle", stage.bundle_text],
        "env": [{"name": IMAGE_VARIABLE, "value": stage.image}],
    }  # fmt: skip
    name = job_name(stage.store.run)
    job = load.job(
        name, stage.namespace, stage.store.run, container,
        serviceAccountName=stage.account, automountServiceAccountToken=True,
    )  # fmt: skip
    with suppress(Conflict):  # a retried step: it is there
        stage.kube.create(job)
    clock, until = stage.run.clock, stage.run.clock.now() + START_SECONDS
    while not stage.store.head().get("heartbeat"):
        if clock.now() > until:
            raise BackendError(
                f"guard {stage.namespace}/{name} gave no heartbeat within {START_SECONDS:.0f} s",
                hint=f"kubectl describe job -n {stage.namespace} {name}",
            )
        clock.sleep(0.5)


class Lasting:
    """For how long something has held without a break."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since: float | None = None

    def seconds(self, holds: bool) -> float:
        """Return the seconds since it began to hold; 0 when it does not."""
        now = self._clock.now()
        self._since = (self._since if self._since is not None else now) if holds else None
        return 0.0 if self._since is None else now - self._since


def watch_over(stage: Stage) -> Mapping[str, str]:
    """Stay until the run has its outcome, and see to it that it gets one."""
    clock = stage.run.clock
    over, asked, between = Lasting(clock), Lasting(clock), Between(stage)
    while True:
        try:
            head = stage.store.find()
            if head is None or head.get("outcome"):
                return {}
            _beat(stage)
            uid = head.get(UID, "")
            state = workflow.look(stage.kube, stage.namespace, stage.store.run, uid)
            gone = not state.there or (state.ended and state.shutdown == TERMINATE)
            if gone or over.seconds(state.ended) >= PATIENCE_SECONDS:
                return _concluded(stage)
            decision = between.broken(head) if _same(stage, head) else None
            if decision is not None:
                return _rolled_back(stage, decision)
            if asked.seconds(_unheard(head)) >= PATIENCE_SECONDS:
                _stopped(stage, aborted(head))
                return _concluded(stage)
        except CrossfadeError as error:
            print(f"guard: {error}", flush=True)
        clock.sleep(POLL_SECONDS)


def _same(stage: Stage, head: Mapping[str, str]) -> bool:
    """Return whether this is the rollout that began: its metrics are in no other."""
    return head.get("digest") in (None, stage.run.bundle.digest)


def _beat(stage: Stage) -> None:
    stage.store.write(heartbeat=f"{stage.run.clock.now():.0f}")
    with suppress(CrossfadeError):  # a Lease that is lost stops the step that changes weights
        stage.lease.renew()


def _unheard(head: Mapping[str, str]) -> bool:
    """Return whether an abort waits for a step; a promotion under way is not broken off."""
    return head.get("control") == ABORT and head.get("phase") not in PROMOTION


def _stopped(stage: Stage, stop: Stopped) -> None:
    text = with_who_serves(stop.outcome, str(stop), stage.entries())
    stage.store.append_once(record.concluded(stop.outcome, text, None))


def _rolled_back(stage: Stage, decision: Decision) -> Mapping[str, str]:
    """End a run of which a limit is proven to be broken while no step is awake."""
    outcome = decision.outcome or Outcome.ROLLED_BACK
    stage.store.append_once(record.concluded(outcome, decision.reason, decision.winner))
    return _concluded(stage)


def _concluded(stage: Stage) -> Mapping[str, str]:
    found = conclude(stage)
    print(f"guard: {found.sentence}", flush=True)
    if workflow.waits(stage.kube.get(workflow.key(stage.namespace, stage.store.run)), APPROVAL):
        now = datetime.fromtimestamp(stage.run.clock.now(), UTC)
        undone = end_waiting(stage.kube, stage.store, found.outcome, now)
        print(f"guard: {undone or 'nobody is waited for any more'}", flush=True)
    return {}
