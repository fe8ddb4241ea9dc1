"""What a stored routing object lacks of its manifest: destinations, to be added at weight 0.

Everything else in a stored object is left as it is, whoever wrote it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from crossfade.errors import SpecError
from crossfade.routes.httproute import backend, matches
from crossfade.routes.member import Manifest, Path, describe, pointer
from crossfade.routes.pinning import same
from crossfade.spec.source import listed, look, mapped

Operation = dict[str, Any]


def _destination(item: Manifest, namespace: str) -> Any:
    return item.get("destination")


def _match(rule: Manifest) -> Any:
    return rule.get("match") or None


def _named(item: Manifest, namespace: str) -> Any:
    return item.get("service") or item.get("name")


@dataclass(frozen=True, slots=True)
class Shape:
    """Where a kind keeps its destinations.

    ``sole`` is what a destination means that stands alone without a weight, where it would mean
    nothing beside another one; None where a missing weight keeps its meaning.
    """

    rules: Path | None
    items: Path
    weight: str
    identity: Callable[[Manifest, str], Any]
    match: Callable[[Manifest], Any] = _match
    sole: int | None = None


SHAPES: dict[str, Shape | None] = {
    "VirtualService": Shape(("spec", "http"), ("route",), "weight", _destination, sole=100),
    "HTTPRoute": Shape(("spec", "rules"), ("backendRefs",), "weight", backend, matches),
    "TrafficSplit": Shape(None, ("spec", "backends"), "weight", _named),
    "Route": Shape(None, ("spec", "alternateBackends"), "weight", _named),
    "SeldonDeployment": Shape(None, ("spec", "predictors"), "traffic", _named, sole=100),
    "InferenceService": None,
    "Service": None,
}
"""Every kind of route; None where a revision of the model is what a destination is elsewhere."""


def missing(stored: Manifest, manifest: Manifest) -> list[Operation]:
    """Return the JSON Patch that adds what is missing to the rules that have the others.

    Raises ``SpecError`` for a kind of which it is not known where its destinations are.
    """
    kind = str(manifest.get("kind"))
    if kind not in SHAPES:
        raise SpecError(f"{describe(manifest)}: it is not known how a {kind} gets a destination",
                        hint=f"expected {', '.join(SHAPES)}")  # fmt: skip
    shape = SHAPES[kind]
    if shape is None:
        return []
    if shape.rules is None:
        return _additions(shape, stored, manifest, ())
    operations: list[Operation] = []
    have, wanted = listed(stored, shape.rules), listed(manifest, shape.rules)
    for index, want in enumerate(wanted):
        i = _rule_of(shape, have, wanted, (index, _namespace(stored)))
        if i is not None:
            operations += _additions(shape, stored, want, (*shape.rules, i))
    return operations


def _additions(shape: Shape, stored: Manifest, wanted: Manifest, rule: Path) -> list[Operation]:
    path, namespace = (*rule, *shape.items), _namespace(stored)
    have = listed(stored, path)
    lacking = [item for item in listed(wanted, shape.items)
               if not _among(shape, have, item, namespace)]  # fmt: skip
    operations: list[Operation] = []
    if lacking and shape.sole is not None and len(have) == 1 and have[0].get(shape.weight) is None:
        sole = pointer((*path, 0, shape.weight))
        operations.append({"op": "add", "path": sole, "value": shape.sole})
    if lacking and look(stored, path) is None:
        operations.append({"op": "add", "path": pointer(path), "value": []})
    end = f"{pointer(path)}/-"
    return operations + [{"op": "add", "path": end, "value": {**item, shape.weight: 0}}
                         for item in lacking]  # fmt: skip


def _rule_of(
    shape: Shape, have: Sequence[Manifest], wanted: Sequence[Manifest], place: tuple[int, str]
) -> int | None:
    """Return the index of the stored rule that a wanted one is: it has one of its destinations.

    The one that matches the same requests, at the same index if there are several; else the only
    one that there is; else the one at the same index of as many.  A rule for other requests is
    somebody else's (faults C74).
    """
    index, namespace = place
    want = wanted[index]
    found = [
        i for i, rule in enumerate(have)
        if any(_among(shape, listed(rule, shape.items), item, namespace)
               for item in listed(want, shape.items))
    ]  # fmt: skip
    alike = [i for i in found if shape.match(have[i]) == shape.match(want)]
    left = alike or (found if len(found) == 1 or len(have) == len(wanted) else [])
    if index in left:
        return index
    return left[0] if len(left) == 1 else None


def _among(shape: Shape, items: Sequence[Manifest], wanted: Manifest, namespace: str) -> bool:
    target = shape.identity(wanted, namespace)
    return any(same(shape.identity(item, namespace), target, namespace) for item in items)


def _namespace(stored: Manifest) -> str:
    return str(mapped(stored, ("metadata",)).get("namespace") or "default")
