"""Two versions that are one: the same field of an object, or the same destination in one rule.

Their weights could not differ: the second write of a patch takes back the first.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from itertools import combinations
from typing import Any

from crossfade.errors import SpecError
from crossfade.routes.member import Manifest, Member, Path, describe, dotted
from crossfade.routes.pinning import same
from crossfade.spec.source import listed, look


def pair_of(fields: Mapping[str, Hashable]) -> tuple[str, str] | None:
    """Return the first two versions that have the same field, None where all are different."""
    seen: dict[Hashable, str] = {}
    for version, field in fields.items():
        other = seen.setdefault(field, version)
        if other != version:
            return other, version
    return None


def told(one: str, other: str, path: Path) -> str:
    """Return the sentence for two versions with one field."""
    return f"{one} and {other} both have the fieldPath {dotted(path)}, expected one each"


def refuse_one_field(where: str, paths: Mapping[str, Path]) -> None:
    """Raise ``SpecError`` for two versions with the same field, however it is spelled."""
    pair = pair_of(paths)
    if pair is not None:
        hint = "let each version's fieldPath point at its own destination"
        raise SpecError(f"{where}: {told(*pair, paths[pair[0]])}", hint=hint)


def refuse_one_destination(manifest: Manifest, slots: Mapping[str, Member | None]) -> None:
    """Raise ``SpecError`` for two versions whose requests go to one place and are made alike.

    Behind one host there may be two models that a request's header tells apart (ModelMesh).
    """
    namespace = str(look(manifest, ("metadata", "namespace")) or "default")
    placed = [(version, member) for version, member in slots.items() if member is not None]
    for (one, a), (other, b) in combinations(placed, 2):
        alike = same(a.known_by, b.known_by, namespace)
        if alike and _made(manifest, a) == _made(manifest, b):
            raise SpecError(
                f"{describe(manifest)}: {one} ({dotted(a.path)}) and {other} ({dotted(b.path)}) "
                f"have the same destination {b.label}, expected one each",
                hint="let each version's destination name its own host, subset or revision",
            )


def _made(manifest: Manifest, member: Member) -> Any:
    """Return what a destination changes of a request; what of a response sends it nowhere else."""
    entry = look(manifest, member.path[:-1])
    filters = [each for each in listed(entry, ("filters",))
               if look(each, ("type",)) != "ResponseHeaderModifier"]  # fmt: skip
    return look(entry, ("headers", "request")), filters
