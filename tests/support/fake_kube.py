"""The Kubernetes API in memory, as far as the steps on a cluster use it, and a stage on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from rig import VS, Rig, bundle, deployment, route

from crossfade import record
from crossfade.errors import BackendError, Conflict
from crossfade.spec.rollout import Bundle
from crossfade_steps.cluster.lease import Lease, Leases
from crossfade_steps.cluster.leased import LeasedObjects, LeasedRouter
from crossfade_steps.cluster.stage import Control, Stage
from crossfade_steps.cluster.store import UID, RunStore
from crossfade_steps.embedded.store import Store
from crossfade_steps.ports import FIELD_MANAGER, ObjectKey
from crossfade_steps.routers.objects import ObjectRouter

NAMESPACE, RUN = "default", "web-1"
WORKFLOW = ObjectKey("argoproj.io", "Workflow", NAMESPACE, RUN)
HEAD = ObjectKey("", "ConfigMap", NAMESPACE, RUN)


class FakeKube(Store):
    """A store with merge patches and lists; ``failing`` maps a kind to how often it is down.

    As the API server does, it notes in ``managedFields`` who wrote (``writer``), though not which
    fields: the list may be replaced, an empty one changes nothing, ``[{}]`` takes it away.
    """

    def __init__(self) -> None:
        super().__init__()
        self.failing: dict[str, int] = {}
        self.writer = FIELD_MANAGER

    def create(self, manifest: Mapping[str, Any]) -> Any:
        metadata = {**manifest["metadata"]}
        metadata.setdefault(
            "name", f"{metadata.get('generateName')}{len(Store.list(self, 'Event'))}"
        )
        metadata["managedFields"] = [self._entry(manifest)]
        return super().create({**manifest, "metadata": metadata})

    def _entry(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        return {"manager": self.writer, "operation": "Update",
                "apiVersion": manifest["apiVersion"], "fieldsType": "FieldsV1",
                "fieldsV1": {"f:spec": {}}}  # fmt: skip

    def _replace(self, key: ObjectKey, changed: dict[str, Any]) -> Any:
        existing, entry = self._objects[key], self._entry(changed)
        listed = changed["metadata"].get("managedFields") or existing["metadata"]["managedFields"]
        listed = [] if listed == [{}] else listed
        without = {**changed, "metadata": {**changed["metadata"], "managedFields": None}}
        before = {**existing, "metadata": {**existing["metadata"], "managedFields": None}}
        if without != before and entry not in listed:
            listed = [*listed, entry]
        return super()._replace(
            key, {**without, "metadata": {**without["metadata"], "managedFields": listed}}
        )

    def merge(self, key: ObjectKey, part: Mapping[str, Any], *, accept: str = "") -> Any:
        self._fail(key)
        with self._lock:
            stored = self.get(key)
            if stored is None:
                raise BackendError(f"{key} does not exist")
            version = (part.get("metadata") or {}).get("resourceVersion")
            if version not in (None, stored["metadata"]["resourceVersion"]):
                raise Conflict(f"{key} changed in between")
            return self._replace(key, _merged(stored, part))

    def listed(self, kind: str, selector: str) -> list[Any]:
        wanted = dict(pair.split("=") for pair in selector.split(",") if pair)
        return [dict(s) for s in Store.list(self, kind)
                if wanted.items() <= (s["metadata"].get("labels") or {}).items()]  # fmt: skip

    def _fail(self, key: ObjectKey) -> None:
        if self.failing.get(key.kind, 0):
            self.failing[key.kind] -= 1
            raise BackendError(f"{key}: timed out")


class Kube:
    """The fake with the list of a cluster, which takes a group and a namespace."""

    def __init__(self, fake: FakeKube) -> None:
        self._fake = fake
        self.namespace = NAMESPACE

    def __getattr__(self, name: str) -> Any:
        return getattr(self._fake, name)

    def list(self, group: str, kind: str, namespace: str, selector: str = "") -> Any:
        found = self._fake.listed(kind, selector)
        return [o for o in found if namespace in (None, o["metadata"].get("namespace", NAMESPACE))]

    def within(self, seconds: float) -> Any:
        """Return a copy, as the API does: it keeps the namespace of now."""
        hurried = type(self)(self._fake)
        hurried.namespace = self.namespace
        return hurried

    def knows(self, group: str, kind: str, version: str = "") -> bool:
        return True

    def require(self, manifest: Any) -> None:
        """Serve every kind."""


def _merged(stored: Any, part: Any) -> dict[str, Any]:
    merged = dict(stored)
    for name, value in part.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, Mapping):
            merged[name] = _merged(merged.get(name) or {}, value)
        else:
            merged[name] = value
    return merged


@dataclass
class Cluster:
    """A run on the fake cluster: its stage, and the parts that a test changes."""

    rig: Rig
    fake: FakeKube
    stage: Stage
    healed: bool = False

    def another(self) -> Stage:
        """Return the stage of another container of the same run."""
        return stage_of(self.rig, self.fake)

    def weights(self) -> list[int]:
        return [r["weight"] for r in (self.fake.get(VS) or {})["spec"]["http"][0]["route"]]

    def set_weights(self, *weights: int) -> None:
        self.fake.patch(VS, [{"op": "add", "path": f"/spec/http/0/route/{i}/weight", "value": w}
                             for i, w in enumerate(weights)])  # fmt: skip

    def head(self) -> dict[str, str]:
        return dict((self.fake.get(HEAD) or {})["data"])


def stage_of(rig: Rig, fake: FakeKube) -> Stage:
    """Return the stage of one container on the fake cluster."""
    kube: Any = Kube(fake)
    store, experiment = RunStore(kube, NAMESPACE, RUN), rig.run.bundle.experiment
    routed = ObjectRouter(experiment, fake).keys()
    lease = Leases([Lease(kube, key, f"{NAMESPACE}/{RUN}", rig.clock) for key in routed])
    router = ObjectRouter(experiment, LeasedObjects(kube, lease))
    control = Control(store, rig.clock, None)
    run = replace(
        rig.run, name=RUN, objects=kube, router=LeasedRouter(router, lease), record=store,
        alarm=control.alarm, paused=control.paused, order=control.order, hold=lease.hold,
    )  # fmt: skip
    return Stage(run, kube, store, lease, "steps:0", "", store)


def iterating(whole: Bundle | None = None, *weights: int) -> Cluster:
    """Return a run in its iterations, at 70/30 if not said; its Workflow runs."""
    fake, rig = FakeKube(), Rig(whole or bundle())
    fake.writer = "kubectl"
    for manifest in (deployment("base", "old"), deployment("cand", "new"), route()):
        fake.create(manifest)
    fake.writer = FIELD_MANAGER
    fake.create({"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow",
                 "metadata": {"name": RUN, "namespace": NAMESPACE}, "spec": {},
                 "status": {"phase": "Running"}})  # fmt: skip
    cluster = Cluster(rig, fake, stage_of(rig, fake))
    stage = cluster.stage
    uid = (fake.get(WORKFLOW) or {})["metadata"]["uid"]
    stage.store.create({}, {"phase": "checking", UID: uid})
    stage.store.append(record.header(RUN, rig.run.bundle, rig.clock.now()))
    stage.lease.take()
    stage.store.append(record.phase("iterating", rig.run.all_baseline))
    cluster.set_weights(*(weights or (70, 30)))
    return cluster
