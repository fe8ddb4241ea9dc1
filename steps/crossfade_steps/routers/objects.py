"""The router of every kind that stores its weights in an object of the Kubernetes API.

What differs between kinds is pure and lives in ``crossfade.routes``; sending is the same for all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from crossfade.errors import BackendError, Conflict, SpecError
from crossfade.routes import (
    Rule,
    identities,
    in_full,
    kind_of,
    references_by_object,
    resolve_known,
)
from crossfade.spec.experiment import Experiment
from crossfade_steps.ports import Object, ObjectKey, Objects, RouteState
from crossfade_steps.routers.fence import fence

TRIES = 5
"""How often a write is begun anew when the object changed in some other way (a status)."""


class ObjectRouter:
    """Weights of one experiment, stored in one routing object (port ``Router``)."""

    def __init__(self, experiment: Experiment, objects: Objects) -> None:
        groups = references_by_object(experiment.versions, experiment.namespace)
        if len(groups) != 1:
            names = ", ".join(f"{kind} {ns}/{name}" for _, kind, ns, name in groups) or "nothing"
            raise SpecError(
                f"experiment {experiment.name}: the versions' weights are in {names}, "
                f"expected one routing object",
                hint="give every version a weightObjRef into the same object",
            )
        (api_version, kind, namespace, name), references = next(iter(groups.items()))
        kind_of(api_version, kind, where=f"weightObjRef {kind} {namespace}/{name}")
        self._key = ObjectKey(api_version.rpartition("/")[0], kind, namespace, name)
        self._references = references
        self._objects = objects
        self._known: Mapping[str, Any] = {}

    def keys(self) -> tuple[ObjectKey, ...]:
        """Return the one routing object."""
        return (self._key,)

    def read(self) -> RouteState:
        """Return the weights in force."""
        stored, rule = self._resolve()
        return _state(stored, rule)

    def write(self, state: RouteState, weights: Mapping[str, int]) -> RouteState:
        """Patch the object that ``state`` was read from, and compare what is stored afterwards.

        Whatever else changed meanwhile, a status or a label, is tried again; other weights than
        those of ``state`` are a ``Conflict``.  The answer has the weights as they read now: beside
        a foreign destination the managed part may be too coarse for every percent, and the nearest
        one is what is in force.
        """
        return self._tried(lambda stored, rule: self._patched(stored, rule, weights), state)

    def restore(self, weights: Mapping[str, int]) -> RouteState:
        """Bring the weights to these, also where no split can be read since all are 0."""
        return self._tried(lambda stored, rule: self._patched(stored, rule, weights))

    def fence(self, state: RouteState | None) -> None:
        """Let every earlier write fail that has not arrived yet; no object needs no fence."""
        for attempt in range(TRIES):
            stored = self._objects.get(self._key)
            if stored is None:
                return
            if state is not None:
                self._require(state, resolve_known(stored, self._references, self._known))
            try:
                return fence(self._objects, self._key, stored)
            except Conflict:
                if attempt == TRIES - 1:
                    raise

    def _tried(
        self, change: Callable[[Object, Rule], RouteState], state: RouteState | None = None
    ) -> RouteState:
        """Change the object as it is now, and again when it changed in between.

        With a ``state`` only while its weights are those.
        """
        for attempt in range(TRIES):
            stored, rule = self._resolve()
            if state is not None:
                self._require(state, rule)
            try:
                return change(stored, rule)
            except Conflict:
                if attempt == TRIES - 1:
                    raise
        raise AssertionError("the last try returns or raises")

    def _require(self, state: RouteState, rule: Rule) -> None:
        """Raise ``Conflict`` unless the weights are those that were read."""
        if rule.percent() != dict(state.weights):
            raise Conflict(
                f"{self._key}: changed since its weights were read: {rule.percent()} "
                f"instead of {dict(state.weights)}"
            )

    def _patched(self, stored: Object, rule: Rule, weights: Mapping[str, int]) -> RouteState:
        operations = rule.patch(str(stored["metadata"]["resourceVersion"]), weights)
        self._objects.patch(self._key, operations)
        after, now = self._resolve()
        wrong = [
            f"{op['path']} is {value}, expected {op['value']}"
            for op in operations
            if op["op"] == "add" and (value := now.raw_at(str(op["path"]))) != op["value"]
        ]
        if wrong:
            raise Conflict(f"{self._key}: read back differently: {'; '.join(wrong)}")
        return _state(after, now)

    def identities(self, manifests: Sequence[Object] | None = None) -> dict[str, Any]:
        """Return what each version's destination is known by; as pinned where no manifest says."""
        stored = self._objects.get(self._key)
        sources = [stored] if manifests is None else self._named(manifests)
        for source in sources:
            if source is not None:
                return identities(resolve_known(source, self._references, self._known).slots)
        return dict(self._known)

    def pin(self, known: Mapping[str, Any]) -> None:
        """Look for these destinations from now on."""
        self._known = dict(known)

    def _named(self, manifests: Sequence[Object]) -> list[Object]:
        return [m for m in manifests if ObjectKey.of(m, self._key.namespace) == self._key]

    def hosts(self, manifests: Sequence[Object]) -> dict[str, tuple[str, int]]:
        """Return each version's destination, from the manifests or else from the stored object.

        The manifests say which destination is whose: a stored object may lack the candidate's,
        or have somebody else's where the field paths point.
        """
        named, stored = self._named(manifests), self._objects.get(self._key)
        sources = [*named, stored] if stored is not None else named
        for i, source in enumerate(sources):
            try:
                found = resolve_known(source, self._references, self._known).hosts()
                return in_full(found, self._key.namespace)
            except SpecError:
                if i == len(sources) - 1:
                    raise
        return {}

    def _resolve(self) -> tuple[Object, Rule]:
        stored = self._objects.get(self._key)
        if stored is None:
            raise BackendError(
                f"{self._key} does not exist, expected it to hold the weights",
                hint="name its manifest under deploy:, or create it first",
            )
        return stored, resolve_known(stored, self._references, self._known)


def _state(stored: Object, rule: Rule) -> RouteState:
    version = str(stored["metadata"]["resourceVersion"])
    return RouteState(rule.percent(), version, rule.sticky, rule.beside)
