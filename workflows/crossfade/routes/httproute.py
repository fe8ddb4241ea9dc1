"""Gateway API HTTPRoute: ``.spec.rules[i].backendRefs[j].weight``; relative weights, default 1."""

from __future__ import annotations

from typing import Any

from crossfade.errors import SpecError
from crossfade.routes.member import (
    Manifest,
    Member,
    Path,
    describe,
    dotted,
    listed,
    look,
    whole_number,
)
from crossfade.spec.source import listed as listed_at

GROUP, KIND = "gateway.networking.k8s.io", "HTTPRoute"
EXAMPLE = ".spec.rules[0].backendRefs[0].weight"
LENGTH = 6


def members(manifest: Manifest, path: Path) -> list[Member]:
    """Return the rule's backends.  A missing weight is 1, not 0 (API field BackendRef.weight)."""
    if len(path) != LENGTH or path[1] != "rules" or path[3] != "backendRefs":
        raise SpecError(f"{describe(manifest)}: fieldPath {dotted(path)}, expected {EXAMPLE}")
    backends = listed(manifest, path, what="backendRefs")
    found = []
    for j in range(len(backends)):
        base = (*path[:4], j)
        raw = whole_number(manifest, path, look(manifest, (*base, "weight")), most=1_000_000)
        name = look(manifest, (*base, "name"))
        weight = 1 if raw is None else raw
        whole = backend(look(manifest, base), str(look(manifest, ("metadata", "namespace")) or ""))
        further = _further(manifest, base)
        found.append(
            Member((*base, "weight"), raw, weight, (*base, "name"), name, str(name), whole, further)
        )
    return found


def _further(manifest: Manifest, base: Path) -> tuple[tuple[Path, Any], ...]:
    """Return what tells a backend from one of the same name, as far as it is written."""
    paths = [(*base, key) for key in ("namespace", "port")]
    return tuple((path, value) for path in paths if (value := look(manifest, path)) is not None)


def backend(reference: Any, namespace: str) -> dict[str, Any]:
    """Return what a backendRef names, with the API's defaults filled in (BackendObjectReference).

    ``namespace`` is the route's own: two models of one name may be in two namespaces.
    """
    defaults = {"group": "", "kind": "Service", "namespace": namespace, "name": None, "port": None}
    return {key: look(reference, (key,)) or default for key, default in defaults.items()}


def matches(rule: Any) -> list[dict[str, Any]]:
    """Return the requests that a rule is for, with the API's defaults (HTTPRouteMatch).

    The server fills them in: a rule that says nothing is stored as one of every path.
    """
    return [_match(found) for found in listed_at(rule, ("matches",)) or [{}]]


def _match(found: Any) -> dict[str, Any]:
    made = dict(found) if isinstance(found, dict) else {}
    made["path"] = {"type": "PathPrefix", "value": "/", **(made.get("path") or {})}
    for key in ("headers", "queryParams"):
        if key in made:
            made[key] = [{"type": "Exact", **each} for each in listed_at(found, (key,))]
    return made


def host(member: Member) -> tuple[str, int] | None:
    """Return a Service's host and port, in full where the namespace is known; None for others."""
    known = member.known_by
    if (known["group"], known["kind"]) != ("", "Service") or not isinstance(known["port"], int):
        return None
    place = f".{known['namespace']}.svc.cluster.local" if known["namespace"] else ""
    return f"{known['name']}{place}", known["port"]


def sticky(manifest: Manifest, path: Path) -> bool:
    """Return whether the rule pins users to a version (field sessionPersistence, GEP-1619)."""
    return bool(look(manifest, (*path[:3], "sessionPersistence")))


def notes(manifest: Manifest, path: Path) -> list[str]:
    """Return what a person should know before weights move in here."""
    found = []
    for rule in listed_at(manifest, ("spec", "rules")):
        if look(rule, ("sessionPersistence",)):
            found.append("session persistence pins users to the version they met first")
        backends = listed_at(rule, ("backendRefs",))
        if any(look(backend, ("group",)) == "core" for backend in backends):
            found.append('group "core" matches nothing: the core group is written ""')
    return list(dict.fromkeys(found))
