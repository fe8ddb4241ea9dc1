"""Routing objects that run the models themselves, and a run over one of them."""

from __future__ import annotations

import copy
from typing import Any

from rig import Rig, bundle

from crossfade.spec.experiment import Experiment
from crossfade.spec.rollout import Bundle
from crossfade_steps.ports import ObjectKey

PERCENT = ".spec.predictor.canaryTrafficPercent"


def routed(document: dict[str, Any], *paths: str | None, promote: Any = ()) -> Bundle:
    """Return a rollout whose versions are parts of one document."""
    whole = bundle(promote=False)
    experiment = whole.experiment.model_dump(by_alias=True, exclude_none=True)
    metadata = document["metadata"]
    ref = {"apiVersion": document["apiVersion"], "kind": document["kind"],
           "name": metadata["name"], "namespace": metadata["namespace"]}  # fmt: skip
    info = experiment["spec"]["versionInfo"]
    for version, path in zip((info["baseline"], *info["candidates"]), paths, strict=True):
        version.pop("weightObjRef")
        if path is not None:
            version["weightObjRef"] = {**ref, "fieldPath": path}
    update = {"experiment": Experiment.model_validate(experiment), "deploy": (document,),
              "verify": None, "promote": {"v2": tuple(promote)} if promote else {}}  # fmt: skip
    return whole.model_copy(update=update)


def service(uri: str, percent: int | None = None, version: str = "v1beta1") -> dict[str, Any]:
    weight = {} if percent is None else {"canaryTrafficPercent": percent}
    return {"apiVersion": f"serving.kserve.io/{version}", "kind": "InferenceService",
            "metadata": {"name": "m", "namespace": "default"},
            "spec": {"predictor": {"model": {"storageUri": uri}, **weight}}}  # fmt: skip


def predictors(*parts: tuple[str, str, int | None]) -> dict[str, Any]:
    found = [{"name": name, "graph": {"name": "c", "modelUri": uri},
              **({} if traffic is None else {"traffic": traffic})}
             for name, uri, traffic in parts]  # fmt: skip
    return {"apiVersion": "machinelearning.seldon.io/v1", "kind": "SeldonDeployment",
            "metadata": {"name": "m", "namespace": "default"},
            "spec": {"predictors": found}}  # fmt: skip


def knative(image: str, *traffic: dict[str, Any], ready: str = "m-1") -> dict[str, Any]:
    return {"apiVersion": "serving.knative.dev/v1", "kind": "Service",
            "metadata": {"name": "m", "namespace": "default"},
            "spec": {"template": {"spec": {"containers": [{"image": image}]}},
                     "traffic": list(traffic)},
            "status": {"latestReadyRevisionName": ready, "latestCreatedRevisionName": ready,
                       "observedGeneration": 1}}  # fmt: skip


LATEST: dict[str, Any] = {"latestRevision": True}
PINNED: dict[str, Any] = {"revisionName": "m-1"}


class Watched(Rig):
    """A run over one routing object, with every spec that it had."""

    def __init__(self, whole: Bundle, stored: dict[str, Any] | None, **more: Any) -> None:
        super().__init__(whole, **more)
        self.key = ObjectKey.of(whole.deploy[0])
        self.specs: list[Any] = []
        if stored is not None:
            self.store.create(copy.deepcopy(stored))
        self.store.subscribe(lambda event, found: self.specs.append(found["spec"]))

    def spec(self) -> Any:
        return (self.store.get(self.key) or {})["spec"]
