"""What only candidates' pods read is brought with them, and a mark at the pods tells what it was.

Pods read it at their start: they must start anew when it changes, also where the writing of both
broke off in between, and must not where nothing has changed.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

from crossfade.spec.dependents import read_by
from crossfade.spec.ownership import object_name
from crossfade.spec.rollout import Bundle, Manifest
from crossfade.spec.source import listed, look
from crossfade_steps.likeness import COMPONENTS, READ, said
from crossfade_steps.ports import Object

ANNOTATIONS = ("metadata", "annotations")


def documents_of(bundle: Bundle, read: Mapping[str, Sequence[str]]) -> dict[str, Manifest]:
    """Return the documents that some workloads read, by name."""
    names = {name for found in read.values() for name in found}
    documents = {object_name(m, bundle.namespace): m for m in bundle.deploy}
    return {name: document for name, document in documents.items() if name in names}


def in_order(bundle: Bundle, read: Set[str]) -> list[Manifest]:
    """Return the documents in the order to apply them: what pods read is there before they start.

    Namespaces come first, since nothing is applied before they are known to exist.
    """

    def place(manifest: Manifest) -> int:
        first = manifest.get("kind") == "Namespace"
        return 0 if first else 1 if object_name(manifest, bundle.namespace) in read else 2

    return sorted(bundle.deploy, key=place)


def marked(manifest: Manifest, read: Mapping[str, Manifest], default_namespace: str) -> Manifest:
    """Return a workload with a mark at its pods, a digest of what they read of these documents."""
    made = copy.deepcopy(dict(manifest))
    for pods, holder, path in _pods(made):
        names = read_by({**manifest, "spec": pods}, default_namespace)
        found = [read[name] for name in names if name in read]
        if found:
            digest = hashlib.sha256(said(found).encode()).hexdigest()[:16]
            _mapping_at(holder, path)[READ] = digest
    return made


def _mapping_at(holder: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    for key in path:
        holder[key] = holder.get(key) or {}
        holder = holder[key]
    return holder


def remarked(
    stored: Object, manifest: Manifest, read: Mapping[str, Manifest], default_namespace: str
) -> Manifest:
    """Return a workload with its marks, for comparing with what is stored and may have none yet."""
    return marked(manifest, read, default_namespace) if _has_mark(stored) else manifest


def _has_mark(node: Any) -> bool:
    if isinstance(node, Mapping):
        return READ in node or any(map(_has_mark, node.values()))
    return isinstance(node, list) and any(map(_has_mark, node))


def _pods(made: dict[str, Any]) -> Iterator[tuple[Any, dict[str, Any], tuple[str, ...]]]:
    """Yield what tells of a workload's pods, and where their annotations are: holder and path."""
    if made.get("kind") == "SeldonDeployment":
        for predictor in listed(made, ("spec", "predictors")):
            for component in listed(predictor, ("componentSpecs",)):
                yield predictor, component, ANNOTATIONS
    elif made.get("kind") == "InferenceService":
        for name in COMPONENTS:
            if isinstance(part := look(made, ("spec", name)), dict):
                yield part, part, ANNOTATIONS[1:]
    elif isinstance(template := look(made, ("spec", "template")), dict):
        yield template, template, ANNOTATIONS
