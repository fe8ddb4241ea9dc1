"""Weights are changed by a Lease's owner only: it is looked at right before each write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crossfade_steps.cluster.lease import Lease, Leases
from crossfade_steps.ports import Object, ObjectKey, Objects, Router, RouteState


class LeasedObjects:
    """Objects of which each patch is sent right after a look at the Lease (port ``Objects``).

    The version that a patch tests was read before that look: who marks or takes the Lease and then
    gives the object another version is never overwritten.
    """

    def __init__(self, objects: Objects, lease: Lease | Leases) -> None:
        self._objects, self._lease = objects, lease
        self.get, self.create = objects.get, objects.create
        self.apply, self.delete = objects.apply, objects.delete

    def patch(self, key: ObjectKey, operations: Sequence[Mapping[str, Any]]) -> Object:
        """Patch the object, if this run still is the owner."""
        self._lease.hold()
        return self._objects.patch(key, operations)


class LeasedRouter:
    """A router that looks at the Lease right before each change (port ``Router``)."""

    def __init__(self, router: Router, lease: Lease | Leases) -> None:
        self._router, self._lease = router, lease
        self.keys, self.read = router.keys, router.read
        self.identities, self.pin = router.identities, router.pin

    def write(self, state: RouteState, weights: Mapping[str, int]) -> RouteState:
        """Change the weights, if this run still is the owner."""
        self._lease.hold()
        return self._router.write(state, weights)

    def restore(self, weights: Mapping[str, int]) -> RouteState:
        """Bring the weights to these, if this run still is the owner."""
        self._lease.hold()
        return self._router.restore(weights)

    def fence(self, state: RouteState | None) -> None:
        """Let earlier writes fail that have not arrived, if this run still is the owner."""
        self._lease.hold()
        self._router.fence(state)

    def hosts(self, manifests: Sequence[Object]) -> dict[str, tuple[str, int]]:
        """Return each version's destination."""
        return self._router.hosts(manifests)
