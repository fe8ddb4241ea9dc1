"""What every rule of a routing object points at, also where its weights cannot be read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from crossfade.routes.httproute import backend
from crossfade.routes.member import Manifest
from crossfade.routes.pinning import same
from crossfade.spec.source import listed, look, mapped

BLOCKS = {"VirtualService": ("http", "tls", "tcp"), "HTTPRoute": ("rules",)}
"""Where a kind keeps its rules; the other ones are one rule."""
FIELDS = {
    "VirtualService": ("destination", "mirror"), "HTTPRoute": ("backendRefs", "backendRef"),
    "TrafficSplit": ("backends",), "Route": ("to", "alternateBackends"),
}  # fmt: skip
"""The fields of a rule, however deep, that hold what gets its requests, or a copy of them."""


def rules(stored: Manifest) -> list[list[Any]]:
    """Return what each rule points at, known by the same as a version's destination is."""
    kind, spec = str(stored.get("kind")), mapped(stored, ("spec",))
    found = [rule for block in BLOCKS.get(kind, ()) for rule in listed(spec, (block,))]
    namespace = str(look(stored, ("metadata", "namespace")) or "default")
    return [
        [_known_by(kind, item, namespace) for item in _items(rule, FIELDS.get(kind, ()))]
        for rule in (found if kind in BLOCKS else [spec])
    ]


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
