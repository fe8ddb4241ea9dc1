"""The guard: a Job of its own that ends a run when nothing else can any more.

No weight moves before its heartbeat is there.  It acts at once when the Workflow is deleted or
terminated, and 25 s after any other end without an outcome; concluded means that ``outcome`` is set
in ``<run>``, never the Workflow's phase (design section 4).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from crossfade.contract import GUARD, IMAGE_VARIABLE, MODULE
from crossfade.errors import BackendError, Conflict
from crossfade.spec.names import dns_name
from crossfade_steps.cluster import load, workflow
from crossfade_steps.cluster.conclude import conclude
from crossfade_steps.cluster.stage import Stage

POLL_SECONDS = 2.0
PATIENCE_SECONDS = 25.0
START_SECONDS = 180.0
TERMINATE = "Terminate"


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
    name = dns_name(f"{stage.store.run}-guard", load.MOST_NAME)
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


def watch_over(stage: Stage) -> Mapping[str, str]:
    """Stay until the run has its outcome, and see to it that it gets one."""
    clock, ended_at = stage.run.clock, 0.0
    while True:
        try:
            head = stage.store.find()
            if head is None or head.get("outcome"):
                return {}
            stage.store.write(heartbeat=f"{clock.now():.0f}")
            state = workflow.look(stage.kube, stage.namespace, stage.store.run)
            if not state.ended and state.there:
                ended_at = 0.0
            elif not ended_at:
                ended_at = clock.now()
            gone = not state.there or (state.ended and state.shutdown == TERMINATE)
            if ended_at and (gone or clock.now() - ended_at >= PATIENCE_SECONDS):
                print(f"guard: {conclude(stage).sentence}", flush=True)
                continue
        except BackendError as error:
            print(f"guard: {error}", flush=True)
        clock.sleep(POLL_SECONDS)
