"""One owner at a time for a routed object: a Lease beside it, named by what it is.

However the object is named in a file, the Lease is the same, so that two runs meet there.  It is
taken by its resourceVersion and looked at right before each patch; an owner that is gone loses it
in time.  Two machines' clocks may differ: a Lease that looks left behind is watched for as long as
it lasts, and taken only if nobody has renewed it meanwhile.  Who ends the run marks it, and from
then on no other part of that run changes a weight.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from crossfade.errors import BackendError, Conflict
from crossfade.spec.names import lock_name
from crossfade.verdict import Outcome
from crossfade_steps.cluster.kube import Kube
from crossfade_steps.ports import Clock, Object, ObjectKey
from crossfade_steps.run import EndedElsewhere, Stopped

SECONDS = 90
RENEW_SECONDS = 20.0
WATCH_SECONDS = 2.0
TRIES = 3
GROUP = "coordination.k8s.io"
ENDING = "crossfade.dev/ending"
TAKEN = "crossfade.dev/taken-from"
"""The run that did not give its Lease back, until its writes cannot arrive any more."""


class Lease:
    """The right to change one routed object's weights."""

    def __init__(self, kube: Kube, routed: ObjectKey, holder: str, clock: Clock) -> None:
        name = lock_name(routed.group, routed.kind, routed.namespace, routed.name)
        self._key = ObjectKey(GROUP, "Lease", routed.namespace, name)
        self._kube, self._routed, self._holder, self._clock = kube, routed, holder, clock
        self._ending = False
        self._left_behind = ""

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
        watch([self])
        stored = self._kube.get(self._key)
        if stored is None:
            self._kube.create(self._manifest())
            return True
        holder = str(stored["spec"].get("holderIdentity") or "")
        marks: dict[str, str | None] = {ENDING: "true" if ending else None}
        if holder not in ("", self._holder):
            if _version(stored) != self._left_behind:
                raise self._held(holder)
            marks[TAKEN] = holder
        self._replace(stored, {"annotations": marks})
        return holder != self._holder

    def left_behind(self) -> tuple[str, float]:
        """Return the version of another run's record that looks left behind, and how long it lasts.

        Both are empty where nothing is to be watched, or was already.  Raises ``BackendError`` when
        the run that holds it is alive.
        """
        stored = self._kube.get(self._key)
        holder = self._other(stored)
        if stored is None or not holder or _version(stored) == self._left_behind:
            return "", 0.0
        if self._fresh(stored):
            raise self._held(holder)
        return _version(stored), float(stored["spec"]["leaseDurationSeconds"])

    def watched(self, version: str, *, over: bool) -> bool:
        """Return whether the record is still another run's; note at the end that it is the same.

        Raises ``BackendError`` if it was renewed.
        """
        stored = self._kube.get(self._key)
        holder = self._other(stored)
        if holder and stored is not None and _version(stored) != version:
            raise self._held(holder)
        if over:
            self._left_behind = version
        return bool(holder)

    @property
    def clock(self) -> Clock:
        """Return what is waited with."""
        return self._clock

    def _other(self, stored: Object | None) -> str:
        holder = "" if stored is None else str(stored["spec"].get("holderIdentity") or "")
        return "" if holder == self._holder else holder

    def _held(self, holder: str) -> BackendError:
        return BackendError(
            f"{self._routed} is being changed by run {holder}",
            hint="wait until that run ends, or abort it: crossfade abort",
        )

    def inherited(self) -> bool:
        """Return whether it was taken from a run whose writes may still be on their way."""
        stored = self._kube.get(self._key)
        return bool(((stored or {}).get("metadata", {}).get("annotations") or {}).get(TAKEN))

    def cleared(self) -> None:
        """Note that no write of an earlier owner can arrive any more."""
        self._kube.merge(self._key, {"metadata": {"annotations": {TAKEN: None}}})

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
            if abs(self._clock.now() - _renewed(stored)) <= RENEW_SECONDS:
                return (
                    stored  # a time in our future is another machine's clock, and no newer for it
                )
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
        holder = self._other(stored)
        return holder if stored is not None and holder and self._fresh(stored) else None

    def release(self) -> None:
        """Give it up, if it is ours."""
        stored = self._kube.get(self._key)
        if stored is not None and stored["spec"].get("holderIdentity") == self._holder:
            self._kube.delete(self._key, uid=str(stored["metadata"]["uid"]))

    def _fresh(self, stored: Object) -> bool:
        """Return whether it was renewed just now, as far as two clocks agree."""
        apart = abs(self._clock.now() - _renewed(stored))
        return apart <= int(stored["spec"]["leaseDurationSeconds"])

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


def _version(stored: Object) -> str:
    return str(stored["metadata"]["resourceVersion"])


def watch(leases: Sequence[Lease]) -> None:
    """Wait until every record that looks left behind has not changed for as long as it lasts.

    The time is counted in what was slept, on no clock: as long as one Lease, however many there
    are, and no time where none looks so.  Raises ``BackendError`` as soon as one is renewed.
    """
    found = [(lease, *lease.left_behind()) for lease in leases]
    pending = [(lease, version) for lease, version, _ in found if version]
    lasts, waited = max((seconds for *_, seconds in found), default=0.0), 0.0
    if pending:
        names = ", ".join(lease.name for lease, _ in pending)
        print(f"{names}: its owner seems gone, watched for {lasts:.0f} s", flush=True)
    while pending and waited <= lasts:
        leases[0].clock.sleep(WATCH_SECONDS)
        waited += WATCH_SECONDS
        over = waited > lasts
        pending = [(lease, version) for lease, version in pending
                   if lease.watched(version, over=over)]  # fmt: skip


class Leases:
    """The right to change all objects of one split: all of them, or none."""

    def __init__(self, leases: Sequence[Lease]) -> None:
        self._leases = sorted(leases, key=lambda lease: lease.name)  # no two runs wait crosswise

    def take(self, *, ending: bool = False) -> None:
        """Become the owner of every object; of no more than before when one is another run's."""
        taken: list[Lease] = []
        watch(self._leases)
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

    def inherited(self) -> bool:
        """Return whether one was taken from a run whose writes may still be on their way."""
        return any(lease.inherited() for lease in self._leases)

    def cleared(self) -> None:
        """Note that no write of an earlier owner can arrive any more."""
        for lease in self._leases:
            lease.cleared()

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
