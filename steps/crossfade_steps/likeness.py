"""Whether two objects ask for the same: a manifest and what is stored, a baseline and a candidate.

The API server writes what it stores in its own way: quantities in canonical form, empty lists and
mappings left out, defaults filled in.  None of that is a difference.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Any

from crossfade.spec.ownership import service_name
from crossfade.spec.source import listed, look, mapped
from crossfade_steps.ports import Object

NO_CONTENT = ("apiVersion", "kind", "metadata", "status")
NO_MODEL = ("name", "traffic", "annotations", "labels")
"""What of a predictor says nothing of the model that it serves."""
NO_PODS = ("metadata", "hpaSpec", "kedaSpec", "pdbSpec")
"""What of a predictor's component says nothing of its containers."""
COMPONENTS = ("predictor", "transformer", "explainer")
"""The parts of an InferenceService that have pods, and annotations for them."""
NO_PART = (
    "minReplicas", "maxReplicas", "scaleTarget", "scaleMetric", "scaleMetricType", "autoScaling",
    "canaryTrafficPercent", "annotations", "labels",
)  # fmt: skip
"""What of such a part only scales it, moves traffic, or is written on its pods."""
ENDPOINTS = ("default", "canary")
"""KFServing v1alpha2 has the parts twice, one level down."""
LEFT_OUT = ("readOnly", "stdin", "tty", "hostNetwork", "hostPID", "hostIPC", "paused")
"""Fields that the API server does not store where they are false (omitempty, no pointer)."""
QUANTITIES = ("limits", "requests", "sizeLimit", "divisor")
"""Fields whose texts are amounts (resource.Quantity)."""
READ = "crossfade.dev/read"
"""The annotation of a candidate's pods that changes with what they read; it is no model's."""


def content(document: Object) -> Mapping[str, Any]:
    """Return what an object is about: its spec, a ConfigMap's data, a Role's rules."""
    return {key: value for key, value in document.items() if key not in NO_CONTENT}


def said(documents: Iterable[Object]) -> str:
    """Return all that some objects say, for comparing and for a digest."""
    return json.dumps([content(document) for document in documents], sort_keys=True)


def differs(existing: Object, manifest: Object) -> bool:
    """Return whether the manifest asks for anything that the stored object does not have."""
    return not covers(content(existing), content(manifest))


def covers(have: Any, want: Any, *, amount: bool = False) -> bool:
    """Return whether a stored value has everything that a wanted one says.

    ``amount`` tells that texts are quantities here: ``0.5`` is stored as ``500m``.  An empty
    mapping and null leave everything to the server, which fills it in; an empty list is a value.
    An empty text is not stored where it is left out at once (``value: ""`` of a variable).
    """
    if want is None:
        return True
    if have is None and want in ({}, [], ""):
        return True
    if isinstance(want, Mapping):
        return isinstance(have, Mapping) and all(
            covers(have.get(k), v, amount=amount or k in QUANTITIES)
            or (have.get(k) is None and v is False and k in LEFT_OUT)
            for k, v in want.items()
        )
    if isinstance(want, list):
        return (
            isinstance(have, list)
            and len(have) == len(want)
            and all(covers(h, w, amount=amount) for h, w in zip(have, want, strict=True))
        )
    return bool(have == want) or (amount and _amount(have) == _amount(want) is not None)


def _amount(value: Any) -> Decimal | None:
    from kubernetes.utils.quantity import parse_quantity  # slow to import, and seldom asked for

    with suppress(ValueError):
        return Decimal(parse_quantity(value))
    return None


def unscaled(document: Object) -> Object:
    """Return a document without what scaling changes."""
    spec = copy.deepcopy(document.get("spec"))
    _drop_replicas(spec)
    return {**document, "spec": spec}


def identity(stored: Object | None) -> str | None:
    """Return what a workload runs, without what scaling changes and our mark; None for none.

    Nor do labels, annotations, selectors and traffic count: they name a copy, not a model
    (faults C53: after an edit of its autoscaling a rejected candidate is still the same).
    """
    if stored is None:
        return None
    spec = copy.deepcopy(dict(stored.get("spec") or {}))
    if "template" in spec:  # Deployment, StatefulSet, a Service of Knative
        spec = dict(mapped(spec, ("template", "spec")))
    if "predictors" in spec:
        spec["predictors"] = [_served(predictor) for predictor in listed(spec, ("predictors",))]
        spec.pop("annotations", None)
    if stored.get("kind") == "InferenceService":
        spec = endpoint(spec)
    _drop_replicas(spec)
    _drop_marks(spec)
    return json.dumps(spec, sort_keys=True)


def endpoint(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an InferenceService's spec, or one endpoint of v1alpha2, says of its models."""
    made = {k: v for k, v in spec.items() if k not in NO_PART}
    for name in COMPONENTS:
        if isinstance(part := made.get(name), Mapping):
            made[name] = {k: v for k, v in part.items() if k not in NO_PART}
    for name in ENDPOINTS:
        if isinstance(part := made.get(name), Mapping):
            made[name] = endpoint(part)
    return made


def predictor_of(stored: Object | None, host: str) -> str | None:
    """Return what the predictor behind a host runs, None where no predictor has that Service.

    Two versions may be two predictors of one SeldonDeployment: its spec is the same for both.
    """
    name = str(look(stored, ("metadata", "name")))
    for predictor in listed(stored, ("spec", "predictors")):
        if service_name(predictor, name) == host.partition(".")[0]:
            return predictor_model(predictor)
    return None


def predictor_model(predictor: Mapping[str, Any]) -> str:
    """Return what a predictor runs, without its name, its traffic and what scaling changes."""
    own = _served(copy.deepcopy(dict(predictor)))
    _drop_replicas(own)
    _drop_marks(own)
    return json.dumps(own, sort_keys=True)


def _served(predictor: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a predictor says of its model; a component that only scales it says nothing."""
    own = {k: v for k, v in predictor.items() if k not in NO_MODEL}
    parts = [{k: v for k, v in part.items() if k not in NO_PODS}
             for part in listed(own, ("componentSpecs",))]  # fmt: skip
    own["componentSpecs"] = [part for part in parts if _says_of_pods(part)]
    return own


def _says_of_pods(component: Mapping[str, Any]) -> bool:
    """Return whether a component says more than its containers' names and its number."""
    pods = dict(mapped(component, ("spec",)))
    containers = pods.pop("containers", None) or []
    rest = {k: v for k, v in component.items() if k not in ("spec", "replicas")}
    return bool(rest or pods or any(set(container) - {"name"} for container in containers))


def _drop_replicas(node: Any) -> None:
    if isinstance(node, dict):
        node.pop("replicas", None)
        for value in node.values():
            _drop_replicas(value)
    elif isinstance(node, list):
        for value in node:
            _drop_replicas(value)


def _drop_marks(node: Any) -> None:
    """Take our mark away, with what is empty without it."""
    if isinstance(node, list):
        for value in node:
            _drop_marks(value)
    if not isinstance(node, dict):
        return
    for value in node.values():
        _drop_marks(value)
    annotations = node.get("annotations")
    if isinstance(annotations, dict) and annotations.pop(READ, None) and not annotations:
        del node["annotations"]
    if node.get("metadata") in ({}, None):
        node.pop("metadata", None)
