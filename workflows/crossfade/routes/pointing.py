"""What every rule of a routing object points at, also where its weights cannot be read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from crossfade.routes.httproute import backend
from crossfade.routes.member import Manifest, Path, dotted
from crossfade.routes.pinning import same
from crossfade.spec.source import listed, look, mapped

BLOCKS = {"VirtualService": ("http", "tls", "tcp"), "HTTPRoute": ("rules",)}
"""Where a kind keeps its rules; the other ones are one rule."""
FIELDS = {
    "VirtualService": ("destination", "mirror"), "HTTPRoute": ("backendRefs", "backendRef"),
    "TrafficSplit": ("backends",), "Route": ("to", "alternateBackends"),
    "SeldonDeployment": (), "InferenceService": (), "Service": (),
}  # fmt: skip
"""The fields of a rule, however deep, that hold what gets its requests, or a copy of them.

Every kind of route is here; one that runs its models itself points at nobody."""


def rules(stored: Manifest) -> list[list[Any]]:
    """Return what each rule of a route points at, known by the same as a destination is."""
    kind, spec = str(stored.get("kind")), mapped(stored, ("spec",))
    found = [rule for block in BLOCKS.get(kind, ()) for rule in listed(spec, (block,))]
    namespace = str(look(stored, ("metadata", "namespace")) or "default")
    return [
        [_known_by(kind, item, namespace) for item in _items(rule, FIELDS.get(kind, ()))]
        for rule in (found if kind in BLOCKS else [spec])
    ]


def beside(
    manifest: Manifest, driven: Path, candidates: Mapping[str, Any]
) -> dict[str, tuple[str, ...]]:
    """Return the rules besides the driven one that give candidates requests: places by version.

    ``driven`` is a path into the rule whose weights move, ``candidates`` what each one's
    destination is known by.  Such a rule, as one for testers, keeps its traffic whatever a run
    decides.  Copies (``mirror``) are nobody's answers, and a destination of weight 0 gets nothing.
    """
    kind, namespace = str(manifest.get("kind")), str(look(manifest, ("metadata", "namespace")) or
                                                     "default")  # fmt: skip
    found: dict[str, tuple[str, ...]] = {}
    for block in BLOCKS.get(kind, ()):
        for i, rule in enumerate(listed(manifest, ("spec", block))):
            if ("spec", block, i) == driven[:3]:
                continue
            served = [_known_by(kind, item, namespace) for item in _served(kind, rule)]
            for version, known in candidates.items():
                if any(reaches(item, known, namespace) for item in served):
                    found[version] = (*found.get(version, ()), dotted((block, i))[1:])
    return found


def _served(kind: str, rule: Any) -> list[Any]:
    """Return what of a rule gets requests: it has a weight, as its kind means a missing one."""
    if kind == "HTTPRoute":
        return [b for b in listed(rule, ("backendRefs",)) if b.get("weight", 1) != 0]
    routes = listed(rule, ("route",))
    written = any(route.get("weight") is not None for route in routes)
    return [route.get("destination") for route in routes if route.get("weight") or not written]


def reaches(item: Any, known: Any, namespace: str) -> bool:
    """Return whether what a rule points at may be a destination: it is, or has it as a subset."""
    if not (isinstance(item, Mapping) and isinstance(known, Mapping)) or item.get("subset"):
        return same(item, known, namespace)
    return same(item, {k: v for k, v in known.items() if k != "subset"}, namespace)


def _items(node: Any, fields: tuple[str, ...]) -> Iterator[Any]:
    if isinstance(node, list):
        for value in node:
            yield from _items(value, fields)
    elif isinstance(node, Mapping):
        for key, value in node.items():
            if key in fields:
                yield from value if isinstance(value, list) else [value]
            yield from _items(value, fields)


def _known_by(kind: str, item: Any, namespace: str) -> Any:
    if kind == "HTTPRoute":
        return backend(item, namespace)
    if kind == "VirtualService":
        return item
    return look(item, ("service",)) or look(item, ("name",))
