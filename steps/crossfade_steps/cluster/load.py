"""Load as Jobs: the user's own, or one of ours for plain load and for feedback."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from crossfade.errors import SpecError
from crossfade.spec.names import dns_name
from crossfade.spec.requests import fortio_words
from crossfade.spec.rollout import Bundle, FeedbackLoad, FortioLoad, JobLoad
from crossfade.spec.secrets import keys_in, put_in
from crossfade_steps.cluster.store import MANAGED, RUN_LABEL

FORTIO = "fortio/fortio"
FEEDBACK_PATH = "/api/v1.0/feedback"
MOST_NAME = 63
RUN_NAMESPACE = "crossfade.dev/run-namespace"
"""The label of a load's Job that says where its run's state is; the Job may be elsewhere."""


def jobs(
    bundle: Bundle, run: str, image: str, deployments: Mapping[str, str], namespace: str = ""
) -> list[dict[str, Any]]:
    """Return every Job of a run's load, each labelled with the run and with where its state is.

    ``namespace`` is the run's, the rollout's if not given.  ``deployments`` maps a version to
    ``namespace/name``: rewards go to the one that answered.
    """
    found: list[dict[str, Any]] = []
    for load in bundle.load:
        if isinstance(load, JobLoad):
            found += load.jobs
        else:
            name = dns_name(f"{run}-load-{len(found) + 1}", MOST_NAME)
            container = _container(load, image, deployments)
            container |= _environment(load, bundle.namespace)
            found.append(job(name, bundle.namespace, run, container))
    own = {**MANAGED, RUN_LABEL: run, RUN_NAMESPACE: namespace or bundle.namespace}
    return [_labelled(each, bundle.namespace, own) for each in found]


def _labelled(job: Mapping[str, Any], namespace: str, labels: Mapping[str, str]) -> dict[str, Any]:
    whole = copy.deepcopy(dict(job))
    metadata = whole.setdefault("metadata", {})
    metadata.setdefault("namespace", namespace)
    metadata["labels"] = {**(metadata.get("labels") or {}), **labels}
    return whole


def _container(
    load: FortioLoad | FeedbackLoad, image: str, deployments: Mapping[str, str]
) -> dict[str, Any]:
    if isinstance(load, FortioLoad):
        return {"name": "fortio", "image": FORTIO, "command": ["fortio"],
                "args": fortio_words(_named(load), load.url)}  # fmt: skip
    settings = feedback_settings(load, deployments)
    text = base64.b64encode(json.dumps(settings, sort_keys=True).encode()).decode()
    return {"name": "feedback", "image": image, "imagePullPolicy": "IfNotPresent",
            "command": ["python", "-m", "crossfade_steps.loadgen.feedback"],
            "args": [text]}  # fmt: skip


def feedback_settings(load: FeedbackLoad, deployments: Mapping[str, str]) -> dict[str, Any]:
    """Return what the feedback generator reads: rewards go by the gateway's prefix path."""
    parts = urlsplit(load.url)
    gateway = f"{parts.scheme}://{parts.netloc}"
    urls = {version: f"{gateway}/seldon/{name}{FEEDBACK_PATH}"
            for version, name in deployments.items()}  # fmt: skip
    return {**load.model_dump(mode="json"), "feedback_urls": {} if load.feedback_url else urls,
            "key_variables": _variables(load)}  # fmt: skip


def _variables(load: FortioLoad | FeedbackLoad) -> dict[str, str]:
    """Return the container's variable for each key of a Secret that the headers name."""
    keys = keys_in(load.headers.values()) if load.secret else ()
    return {key: f"CROSSFADE_KEY_{i}" for i, key in enumerate(keys, 1)}


def _named(load: FortioLoad) -> FortioLoad:
    """Return the load with ``$(VARIABLE)`` for each key: the kubelet puts the values in."""
    variables = _variables(load)
    if not variables:
        return load
    headers = put_in(load.headers, lambda key: f"$({variables[key]})")
    return load.model_copy(update={"headers": headers})


def _environment(load: FortioLoad | FeedbackLoad, namespace: str) -> dict[str, Any]:
    """Return the part of a container with its variables from a Secret, empty without any.

    Raises ``SpecError`` for a Secret of another namespace, which no pod can refer to.
    """
    place, _, own = (load.secret or "").rpartition("/")
    if place not in ("", namespace):
        raise SpecError(f"load: secret {load.secret}, expected one of namespace {namespace}")
    found = [{"name": name, "valueFrom": {"secretKeyRef": {"name": own, "key": key}}}
             for key, name in _variables(load).items()]  # fmt: skip
    return {"env": found} if found else {}


def job(
    name: str, namespace: str, run: str, container: Mapping[str, Any], **pod: Any
) -> dict[str, Any]:
    """Return a Job of ours: as nobody, read-only, outside the mesh, retried when it dies."""
    secured = {
        **container,
        "resources": {"requests": {"cpu": "20m", "memory": "64Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    labels = {**MANAGED, RUN_LABEL: run, "sidecar.istio.io/inject": "false"}
    spec = {
        "restartPolicy": "OnFailure",
        "terminationGracePeriodSeconds": 5,
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True, "runAsUser": 65532, "runAsGroup": 65532, "fsGroup": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [secured],
        **pod,
    }  # fmt: skip
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": namespace, "labels": {**MANAGED, RUN_LABEL: run}},
        "spec": {
            "backoffLimit": 20,
            "ttlSecondsAfterFinished": 600,
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }
