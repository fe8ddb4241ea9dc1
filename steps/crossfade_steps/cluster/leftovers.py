"""Rollouts that travelled as ConfigMaps of their own, and that nobody refers to any more.

They belong to no run: several runs, a template and a schedule may share one, named by its content.
In doubt one stays.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from crossfade.contract import BUNDLE_PART, PART_LABEL, bundle_name
from crossfade.errors import BackendError
from crossfade_steps.cluster.kube import Kube
from crossfade_steps.ports import Object, ObjectKey

ARGO = "argoproj.io"
CARRIERS = (
    (ARGO, "Workflow"), (ARGO, "WorkflowTemplate"), (ARGO, "CronWorkflow"), (ARGO, "Sensor"),
    ("batch", "Job"),
)  # fmt: skip
"""What may name a rollout's ConfigMap: Argo's objects, those of Argo Events, and guards."""
NAMED = re.compile(re.escape(bundle_name("")) + "[0-9a-f]+")


def unused(kube: Kube, namespace: str) -> list[Object]:
    """Return the rollouts' ConfigMaps of a namespace that nothing there refers to.

    Raises ``BackendError`` where it cannot be known: a kind may not be listed, or a run that goes
    on does not say which rollout it is of.
    """
    found = kube.list("", "ConfigMap", namespace, f"{PART_LABEL}={BUNDLE_PART}")
    if not found:
        return []
    named = set(_named(kube, namespace))
    return [stored for stored in found if stored["metadata"]["name"] not in named]


def _named(kube: Kube, namespace: str) -> Iterator[str]:
    for group, kind in CARRIERS:
        if kube.knows(group, kind):
            yield from NAMED.findall(json.dumps(kube.list(group, kind, namespace), default=str))
    for run in kube.list("", "ConfigMap", namespace, f"{PART_LABEL}=run"):
        data = run.get("data") or {}
        if data.get("digest"):
            yield bundle_name(data["digest"])
        elif not data.get("outcome"):
            raise BackendError(f"run {run['metadata']['name']} does not say what it carries out")


def remove(kube: Kube, namespace: str, stored: Object) -> None:
    """Delete one, unless it was made anew since it was looked at."""
    metadata = stored["metadata"]
    key = ObjectKey("", "ConfigMap", namespace, str(metadata["name"]))
    kube.delete(key, uid=metadata["uid"])
