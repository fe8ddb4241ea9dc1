"""The Jobs of a run's load: made once, and never taken from a run that goes on."""

from __future__ import annotations

from collections.abc import Mapping

from crossfade import record
from crossfade.errors import BackendError, CrossfadeError
from crossfade_steps import deploy
from crossfade_steps.cluster import load
from crossfade_steps.cluster.conclude import deployed_of
from crossfade_steps.cluster.stage import Stage
from crossfade_steps.cluster.store import MANAGED, RUN_LABEL, RunStore
from crossfade_steps.ports import Object, ObjectKey

GONE_SECONDS = 60


def create_jobs(stage: Stage) -> None:
    """Create the Jobs of the run's load and record them; those of a retried step are kept.

    Raises ``BackendError`` where one has the name of another run's that is not surely over.
    """
    run, objects = stage.run, deployed_of(stage.entries()).objects
    deployments = {v: n.partition("/")[2] for v, names in objects.items() for n in names}
    for job in load.jobs(run.bundle, run.name, stage.image, deployments, stage.namespace):
        key = ObjectKey.of(job, run.bundle.namespace)
        stored = stage.kube.get(key)
        if stored is not None and not _own(stage, key, stored):
            labels = _labels(stored)
            if RUN_LABEL not in labels or not MANAGED.items() <= labels.items():
                run.notes.append(f"{key} was there before: left as it is")
                continue
            _refuse_living(stage, key, labels)
            stage.kube.delete(key, uid=deploy.uid(stored))  # of a dead run, which did not end it
            _wait_gone(stage, key)
            stored = None
        stored = stored or stage.kube.create(job)
        name = f"Job/{key.namespace}/{key.name}"
        run.record.append(record.created(name, deploy.uid(stored)))


def _own(stage: Stage, key: ObjectKey, stored: Object) -> bool:
    labels = _labels(stored)
    place = labels.get(load.RUN_NAMESPACE, key.namespace)
    return (place, labels.get(RUN_LABEL)) == (stage.namespace, stage.run.name)


def _labels(stored: Object) -> Mapping[str, str]:
    return stored["metadata"].get("labels") or {}


def _refuse_living(stage: Stage, key: ObjectKey, labels: Mapping[str, str]) -> None:
    """Refuse to take the load of another run that goes on, or of which nobody can tell.

    A Job that does not say where its run's state is was made by an older version, or by hand.
    """
    place, run = labels.get(load.RUN_NAMESPACE), labels[RUN_LABEL]
    of = f"{key} is the load of run {place or key.namespace}/{run}"
    why, hint = "", f"kubectl delete job -n {key.namespace} {key.name}, once that run is over"
    try:
        head = RunStore(stage.kube, place or key.namespace, run).find()
        if head is None and place is None:
            why = "it is not there"
    except CrossfadeError as error:
        why = str(error)
    if why:
        raise BackendError(f"{of}, of which nobody can tell whether it goes on: {why}", hint=hint)
    if head is not None and not head.get("outcome"):
        hint = "give the Jobs of each rollout names of their own"
        raise BackendError(f"{of}, which goes on", hint=hint)


def _wait_gone(stage: Stage, key: ObjectKey) -> None:
    until = stage.run.clock.now() + GONE_SECONDS
    while stage.kube.get(key) is not None:
        stage.run.raise_alarm()
        if stage.run.clock.now() > until:
            raise BackendError(f"{key} is still there {GONE_SECONDS} s after its deletion")
        stage.run.clock.sleep(0.5)
