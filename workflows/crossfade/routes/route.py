"""OpenShift Route: ``.spec.to.weight`` and ``.spec.alternateBackends[i].weight``, 0..256."""

from __future__ import annotations

from crossfade.errors import SpecError
from crossfade.routes.member import Manifest, Member, Path, describe, dotted, look, whole_number
from crossfade.spec.source import listed as listed_at
from crossfade.spec.source import mapped

GROUP, KIND = "route.openshift.io", "Route"
EXAMPLE = ".spec.to.weight or .spec.alternateBackends[0].weight"
MOST = 256
NO_COOKIES = "haproxy.router.openshift.io/disable_cookies"


def members(manifest: Manifest, path: Path) -> list[Member]:
    """Return the main backend and the alternates.  A missing weight is 100."""
    alternates = listed_at(manifest, ("spec", "alternateBackends"))
    bases: list[Path] = [("spec", "to")]
    bases += [("spec", "alternateBackends", j) for j in range(len(alternates))]
    if path[:-1] not in bases or path[-1] != "weight":
        have = ", ".join(dotted((*base, "weight")) for base in bases)
        raise SpecError(
            f"{describe(manifest)}: {dotted(path)} does not exist (there is {have})",
            hint=f"expected {EXAMPLE}",
        )
    found = []
    for base in bases:
        raw = whole_number(manifest, path, look(manifest, (*base, "weight")), most=MOST)
        name = look(manifest, (*base, "name"))
        weight = 100 if raw is None else raw
        found.append(Member((*base, "weight"), raw, weight, (*base, "name"), name, str(name)))
    return found


def host(member: Member) -> tuple[str, int] | None:
    """Return the Service's name; the Route's port is a name or number of that Service."""
    return str(member.identity), 80


def sticky(manifest: Manifest, path: Path) -> bool:
    """Return whether the router sets its cookie, which it does unless told not to.

    A passthrough route never sees a request and pins by address.
    """
    annotations = mapped(manifest, ("metadata", "annotations"))
    return str(annotations.get(NO_COOKIES, "")).lower() != "true"


def notes(manifest: Manifest, path: Path) -> list[str]:
    """Return what a person should know before weights move in here."""
    if sticky(manifest, path):
        return [f"pins users to the version they met first: {NO_COOKIES} is not true"]
    return []
