"""Whether an object serves what its spec says (port ``Readiness``).

Ready means: the newest spec was seen, and updated = available = desired with no old pod left.
A SeldonDeployment has no observedGeneration: its Deployments are looked at, and that they carry
its models, since its status still says Available right after a change.  What makes revisions is
ready when the latest one is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from crossfade.errors import NeverReady
from crossfade.spec.source import listed, mapped
from crossfade_steps.cluster import revisions, seldon
from crossfade_steps.cluster.kube import Kube
from crossfade_steps.ports import Object, ObjectKey

WORKLOADS = ("Deployment", "StatefulSet")
HOPELESS = ("InvalidImageName",)  # everything else may pass, a missing image too


class KubeReadiness:
    """Readiness by the cluster's own word."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube

    def pending(self, key: ObjectKey) -> str | None:
        """Return why the object is not ready, with the reason of a failing pod; None when it is.

        Raises ``NeverReady`` when it does not exist or can never become ready.
        """
        stored = self._kube.get(key)
        if stored is None:
            raise NeverReady(f"{key} does not exist")
        if key.kind in WORKLOADS:
            return self._workload(stored)
        if key.kind == "SeldonDeployment":
            return self._seldon(key, stored)
        return revisions.pending(key, stored)

    def _workload(self, stored: Object) -> str | None:
        reason = rollout_reason(stored)
        if reason is None:
            return None
        selector = label_selector(mapped(stored, ("spec", "selector")))
        pods = self._kube.list("", "Pod", stored["metadata"]["namespace"], selector)
        trouble = "; ".join(pod_troubles(pods))
        if any(word in trouble for word in HOPELESS):
            raise NeverReady(f"{_name(stored)}: {trouble}")
        return f"{reason}; {trouble}" if trouble else reason

    def _seldon(self, key: ObjectKey, stored: Object) -> str | None:
        status = mapped(stored, ("status",))
        if status.get("state") == "Failed":
            raise NeverReady(f"{key}: failed: {status.get('description', 'without a reason')}")
        selector = f"seldon-deployment-id={key.name}"
        found = self._kube.list("apps", "Deployment", key.namespace, selector)
        lacking = seldon.lacking(stored, found)
        if lacking is not None:
            return lacking
        for deployment in found:
            reason = self._workload({**deployment, "kind": "Deployment"})
            if reason is not None:
                return reason
        state = status.get("state")
        return None if state == "Available" else f"its state is {state or 'not set yet'}"


def rollout_reason(stored: Object) -> str | None:
    """Return what a Deployment's or StatefulSet's rollout waits for, None when it is over."""
    spec, status = mapped(stored, ("spec",)), mapped(stored, ("status",))
    if status.get("observedGeneration", 0) < stored["metadata"]["generation"]:
        return f"{_name(stored)}: its controller has not seen it yet"
    wanted = spec.get("replicas", 1)
    if wanted == 0:
        return f"{_name(stored)}: it is scaled to 0"
    have = {field: status.get(field) or 0
            for field in ("replicas", "updatedReplicas", "availableReplicas")}  # fmt: skip
    if all(count == wanted for count in have.values()):
        return None
    return (
        f"{_name(stored)}: {have['updatedReplicas']} of {wanted} updated, "
        f"{have['availableReplicas']} available, {have['replicas']} in all"
    )


def pod_troubles(pods: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return why pods cannot start, a sentence each: images, crashes, no node for them."""
    found = []
    for pod in pods:
        status, name = mapped(pod, ("status",)), pod["metadata"]["name"]
        containers = [*listed(status, ("initContainerStatuses",)),
                      *listed(status, ("containerStatuses",))]  # fmt: skip
        for container in containers:
            waiting = mapped(container, ("state", "waiting"))
            if waiting.get("reason") not in (None, "PodInitializing", "ContainerCreating"):
                message = str(waiting.get("message", ""))[:200]
                found.append(f"pod {name}: {container['name']}: {waiting['reason']} {message}")
        for condition in listed(status, ("conditions",)):
            if condition.get("reason") == "Unschedulable":
                found.append(f"pod {name}: unschedulable: {condition.get('message', '')}")
    return [text.strip() for text in found]


def label_selector(selector: Mapping[str, Any]) -> str:
    """Return a LabelSelector as the API's query has it (meta/v1): labels and expressions."""
    labels = mapped(selector, ("matchLabels",))
    parts = [f"{name}={value}" for name, value in sorted(labels.items())]
    for expression in listed(selector, ("matchExpressions",)):
        name, values = expression["key"], ",".join(map(str, expression.get("values") or ()))
        written = {"In": f"{name} in ({values})", "NotIn": f"{name} notin ({values})",
                   "Exists": str(name), "DoesNotExist": f"!{name}"}  # fmt: skip
        parts.append(written[expression["operator"]])
    return ",".join(parts)


def _name(stored: Object) -> str:
    metadata = stored["metadata"]
    return f"{stored.get('kind', 'Deployment')} {metadata['namespace']}/{metadata['name']}"
