"""What a workload's pods read besides their own spec: ConfigMaps and Secrets, by reference.

A candidate that takes its model's name from a ConfigMap is another model when that says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from crossfade.spec.ownership import Manifest, object_name

KINDS = {
    "configMap": "ConfigMap", "configMapRef": "ConfigMap", "configMapKeyRef": "ConfigMap",
    "secret": "Secret", "secretRef": "Secret", "secretKeyRef": "Secret",
}  # fmt: skip
"""Fields of a pod's spec that name an object of its namespace (core/v1 PodSpec)."""


def read_by(workload: Manifest, default_namespace: str) -> list[str]:
    """Return what a workload's pods read, as ``Kind/namespace/name``, in the order written."""
    namespace = object_name(workload, default_namespace).split("/")[1]
    content = [value for key, value in workload.items() if key not in ("metadata", "status")]
    found = (f"{kind}/{namespace}/{name}" for kind, name in _references(content))
    return list(dict.fromkeys(found))


def read_only_by(
    own: Iterable[Manifest],
    others: Iterable[Manifest],
    documents: Iterable[Manifest],
    default_namespace: str,
) -> dict[str, list[str]]:
    """Return by name what of the documents these workloads read, and none of the others does."""
    known = {object_name(manifest, default_namespace) for manifest in documents}
    known -= {name for other in others for name in read_by(other, default_namespace)}
    found: dict[str, list[str]] = {}
    for workload in own:
        read = [name for name in read_by(workload, default_namespace) if name in known]
        found.setdefault(object_name(workload, default_namespace), []).extend(read)
    return found


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
