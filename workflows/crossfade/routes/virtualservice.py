"""Istio VirtualService: ``.spec.http[i].route[j].weight``, also tls and tcp."""

from __future__ import annotations

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

GROUP, KIND = "networking.istio.io", "VirtualService"
EXAMPLE = ".spec.http[0].route[0].weight"
BLOCKS = ("http", "tls", "tcp")
LENGTH = 6


def members(manifest: Manifest, path: Path) -> list[Member]:
    """Return the rule's destinations.  A missing weight is 0, or 100 for a sole destination.

    Weight 0 may be left out by the API server (protobuf omits zeros), so absent is not "equal".
    """
    if len(path) != LENGTH or path[1] not in BLOCKS or path[3] != "route" or path[5] != "weight":
        raise SpecError(f"{describe(manifest)}: fieldPath {dotted(path)}, expected {EXAMPLE}")
    routes = listed(manifest, path, what="routes with destinations")
    sole = len(routes) == 1
    if not sole and all(look(route, ("weight",)) is None for route in routes):
        raise SpecError(
            f"{describe(manifest)}: {dotted(path)} does not exist and no other route has a weight"
        )
    found = []
    for j in range(len(routes)):
        base = (*path[:4], j)
        raw = whole_number(manifest, path, look(manifest, (*base, "weight")), most=1_000_000)
        destination = look(manifest, (*base, "destination"))
        if not isinstance(destination, dict) or not destination.get("host"):
            raise SpecError(f"{describe(manifest)}: {dotted(base)} has no destination.host")
        weight = 100 if sole and raw is None else raw or 0
        found.append(
            Member(
                (*base, "weight"),
                raw,
                weight,
                (*base, "destination"),
                destination,
                _label(destination),
            )
        )
    return found


def host(member: Member) -> tuple[str, int] | None:
    """Return the destination's host and port; port 80 where none is written."""
    port = look(member.identity, ("port", "number"))
    return str(member.identity["host"]), port if isinstance(port, int) else 80


def notes(manifest: Manifest, path: Path) -> list[str]:
    """Return what a person should know before weights move in here."""
    found = []
    others = [block for block in BLOCKS if block != path[1] and look(manifest, ("spec", block))]
    if split := [block for block in others if _splits(manifest, block)]:
        found.append(f"only {path[1]} is driven: the split in {' and '.join(split)} stays as it is")
    owners = listed_at(manifest, ("metadata", "ownerReferences"))
    if controllers := [o for o in owners if look(o, ("controller",))]:
        name = f"{controllers[0].get('kind')} {controllers[0].get('name')}"
        found.append(f"is owned by {name}, which may set the weights back")
    return found


def _splits(manifest: Manifest, block: str) -> bool:
    rules = listed_at(manifest, ("spec", block))
    return any(len(listed_at(rule, ("route",))) > 1 for rule in rules)


def _label(destination: dict[str, object]) -> str:
    subset = destination.get("subset")
    return f"{destination['host']}" + (f"/{subset}" if subset else "")
