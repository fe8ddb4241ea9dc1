"""An object of every kind that weights are driven in, with its router."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from crossfade.spec.experiment import Experiment
from crossfade_steps.embedded.store import Store
from crossfade_steps.ports import ObjectKey, Objects
from crossfade_steps.routers.objects import ObjectRouter


@dataclass(frozen=True)
class Kind:
    """A routing object with two managed destinations at 100/0, and where their weights are."""

    api_version: str
    kind: str
    spec: dict[str, Any]
    paths: tuple[str | None, str]
    foreign: tuple[str | int, ...] = ()


def destination(host: str, **weight: int) -> dict[str, Any]:
    headers = {"response": {"set": {"version": host}}}
    return {"destination": {"host": host}, "headers": headers, **weight}


KINDS = {
    "VirtualService": Kind(
        "networking.istio.io/v1beta1", "VirtualService",
        {"hosts": ["h"], "http": [
            {"match": [{"uri": {"prefix": "/healthz"}}], "redirect": {"uri": "/"}},
            {"corsPolicy": {"allowOrigin": ["*"]}, "timeout": "3s",
             "route": [destination("a", weight=80), destination("b"),
                       destination("legacy", weight=20)]}]},
        (".spec.http[1].route[0].weight", ".spec.http[1].route[1].weight"),
        ("http", 1, "route", 2, "weight"),
    ),
    "HTTPRoute": Kind(
        "gateway.networking.k8s.io/v1", "HTTPRoute",
        {"rules": [{"backendRefs": [{"name": "a", "port": 1}, {"name": "b", "weight": 0}]}]},
        (".spec.rules[0].backendRefs[0].weight", ".spec.rules[0].backendRefs[1].weight"),
    ),
    "TrafficSplit": Kind(
        "split.smi-spec.io/v1alpha1", "TrafficSplit",
        {"service": "s", "backends": [{"service": "a", "weight": 900}, {"service": "b"}]},
        (".spec.backends[0].weight", ".spec.backends[1].weight"),
    ),
    "Route": Kind(
        "route.openshift.io/v1", "Route",
        {"to": {"kind": "Service", "name": "a", "weight": 256},
         "alternateBackends": [{"kind": "Service", "name": "b", "weight": 0}]},
        (".spec.to.weight", ".spec.alternateBackends[0].weight"),
    ),
    "Service": Kind(
        "serving.knative.dev/v1", "Service",
        {"traffic": [{"revisionName": "a", "percent": 100}, {"latestRevision": True}]},
        (".spec.traffic[0].percent", ".spec.traffic[1].percent"),
    ),
    "SeldonDeployment": Kind(
        "machinelearning.seldon.io/v1", "SeldonDeployment",
        {"predictors": [{"name": "a", "traffic": 100}, {"name": "b", "traffic": 0},
                        {"name": "s", "shadow": True, "traffic": 100}]},
        (".spec.predictors[0].traffic", ".spec.predictors[1].traffic"),
        ("predictors", 2, "traffic"),
    ),
    "InferenceService": Kind(
        "serving.kserve.io/v1beta1", "InferenceService",
        {"predictor": {"canaryTrafficPercent": 0, "model": {"storageUri": "gs://b/m"}}},
        (None, ".spec.predictor.canaryTrafficPercent"),
    ),
}  # fmt: skip


def experiment(kind: Kind, namespace: str = "shop") -> Experiment:
    versions = []
    for name, path in zip(("v1", "v2"), kind.paths, strict=True):
        ref = {"apiVersion": kind.api_version, "kind": kind.kind, "name": "route",
               "namespace": namespace, "fieldPath": path}  # fmt: skip
        versions.append({"name": name, **({"weightObjRef": ref} if path else {})})
    spec = {
        "target": "t",
        "strategy": {"testingPattern": "Canary"},
        "versionInfo": {"baseline": versions[0], "candidates": versions[1:]},
    }
    document = {"apiVersion": "iter8.tools/v2alpha2", "kind": "Experiment", "spec": spec}
    return Experiment.model_validate(document)


class Case:
    """One kind's object in a store (the embedded one, or a cluster's API), with its router."""

    def __init__(self, kind: Kind, store: Objects | None = None, namespace: str = "shop") -> None:
        self.kind, self.store = kind, store or Store()
        group = kind.api_version.rpartition("/")[0]
        self.key = ObjectKey(group, kind.kind, namespace, "route")
        metadata = {"name": "route", "namespace": namespace}
        self.store.create(
            {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata,
             "spec": copy.deepcopy(kind.spec)}
        )  # fmt: skip
        self.router = ObjectRouter(experiment(kind, namespace), self.store)

    def stored(self) -> dict[str, Any]:
        return dict(self.store.get(self.key) or {})

    def write(self, candidate: int) -> dict[str, int]:
        weights = {"v1": 100 - candidate, "v2": candidate}
        return dict(self.router.write(self.router.read(), weights).weights)
