"""Create what a rollout needs, and nothing that anybody else owns is changed.

Rules (design section 4): missing objects are created; an existing object of the baseline is left
as it is, whatever the manifest says; in an existing routing object only a missing destination is
added, at weight 0; an existing object of a candidate is brought to its manifest.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from crossfade.errors import BackendError, NeverReady, SpecError
from crossfade.routes.additions import missing
from crossfade.spec.ownership import GROUPS, object_name
from crossfade.spec.rollout import Bundle, Manifest
from crossfade.spec.source import mapped
from crossfade_steps.ports import Clock, Object, ObjectKey, Objects, Readiness

POLL_SECONDS = 0.2


@dataclass(slots=True)
class Deployed:
    """What a deployment did: UIDs by object created or found, and what it left alone.

    ``objects`` are each version's workloads as ``Kind/namespace/name``, as the routes were before
    anything was promoted.
    """

    created: dict[str, str] = field(default_factory=dict)
    found: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    objects: dict[str, tuple[str, ...]] = field(default_factory=dict)


def deploy(
    bundle: Bundle,
    objects: Objects,
    *,
    candidates: frozenset[str],
    routed: frozenset[ObjectKey],
    redeploy_baseline: bool = False,
    on_created: Callable[[str, str], None] = lambda name, uid: None,
) -> Deployed:
    """Bring every manifest of the rollout into being, by the rules above.

    ``candidates`` holds the candidates' objects as ``Kind/namespace/name``; ``routed`` the objects
    that hold weights; ``on_created`` is told of each object made, with its UID.  Raises
    ``SpecError`` for a namespace that does not exist.
    """
    done = Deployed()
    for manifest in bundle.deploy:
        key = ObjectKey.of(manifest, bundle.namespace)
        existing = objects.get(key)
        name = object_name(manifest, bundle.namespace)
        if key.kind == "Namespace":
            _require_namespace(key, existing)
        elif existing is None:
            done.created[name] = uid(objects.create(manifest))
            on_created(name, done.created[name])
        else:
            done.found[name] = uid(existing)
            if key in routed:
                _add_destinations(key, existing, manifest, objects, done)
            elif name in candidates or redeploy_baseline:
                objects.apply(manifest)
            elif differs(existing, manifest):
                done.notes.append(f"{key} exists and differs from its manifest: left as it is")
    return done


def wait_until_ready(
    keys: Sequence[ObjectKey],
    readiness: Readiness,
    clock: Clock,
    *,
    timeout_seconds: float,
    check: Callable[[], None] = lambda: None,
) -> None:
    """Wait until every object serves what its spec says.

    Raises ``BackendError`` with the reason of the first object that does not, when the time is up
    or when it never will, and what ``check`` raises; one failed look is no reason to give up.
    """
    until = clock.now() + timeout_seconds
    for key in keys:
        while (reason := _pending(readiness, key)) is not None:
            check()
            if clock.now() >= until:
                raise BackendError(
                    f"{key}: not ready after {timeout_seconds:.0f} s: {reason}",
                    hint="look at its pods (or its log in the run's folder)",
                )
            clock.sleep(POLL_SECONDS)


def _pending(readiness: Readiness, key: ObjectKey) -> str | None:
    try:
        return readiness.pending(key)
    except NeverReady:
        raise
    except BackendError as error:
        return f"not known: {error}"


def same_model(
    names: tuple[Sequence[str], Sequence[str]], objects: Objects, bundle: Bundle
) -> bool:
    """Return whether baseline and candidate run the same thing, so that nothing can be compared.

    Identity is the spec without what scaling changes (faults C53): replicas are ignored.
    """
    left, right = ([identity(objects.get(parse_name(name))) for name in side] for side in names)
    return bool(left) and None not in left and left == right


def parse_name(name: str) -> ObjectKey:
    """Return the key of ``Kind/namespace/name``; the group follows from the kind."""
    parts = name.split("/")
    if len(parts) != 3:
        raise SpecError(f"object {name!r}: expected Kind/namespace/name")
    return ObjectKey(GROUPS.get(parts[0], ""), *parts)


def uid(stored: Object) -> str:
    """Return the UID of a stored object."""
    return str(stored["metadata"]["uid"])


def differs(existing: Object, manifest: Object) -> bool:
    """Return whether the manifest asks for anything that the stored spec does not have."""
    return not _covers(existing.get("spec"), manifest.get("spec"))


def _covers(have: Any, want: Any) -> bool:
    if isinstance(want, Mapping):
        return isinstance(have, Mapping) and all(_covers(have.get(k), v) for k, v in want.items())
    if isinstance(want, list):
        return (
            isinstance(have, list)
            and len(have) == len(want)
            and all(_covers(h, w) for h, w in zip(have, want, strict=True))
        )
    return bool(have == want)


def unscaled(document: Object) -> Object:
    """Return a document without what scaling changes."""
    spec = copy.deepcopy(document.get("spec"))
    _drop_replicas(spec)
    return {**document, "spec": spec}


def identity(stored: Object | None) -> str | None:
    """Return what a workload runs, without what scaling changes; None for none."""
    if stored is None:
        return None
    spec = copy.deepcopy(dict(stored.get("spec") or {}))
    if stored.get("kind") in ("Deployment", "StatefulSet"):
        spec = dict(
            mapped(spec, ("template", "spec"))
        )  # labels and selectors name a copy, not a model
    _drop_replicas(spec)
    return json.dumps(spec, sort_keys=True)


def _drop_replicas(node: Any) -> None:
    if isinstance(node, dict):
        node.pop("replicas", None)
        for value in node.values():
            _drop_replicas(value)
    elif isinstance(node, list):
        for value in node:
            _drop_replicas(value)


def _require_namespace(key: ObjectKey, existing: Object | None) -> None:
    if existing is None:
        raise SpecError(
            f"namespace {key.name} does not exist, expected it before the rollout starts",
            hint=f"kubectl create namespace {key.name}",
        )


def _add_destinations(
    key: ObjectKey, existing: Object, manifest: Manifest, objects: Objects, done: Deployed
) -> None:
    """Append the destinations of a routing object that are missing, at weight 0."""
    operations = missing(existing, manifest)
    if operations:
        version = existing["metadata"]["resourceVersion"]
        test = {"op": "test", "path": "/metadata/resourceVersion", "value": version}
        objects.patch(key, [test, *operations])
        count = sum(str(op["path"]).endswith("/-") for op in operations)
        done.notes.append(f"{key} existed: added {count} destination(s) at weight 0")
