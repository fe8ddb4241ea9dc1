"""One rule of a routing object: its managed destinations, their shares, and the patch for new ones.

Destinations that belong to no version are foreign: they keep their weight, and 100 percent means
the managed total.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from types import ModuleType
from typing import Any

from crossfade.errors import SpecError
from crossfade.routes.member import Manifest, Member, describe, pointer
from crossfade.routes.pointing import beside
from crossfade.weights import whole, whole_percent

COARSEST = 100
Operation = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rule:
    """The managed members by version; a version with None has what the others leave (of 100).

    ``beside`` has the places of other rules, by the candidates that get requests there, too.
    """

    where: str
    module: ModuleType
    versions: tuple[str, ...]
    slots: Mapping[str, Member | None]
    foreign: tuple[Member, ...]
    notes: tuple[str, ...]
    sticky: bool = False
    beside: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        module: ModuleType,
        manifest: Manifest,
        versions: tuple[str, ...],
        slots: Mapping[str, Member],
        members: Sequence[Member],
    ) -> Rule:
        """Find the destination of the one version without a path and what is foreign."""
        where = describe(manifest)
        missing = [version for version in versions if version not in slots]
        left = [member for member in members if member not in slots.values()]
        managed: dict[str, Member | None] = dict(slots)
        if len(missing) > 1:
            raise SpecError(
                f"{where}: {', '.join(missing)} have no weightObjRef, at most one may lack it"
            )
        if missing and len(left) > 1:
            raise SpecError(
                f"{where}: {missing[0]} has no weightObjRef and {len(left)} destinations are left"
            )
        if missing:
            managed[missing[0]] = left.pop() if left else None
        if missing and managed[missing[0]] is None and module.KIND != "InferenceService":
            raise SpecError(f"{where}: no destination is left for {missing[0]}")
        path = next(iter(slots.values())).path
        ordered = {version: managed[version] for version in versions}
        pins = getattr(module, "sticky", None)
        others = beside(manifest, path, _known(ordered, versions[1:]))
        return cls(where, module, versions, ordered, tuple(left),
                   (*module.notes(manifest, path), *undriven(others)),
                   pins is not None and pins(manifest, path), others)  # fmt: skip

    @property
    def managed_total(self) -> int:
        """Return the sum of the managed raw weights."""
        if None in self.slots.values():
            return 100
        return sum(member.weight for member in self.slots.values() if member is not None)

    def percent(self) -> dict[str, int]:
        """Return each version's share of the managed total, whole percent that sum to 100.

        Raises ``SpecError`` where all managed weights are 0: no share can be read.
        """
        total = self.managed_total
        if total == 0:
            raise SpecError(
                f"{self.where}: all managed weights are 0, so there is no split to read"
            )
        known = {v: m.weight for v, m in self.slots.items() if m is not None}
        raw = [known.get(v, 100 - sum(known.values())) for v in self.versions]
        return dict(zip(self.versions, whole_percent([Fraction(100 * r, total) for r in raw]),
                        strict=True))  # fmt: skip

    def raw_at(self, path: str) -> int | None:
        """Return a managed weight as stored, by its JSON pointer; None when it is absent."""
        managed = (member for member in self.slots.values() if member is not None)
        return next((m.raw for m in managed if pointer(m.path) == path), None)

    def hosts(self) -> dict[str, tuple[str, int]]:
        """Return each version's destination as (host, port) where the kind names one."""
        found = {v: self.module.host(m) for v, m in self.slots.items() if m is not None}
        return {version: host for version, host in found.items() if host is not None}

    def patch(self, resource_version: str | None, weights: Mapping[str, int]) -> list[Operation]:
        """Return one JSON Patch: test what was read, then add the new weights.

        ``weights`` are percent by version and sum to 100.  Weight 0 is written, not left out.
        """
        operations: list[Operation] = []
        if resource_version is not None:
            path = "/metadata/resourceVersion"
            operations.append({"op": "test", "path": path, "value": resource_version})
        managed = {v: m for v, m in self.slots.items() if m is not None}
        for member in managed.values():
            operations += member.tests()
        raw = self._raw(weights)
        for version, member in managed.items():
            operations.append({"op": "add", "path": pointer(member.path), "value": raw[version]})
        return operations

    def _raw(self, weights: Mapping[str, int]) -> dict[str, int]:
        if set(weights) != set(self.versions) or sum(weights.values()) != 100:
            raise SpecError(
                f"{self.where}: weights {dict(weights)}, expected {', '.join(self.versions)} "
                f"with a sum of 100"
            )
        total = self._base()
        if total < COARSEST and self._relative_and_coarse(total):
            raise SpecError(
                f"{self.where}: managed weights sum to {total}, too coarse to split in percent "
                f"beside {len(self.foreign)} other destination(s)",
                hint="write all weights of the rule on a base of 100 or more",
            )
        shares = [Fraction(total * weights[version], 100) for version in self.versions]
        return dict(zip(self.versions, whole(shares, total), strict=True))

    def _base(self) -> int:
        """Return what the new weights sum to: as now, beside weights that are somebody else's.

        Where all managed weights are 0 it is what the others leave of a hundred.
        """
        foreign = sum(member.weight for member in self.foreign)
        if foreign and self.managed_total:
            return self.managed_total
        return 100 - foreign if foreign < 100 else 100

    def _relative_and_coarse(self, total: int) -> bool:
        """Tell relative weights (2 of 5) from a managed part of a hundred (80 beside 20)."""
        return total + sum(member.weight for member in self.foreign) < COARSEST


def undriven(beside: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Return a sentence for each candidate that gets requests by other rules, too."""
    return [f"{' and '.join(places)} {'is' if len(places) == 1 else 'are'} not driven: {version} "
            f"gets requests there, also after a rollback"
            for version, places in beside.items()]  # fmt: skip


def _known(slots: Mapping[str, Member | None], versions: Sequence[str]) -> dict[str, Any]:
    found = {version: slots[version] for version in versions}
    return {version: member.known_by for version, member in found.items() if member is not None}
