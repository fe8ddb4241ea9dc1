"""Versions whose weights are in several objects: all of them change, or none does.

Each object holds the percent of its own versions as it is written, and together they make 100.
What else is in those objects is somebody else's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from crossfade.errors import BackendError, Conflict, SpecError, Unsettled
from crossfade.routes import (
    identities,
    in_full,
    kind_of,
    references_by_object,
    relocated,
    unmoved,
)
from crossfade.routes.member import Member, parse_field_path, pointer
from crossfade.routes.pointing import beside
from crossfade.routes.twins import refuse_one_destination, refuse_one_field
from crossfade.spec.experiment import Experiment
from crossfade_steps.ports import Object, ObjectKey, Objects, RouteState
from crossfade_steps.routers.fence import fence

TRIES = 5


@dataclass(frozen=True, slots=True)
class Part:
    """One object as it was read, and the members of its versions."""

    key: ObjectKey
    resource_version: str
    members: Mapping[str, Member]
    beside: Mapping[str, tuple[str, ...]]

    def patch(self, weights: Mapping[str, int]) -> list[dict[str, object]]:
        """Return one JSON Patch: test what was read, then add the weights of these versions."""
        version = {"op": "test", "path": "/metadata/resourceVersion",
                   "value": self.resource_version}  # fmt: skip
        tests = [test for m in self.members.values() for test in m.tests()]
        changes = [{"op": "add", "path": pointer(m.path), "value": weights[v]}
                   for v, m in self.members.items()]  # fmt: skip
        return [version, *tests, *changes]

    def weights(self) -> dict[str, int]:
        """Return the percent of its versions."""
        return {version: member.weight for version, member in self.members.items()}

    def share(self, weights: Mapping[str, int]) -> dict[str, int]:
        """Return what of a whole split is this object's."""
        return {version: weights[version] for version in self.members}


