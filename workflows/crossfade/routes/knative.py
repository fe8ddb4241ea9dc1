"""Knative Service: ``.spec.traffic[i].percent``; always sums to 100 (Knative's webhook)."""

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

GROUP, KIND = "serving.knative.dev", "Service"
EXAMPLE = ".spec.traffic[0].percent"
LENGTH = 4


def members(manifest: Manifest, path: Path) -> list[Member]:
    """Return the traffic targets.  A missing percent is 0 (a tag without traffic)."""
    if len(path) != LENGTH or path[1] != "traffic" or path[3] != "percent":
        raise SpecError(f"{describe(manifest)}: fieldPath {dotted(path)}, expected {EXAMPLE}")
    found = []
    for j in range(len(listed(manifest, path, what="traffic targets"))):
        base = (*path[:2], j)
        raw = whole_number(manifest, path, look(manifest, (*base, "percent")), most=100)
        by = "revisionName" if look(manifest, (*base, "revisionName")) else "latestRevision"
        target = look(manifest, (*base, by))
        label = str(target) if by == "revisionName" else "latest revision"
        found.append(Member((*base, "percent"), raw, raw or 0, (*base, by), target, label))
    return found


def host(member: Member) -> tuple[str, int] | None:
    """Return None: Knative routes to revisions, not to hosts."""
    return None


def notes(manifest: Manifest, path: Path) -> list[str]:
    """Return nothing: there is no trap in this kind."""
    return []
