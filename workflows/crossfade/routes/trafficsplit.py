"""SMI TrafficSplit: ``.spec.backends[i].weight``; relative weights."""

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

GROUP, KIND = "split.smi-spec.io", "TrafficSplit"
EXAMPLE = ".spec.backends[0].weight"
LENGTH = 4


def members(manifest: Manifest, path: Path) -> list[Member]:
    """Return the split's backends.  A missing weight is 0."""
    if len(path) != LENGTH or path[1] != "backends" or path[3] != "weight":
        raise SpecError(f"{describe(manifest)}: fieldPath {dotted(path)}, expected {EXAMPLE}")
    found = []
    for j in range(len(listed(manifest, path, what="backends"))):
        base = (*path[:2], j)
        raw = whole_number(manifest, path, look(manifest, (*base, "weight")), most=1_000_000)
        service = look(manifest, (*base, "service"))
        found.append(
            Member((*base, "weight"), raw, raw or 0, (*base, "service"), service, str(service))
        )
    return found


def host(member: Member) -> tuple[str, int] | None:
    """Return the service's name; SMI names no port."""
    return str(member.identity), 80


def notes(manifest: Manifest, path: Path) -> list[str]:
    """Return nothing: there is no trap in this kind."""
    return []
