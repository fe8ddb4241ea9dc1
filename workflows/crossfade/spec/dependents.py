"""What a workload's pods read besides their own spec: ConfigMaps and Secrets, by reference.

A candidate that takes its model's name from a ConfigMap is another model when that says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from crossfade.spec.ownership import WORKLOADS, Manifest, object_name

KINDS = {
    "configMap": "ConfigMap", "configMapRef": "ConfigMap", "configMapKeyRef": "ConfigMap",
    "secret": "Secret", "secretRef": "Secret", "secretKeyRef": "Secret",
}  # fmt: skip
"""Fields of a pod's spec that name an object of its namespace (core/v1 PodSpec)."""


def read_by(workload: Manifest, default_namespace: str) -> list[str]:
    """Return what a workload's pods read, as ``Kind/namespace/name``, in the order written."""
    namespace = object_name(workload, default_namespace).split("/")[1]
    found = (f"{kind}/{namespace}/{name}" for kind, name in _references(workload.get("spec")))
    return list(dict.fromkeys(found))


def read_only_by(
    names: Iterable[str], manifests: Iterable[Manifest], default_namespace: str
) -> dict[str, list[str]]:
    """Return by workload the documents that these workloads read, and no other workload does."""
    documents = {object_name(manifest, default_namespace): manifest for manifest in manifests}
    read = {
        name: [other for other in read_by(manifest, default_namespace) if other in documents]
        for name, manifest in documents.items()
        if manifest.get("kind") in WORKLOADS
    }
    wanted = set(names)
    others = {other for name, found in read.items() if name not in wanted for other in found}
    return {name: [other for other in found if other not in others]
            for name, found in read.items() if name in wanted}  # fmt: skip


def _references(node: Any) -> Iterator[tuple[str, str]]:
    if isinstance(node, Mapping):
        for key, value in node.items():
            if key in KINDS and isinstance(value, Mapping):
                name = value.get("name") or value.get("secretName")
                if isinstance(name, str):
                    yield KINDS[key], name
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)
