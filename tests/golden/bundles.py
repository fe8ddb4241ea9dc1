"""Bundles for the golden files that no example covers."""

from __future__ import annotations

from typing import Any

from crossfade.spec.experiment import Experiment
from crossfade.spec.rollout import Bundle


def bundle(*, iterations: int = 5, interval: int = 30, name: str = "web", **fields: Any) -> Bundle:
    """Return a small rollout of two versions on one VirtualService."""
    versions = [
        {
            "name": f"{name}-v{i}",
            "weightObjRef": {
                "apiVersion": "networking.istio.io/v1",
                "kind": "VirtualService",
                "name": "web",
                "namespace": "shop",
                "fieldPath": f".spec.http[0].route[{i - 1}].weight",
            },
        }
        for i in (1, 2)
    ]
    document = {
        "apiVersion": "iter8.tools/v2alpha2",
        "kind": "Experiment",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {
            "target": "shop/web",
            "strategy": {"testingPattern": "Canary"},
            "criteria": {"objectives": [{"metric": "latency", "upperLimit": 1}]},
            "duration": {"intervalSeconds": interval, "iterationsPerLoop": iterations},
            "versionInfo": {"baseline": versions[0], "candidates": versions[1:]},
        },
    }
    experiment = Experiment.model_validate(document)
    return Bundle.model_validate(
        {"name": name, "namespace": "shop", "experiment": experiment, **fields}
    )


CASES: dict[str, tuple[Bundle, dict[str, Any]]] = {
    "nodes": (bundle(), {}),
    "nodes-argo-3.6": (bundle(), {"display_names": False}),
    "nodes-long-interval": (bundle(interval=300), {}),
    "pod": (bundle(loop="pod", iterations=1000, interval=1), {}),
    "template": (bundle(), {"kind": "template"}),
    "cron": (bundle(loop="pod"), {"kind": "cron", "schedule": "0 2 * * *"}),
    "approval": (bundle(approval="before-promote"), {}),
    "artifact": (bundle(loop="pod", report_artifact=True), {}),
    "large": (
        bundle(promote={"web-v2": [{"kind": "X", "data": "0123456789abcdef" * 2048}]}),
        {},
    ),
}