class SpreadRouter:
    """Weights of one experiment in several routing objects (port ``Router``)."""

    def __init__(self, experiment: Experiment, objects: Objects) -> None:
        self._objects = objects
        self._names = [version.name for version in experiment.versions]
        self._known: Mapping[str, Any] = {}
        groups = references_by_object(experiment.versions, experiment.namespace)
        self._paths: dict[ObjectKey, dict[str, str]] = {}
        for (api_version, kind, namespace, name), references in groups.items():
            kind_of(api_version, kind, where=f"weightObjRef {kind} {namespace}/{name}")
            key = ObjectKey(api_version.rpartition("/")[0], kind, namespace, name)
            self._paths[key] = {v: path for v, path in references.items() if path is not None}
        placed = [version for paths in self._paths.values() for version in paths]
        lacking = [name for name in self._names if name not in placed]
        if lacking:
            raise SpecError(
                f"experiment {experiment.name}: {', '.join(lacking)} without a weightObjRef, "
                f"while the others are in {len(self._paths)} objects",
                hint="give every version a weightObjRef with a fieldPath",
            )

    def keys(self) -> tuple[ObjectKey, ...]:
        """Return the objects that hold weights."""
        return tuple(self._paths)

    def read(self) -> RouteState:
        """Return the weights in force.

        Raises ``Unsettled`` where they do not make 100: somebody may be changing them right now.
        """
        state = self._state(self._parts())
        if sum(state.weights.values()) != 100:
            told = ", ".join(f"{name} {weight}" for name, weight in state.weights.items())
            raise Unsettled(f"the versions' weights are {told}, expected 100 together")
        return state

    def write(self, state: RouteState, weights: Mapping[str, int]) -> RouteState:
        """Change every object, or put back those that were changed.

        What gets more comes first, so that at no time too little traffic has a place.  Raises
        ``Conflict`` when somebody else changed one, ``BackendError`` when one cannot be written:
        then the others are as they were.
        """
        if set(weights) != set(self._names) or sum(weights.values()) != 100:
            raise SpecError(f"weights {dict(weights)}, expected {', '.join(self._names)}: 100")
        parts = self._parts()
        if _versions(parts) != state.resource_version:
            raise Conflict("one of the objects changed since its weights were read")
        done: list[Part] = []
        try:
            for part in _raised_first(parts, weights):
                done.append(part)
                self._objects.patch(part.key, part.patch(weights))
            return self._read_back(weights)
        except (BackendError, SpecError):
            self._revert(done, weights)
            raise

    def restore(self, weights: Mapping[str, int]) -> RouteState:
        """Bring the weights to these, also after a writer that died between two objects."""
        for part in _raised_first(self._parts(), weights):
            if part.weights() != part.share(weights):
                self._objects.patch(part.key, part.patch(weights))
        return self._read_back(weights)

    def fence(self, state: RouteState | None) -> None:
        """Let every earlier write fail that has not arrived yet, in each object."""
        for key in self._paths:
            for attempt in range(TRIES):
                stored = self._objects.get(key)
                if stored is None:
                    break
                if state is not None:
                    self._require(key, stored, state)
                try:
                    fence(self._objects, key, stored)
                    break
                except Conflict:
                    if attempt == TRIES - 1:
                        raise

    def _require(self, key: ObjectKey, stored: Object, state: RouteState) -> None:
        now = {version: member.weight for version, member in self._members(key, stored).items()}
        if now != {version: state.weights[version] for version in now}:
            raise Conflict(f"{key}: changed since its weights were read: now {now}")

    def _read_back(self, weights: Mapping[str, int]) -> RouteState:
        after = self._state(self._parts())
        if dict(after.weights) != dict(weights):
            raise Conflict(f"read back {dict(after.weights)}, expected {dict(weights)}")
        return after

    def identities(self, manifests: Sequence[Object] | None = None) -> dict[str, Any]:
        """Return what each version's destination is known by; as pinned where no manifest says."""
        found = dict(self._known)
        for key in self._paths:
            named = [m for m in manifests or () if ObjectKey.of(m, key.namespace) == key]
            for source in [self._objects.get(key)] if manifests is None else named:
                if source is not None:
                    found.update(identities(self._members(key, source)))
        return found

    def pin(self, known: Mapping[str, Any]) -> None:
        """Look for these destinations from now on."""
        self._known = dict(known)

    def hosts(self, manifests: Sequence[Object]) -> dict[str, tuple[str, int]]:
        """Return each version's destination: as in the manifests, else as stored."""
        found: dict[str, tuple[str, int]] = {}
        for key in self._paths:
            named = [m for m in manifests if ObjectKey.of(m, key.namespace) == key]
            stored = self._objects.get(key)
            for source in [*named, stored] if stored is not None else named:
                module = kind_of(source["apiVersion"], source["kind"], where=str(key))
                with suppress(SpecError):
                    members = self._members(key, source)
                    own = {v: h for v, m in members.items() if (h := module.host(m)) is not None}
                    found = {**in_full(own, key.namespace), **found}
        return found

    def _revert(self, changed: Sequence[Part], written: Mapping[str, int]) -> None:
        """Write the weights from before into every object that was changed, the last one first.

        One that fails keeps no other one from being put back.
        """
        failed = []
        for before in reversed(changed):
            try:
                self._put_back(before, written)
            except (BackendError, SpecError) as error:
                failed.append(f"{before.key} could not be put back to {before.weights()}: {error}")
        if failed:
            raise BackendError("; ".join(failed), hint="the split is half changed: set it by hand")

    def _put_back(self, before: Part, written: Mapping[str, int]) -> None:
        """Write the weights from before where ours are; any others are somebody else's."""
        for attempt in range(TRIES):
            try:
                now = self._part(before.key)
                if now.weights() == now.share(written):
                    self._objects.patch(before.key, now.patch(before.weights()))
                return
            except BackendError:
                if attempt == TRIES - 1:
                    raise

    def _state(self, parts: Sequence[Part]) -> RouteState:
        found = {version: weight for part in parts for version, weight in part.weights().items()}
        others = {version: tuple(f"{place} of {part.key}" for place in places)
                  for part in parts for version, places in part.beside.items()}  # fmt: skip
        weights = {name: found[name] for name in self._names}
        return RouteState(weights, _versions(parts), beside=others)

    def _parts(self) -> list[Part]:
        return [self._part(key) for key in self._paths]

    def _part(self, key: ObjectKey) -> Part:
        stored = self._objects.get(key)
        if stored is None:
            raise BackendError(f"{key} does not exist, expected it to hold weights")
        version = str(stored["metadata"]["resourceVersion"])
        members = self._members(key, stored)
        candidates = {v: m.known_by for v, m in members.items() if v != self._names[0]}
        others = beside(stored, next(iter(members.values())).path, candidates)
        return Part(key, version, members, others)

    def _members(self, key: ObjectKey, stored: Object) -> dict[str, Member]:
        paths = self._paths[key]
        trouble: SpecError | None = None
        try:
            found = self._placed(key, stored, paths)
            if unmoved(stored, found, self._known):
                return found
        except SpecError as error:
            trouble = error
        if trouble is not None and not self._known:
            raise trouble
        module = kind_of(stored["apiVersion"], stored["kind"], where=str(key))
        moved = relocated(stored, module, paths, self._known)
        return self._placed(key, stored, {v: str(text) for v, text in moved.items()})

    def _placed(
        self, key: ObjectKey, stored: Object, paths: Mapping[str, str]
    ) -> dict[str, Member]:
        module = kind_of(stored["apiVersion"], stored["kind"], where=str(key))
        found = {}
        parsed = {version: parse_field_path(text) for version, text in paths.items()}
        refuse_one_field(str(key), parsed)
        for version, path in parsed.items():
            own = [m for m in module.members(stored, path) if m.path == path]
            if not own:
                raise SpecError(f"{key}: {version}'s destination takes no part in the split")
            found[version] = own[0]
        refuse_one_destination(stored, found)
        return found


def _raised_first(parts: Sequence[Part], weights: Mapping[str, int]) -> list[Part]:
    """Return the objects that get more before those that get less (design section 4)."""

    def more(part: Part) -> int:
        return sum(part.share(weights).values()) - sum(part.weights().values())

    return sorted(parts, key=more, reverse=True)


def _versions(parts: Sequence[Part]) -> str:
    return ",".join(part.resource_version for part in parts)
