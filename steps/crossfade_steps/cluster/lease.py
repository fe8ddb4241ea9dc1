"""One owner at a time for a routed object: a Lease beside it, named by what it is.

However the object is named in a file, the Lease is the same (design section 4).  It is taken by its
resourceVersion and looked at right before each patch; an owner that is gone loses it in time.  Who
ends the run marks it, and from then on no other part of that run changes a weight.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from crossfade.errors import BackendError, Conflict
from crossfade.spec.names import lock_name
from crossfade.verdict import Outcome
from crossfade_steps.cluster.kube import Kube
from crossfade_steps.ports import Clock, Object, ObjectKey, Objects, Router, RouteState
from crossfade_steps.run import EndedElsewhere, Stopped

SECONDS = 90
RENEW_SECONDS = 20.0
TRIES = 3
GROUP = "coordination.k8s.io"
ENDING = "crossfade.dev/ending"


class Lease:
    """The right to change one routed object's weights."""

    def __init__(self, kube: Kube, routed: ObjectKey, holder: str, clock: Clock) -> None:
        name = lock_name(routed.group, routed.kind, routed.namespace, routed.name)
        self._key = ObjectKey(GROUP, "Lease", routed.namespace, name)
        self._kube, self._routed, self._holder, self._clock = kube, routed, holder, clock
        self._ending = False

    @property
    def name(self) -> str:
        """Return the Lease's name, the same for every run that wants the object."""
        return str(self._key)

    def take(self, *, ending: bool = False) -> bool:
        """Become the owner, or stay it; with ``ending`` the only part of the run that is left.

        Returns whether it was not ours before.  Raises ``BackendError`` naming the run that holds
        it, ``Conflict`` when another one was faster.
        """
        self._ending = ending
        stored = self._kube.get(self._key)
        if stored is None:
            self._kube.create(self._manifest())
            return True
        holder = str(stored["spec"].get("holderIdentity") or "")
        if holder not in ("", self._holder) and not self._expired(stored):
            raise BackendError(
                f"{self._routed} is being changed by run {holder}",
                hint="wait until that run ends, or abort it: crossfade abort",
            )
        self._replace(stored, {"annotations": {ENDING: "true" if ending else None}})
        return holder != self._holder

    def hold(self) -> None:
        """Prove that this run still is the owner, and renew in time.

        Raises ``Stopped`` (contested) when another run has taken over, ``EndedElsewhere`` when
        another part of this run ends it.
        """
        marked = (self.renew()["metadata"].get("annotations") or {}).get(ENDING)
        if marked and not self._ending:
            raise EndedElsewhere(Outcome.CANCELLED, f"run {self._holder} is being ended already")

    def renew(self) -> Object:
        """Renew in time, also for a part of this run that ends it, and return what is stored.

        Raises ``Stopped`` (contested) when another run has taken over.
        """
        for attempt in range(TRIES):
            stored = self._owned()
            if self._clock.now() - _renewed(stored) <= RENEW_SECONDS:
                return stored
            try:
                return self._replace(stored)
            except Conflict:  # another part of this run was faster, or somebody else: look again
                if attempt == TRIES - 1:
                    raise
        raise AssertionError("the last try returns or raises")

    def _owned(self) -> Object:
        stored = self._kube.get(self._key)
        holder = None if stored is None else stored["spec"].get("holderIdentity")
        if stored is None or holder != self._holder:
            raise Stopped(
                Outcome.CONTESTED, f"{self._routed} now belongs to run {holder or 'nobody'}"
            )
        return stored

    def lost(self) -> bool:
        """Return whether another run is the owner now."""
        stored = self._kube.get(self._key)
        holder = None if stored is None else stored["spec"].get("holderIdentity")
        return holder not in (None, "", self._holder)

    def owner(self) -> str | None:
        """Return who else may change the object now, None when nobody does."""
        stored = self._kube.get(self._key)
        holder = None if stored is None else str(stored["spec"].get("holderIdentity") or "")
        expired = stored is None or self._expired(stored)
        return None if expired or holder in ("", self._holder) else holder

    def release(self) -> None:
        """Give it up, if it is ours."""
        stored = self._kube.get(self._key)
        if stored is not None and stored["spec"].get("holderIdentity") == self._holder:
            self._kube.delete(self._key, uid=str(stored["metadata"]["uid"]))

    def _expired(self, stored: Object) -> bool:
        return self._clock.now() > _renewed(stored) + int(stored["spec"]["leaseDurationSeconds"])

    def _manifest(self) -> dict[str, Any]:
        annotations = {"crossfade.dev/object": str(self._routed),
                       **({ENDING: "true"} if self._ending else {})}  # fmt: skip
        metadata = {"name": self._key.name, "namespace": self._key.namespace,
                    "labels": {"app.kubernetes.io/managed-by": "crossfade"},
                    "annotations": annotations}  # fmt: skip
        return {"apiVersion": f"{GROUP}/v1", "kind": "Lease", "metadata": metadata,
                "spec": self._spec()}  # fmt: skip

    def _spec(self) -> dict[str, Any]:
        now = datetime.fromtimestamp(self._clock.now(), UTC).isoformat(timespec="microseconds")
        now = now.replace("+00:00", "Z")
        return {"holderIdentity": self._holder, "leaseDurationSeconds": SECONDS,
                "acquireTime": now, "renewTime": now}  # fmt: skip

    def _replace(self, stored: Object, metadata: Mapping[str, Any] | None = None) -> Object:
        version = {"resourceVersion": stored["metadata"]["resourceVersion"]}
        part = {"metadata": {**version, **(metadata or {})}, "spec": self._spec()}
        return self._kube.merge(self._key, part)


def _renewed(stored: Object) -> float:
    text = str(stored["spec"]["renewTime"]).replace("Z", "+00:00")
    return datetime.fromisoformat(text).timestamp()


class Leases:
    """The right to change all objects of one split: all of them, or none."""

    def __init__(self, leases: Sequence[Lease]) -> None:
        self._leases = sorted(leases, key=lambda lease: lease.name)  # no two runs wait crosswise

    def take(self, *, ending: bool = False) -> None:
        """Become the owner of every object; of no more than before when one is another run's."""
        taken: list[Lease] = []
        try:
            for lease in self._leases:
                if lease.take(ending=ending):
                    taken.append(lease)
        except BackendError:
            for lease in taken:
                lease.release()
            raise

    def hold(self) -> None:
        """Prove that this run still is the owner of all.  Raises ``Stopped``."""
        for lease in self._leases:
            lease.hold()

    def renew(self) -> None:
        """Renew all in time.  Raises ``Stopped`` (contested)."""
        for lease in self._leases:
            lease.renew()

    def lost(self) -> bool:
        """Return whether another run is the owner of any."""
        return any(lease.lost() for lease in self._leases)

    def owner(self) -> str | None:
        """Return who else may change one of them now."""
        owners = [lease.owner() for lease in self._leases]
        return next((owner for owner in owners if owner is not None), None)

    def release(self) -> None:
        """Give up what is ours."""
        for lease in self._leases:
            lease.release()


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
