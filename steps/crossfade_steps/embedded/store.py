"""An object store in memory that answers like the Kubernetes API server does.

It is the embedded default's cluster, and the fake that the contract suites use beside a real API
server.  Objects get a UID, a generation and a resourceVersion; every change is told to subscribers
in order; a JSON Patch is atomic, and its failed ``test`` is a conflict.
"""

from __future__ import annotations

import copy
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import jsonpatch
import jsonpointer

from crossfade.errors import BackendError, Conflict, CrossfadeError
from crossfade_steps.ports import Object, ObjectKey

Subscriber = Callable[[str, Object], None]
Admission = Callable[[Object], None]


class Store:
    """Objects by key; all methods may be called from any thread (port ``Objects``)."""

    def __init__(
        self, *, default_namespace: str = "default", admit: Admission | None = None
    ) -> None:
        """Make an empty store; ``admit`` raises for what must not be stored."""
        self._default = default_namespace
        self._admit: Admission = admit or (lambda stored: None)
        self._objects: dict[ObjectKey, dict[str, Any]] = {}
        self._subscribers: list[Subscriber] = []
        self._lock = threading.RLock()
        self._version = 0

    def subscribe(self, callback: Subscriber) -> None:
        """Call ``callback(event, object)`` after each change: added, modified or deleted.

        Objects that are there already are told at once as added.
        """
        with self._lock:
            self._subscribers.append(callback)
            for stored in list(self._objects.values()):
                callback("added", copy.deepcopy(stored))

    def list(self, kind: str) -> list[Object]:
        """Return every object of a kind, in no particular namespace."""
        with self._lock:
            return [copy.deepcopy(o) for k, o in self._objects.items() if k.kind == kind]

    def get(self, key: ObjectKey) -> Object | None:
        """Return a copy of the object, or None when it does not exist."""
        with self._lock:
            return copy.deepcopy(self._objects.get(key))

    def create(self, manifest: Object) -> Object:
        """Create the object; an existing one is a ``Conflict``."""
        key = ObjectKey.of(manifest, self._default)
        with self._lock:
            if key in self._objects:
                raise Conflict(f"{key} exists already")
            stored = copy.deepcopy(dict(manifest))
            metadata = stored["metadata"] = dict(stored.get("metadata") or {})
            metadata["namespace"] = key.namespace
            metadata["uid"] = str(uuid.uuid4())
            metadata["generation"] = 1
            self._admit(stored)
            return self._store(key, stored, "added")

    def apply(self, manifest: Object) -> Object:
        """Create the object, or merge what the manifest says into it; lists are replaced whole."""
        key = ObjectKey.of(manifest, self._default)
        with self._lock:
            existing = self._objects.get(key)
            if existing is None:
                return self.create(manifest)
            return self._replace(key, _merged(existing, manifest))

    def patch(self, key: ObjectKey, operations: Sequence[Mapping[str, Any]]) -> Object:
        """Apply one JSON Patch atomically.

        Raises ``Conflict`` for a failed test, ``BackendError`` for an absent object or path.
        """
        with self._lock:
            existing = self._objects.get(key)
            if existing is None:
                raise BackendError(f"{key} does not exist")
            try:
                changed = jsonpatch.apply_patch(existing, [dict(op) for op in operations])
            except jsonpatch.JsonPatchTestFailed as error:
                raise Conflict(f"{key}: test failed: {error}") from error
            except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException) as error:
                raise BackendError(f"{key}: patch refused: {error}") from error
            return self._replace(key, changed)

    def set_status(self, key: ObjectKey, status: Mapping[str, Any]) -> None:
        """Replace the object's status, as a controller does; an absent object is left alone."""
        with self._lock:
            existing = self._objects.get(key)
            if existing is not None and existing.get("status") != status:
                changed = {**copy.deepcopy(existing), "status": copy.deepcopy(dict(status))}
                self._store(key, changed, "modified")

    def delete(self, key: ObjectKey, *, uid: str | None = None) -> None:
        """Delete the object if it exists; another UID than the given one is a ``Conflict``."""
        with self._lock:
            existing = self._objects.get(key)
            if existing is None:
                return
            if uid is not None and existing["metadata"]["uid"] != uid:
                raise Conflict(f"{key} is not the one with UID {uid} any more")
            del self._objects[key]
            self._tell("deleted", existing)

    def _replace(self, key: ObjectKey, changed: dict[str, Any]) -> Object:
        existing = self._objects[key]
        if changed == existing:
            return copy.deepcopy(existing)
        for name in ("uid", "generation"):
            changed["metadata"][name] = existing["metadata"][name]
        if changed.get("spec") != existing.get("spec"):
            changed["metadata"]["generation"] += 1
            self._admit(changed)
        return self._store(key, changed, "modified")

    def _store(self, key: ObjectKey, stored: dict[str, Any], event: str) -> Object:
        """Keep the object and tell of it; what a subscriber refuses has not happened."""
        before = self._objects.get(key)
        self._version += 1
        stored["metadata"]["resourceVersion"] = str(self._version)
        self._objects[key] = stored
        try:
            self._tell(event, stored)
        except CrossfadeError:
            if before is None:
                del self._objects[key]
            else:
                self._objects[key] = before
            raise
        return copy.deepcopy(stored)

    def _tell(self, event: str, stored: Object) -> None:
        subscribers: Iterable[Subscriber] = tuple(self._subscribers)
        for subscriber in subscribers:
            subscriber(event, copy.deepcopy(stored))


def _merged(existing: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``existing`` with what ``wanted`` says, mapping by mapping; null removes a key."""
    result = copy.deepcopy(dict(existing))
    for name, value in wanted.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, Mapping) and isinstance(result.get(name), Mapping):
            result[name] = _merged(result[name], value)
        else:
            result[name] = copy.deepcopy(value)
    return result
