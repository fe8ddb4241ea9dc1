"""Two Deployments whose models are named by ConfigMaps, and a run over them."""

from __future__ import annotations

from typing import Any

from rig import bundle

from crossfade.spec.rollout import Bundle

POD: dict[str, Any] = {"image": "i", "envFrom": [{"configMapRef": {"name": "model"}}]}


def workload(namespace: str, container: dict[str, Any] = POD) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "m", "namespace": namespace},
        "spec": {"selector": {"matchLabels": {"app": "m"}},
                 "template": {"metadata": {"labels": {"app": "m"}},
                              "spec": {"containers": [{"name": "c", **container}]}}},
    }  # fmt: skip


def config(namespace: str, model: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "data": {"MODEL": model},
            "metadata": {"name": "model", "namespace": namespace}}  # fmt: skip


def service(namespace: str | None, name: str = "m") -> dict[str, Any]:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata,
            "spec": {"selector": {"app": "m"}}}  # fmt: skip


def route(*hosts: str) -> dict[str, Any]:
    routes = [{"destination": {"host": host, "port": {"number": 80}},
               "headers": {"response": {"set": {"version": f"v{i + 1}"}}},
               "weight": 0 if i else 100} for i, host in enumerate(hosts)]  # fmt: skip
    return {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
            "metadata": {"name": "route", "namespace": "default"},
            "spec": {"hosts": ["x"], "http": [{"route": routes}]}}  # fmt: skip


def configured(base: str, candidate: str) -> Bundle:
    """Two Deployments that differ in nothing but the ConfigMap that each reads."""
    hosts = ("m.base.svc.cluster.local", "m.cand.svc.cluster.local")
    parts = [
        part
        for namespace, model in (("base", base), ("cand", candidate))
        for part in (config(namespace, model), workload(namespace), service(namespace))
    ]
    update = {"deploy": (*parts, route(*hosts)), "verify": None}
    return bundle(promote=False).model_copy(update=update)
