"""What the steps need from the world: protocols of one to five methods.

Every adapter of a port runs the same contract suite (``tests/contracts``).  The steps get ports as
arguments and know nothing about HTTP, Kubernetes, files or the real clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from crossfade.spec.metric import Metric
from crossfade.verdict import Reading

Object = Mapping[str, Any]
FIELD_MANAGER = "crossfade"
"""In whose name objects are written (``metadata.managedFields``)."""


@dataclass(frozen=True, slots=True)
class ObjectKey:
    """Names one Kubernetes-style object; ``group`` is empty for the core group."""

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"

    @classmethod
    def of(cls, manifest: Object, default_namespace: str = "default") -> ObjectKey:
        """Return the key of a manifest."""
        group, _, _ = str(manifest["apiVersion"]).rpartition("/")
        metadata = manifest.get("metadata") or {}
        namespace = metadata.get("namespace") or default_namespace
        return cls(group, str(manifest["kind"]), namespace, str(metadata["name"]))


class Objects(Protocol):
    """The Kubernetes API as far as crossfade uses it; the embedded store has the same shape.

    Objects carry ``metadata.uid`` and ``metadata.resourceVersion``.  Absent objects are None, a
    conflict or a failed ``test`` operation is a ``Conflict``, anything else a ``BackendError``.
    """

    def get(self, key: ObjectKey) -> Object | None:
        """Return the object, or None when it does not exist."""

    def create(self, manifest: Object) -> Object:
        """Create the object and return it as stored; an existing one is a ``Conflict``."""

    def apply(self, manifest: Object) -> Object:
        """Create the object or replace what the manifest says of it (server-side apply)."""

    def patch(self, key: ObjectKey, operations: Sequence[Mapping[str, Any]]) -> Object:
        """Apply one JSON Patch (RFC 6902) atomically and return the object."""

    def delete(self, key: ObjectKey, *, uid: str | None = None) -> None:
        """Delete the object if it exists and, where given, still has that UID."""


@dataclass(frozen=True, slots=True)
class MetricRequest:
    """One metric asked for one version, at one common elapsed time (whole seconds, >= 1).

    With a ``window`` (since, until; seconds since the epoch) a store that can count says how much
    the metric's counters grew in it.
    """

    metric: Metric
    key: str
    version: str
    variables: Mapping[str, str]
    elapsed_seconds: int
    window: tuple[float, float] | None = None


class MetricSource(Protocol):
    """A metric store."""

    def read(self, request: MetricRequest) -> Reading:
        """Return the reading; trouble is a reading without a value and with a reason.

        Raises ``SpecError`` only for what no retry can mend (a placeholder without a value,
        a refused URL scheme, several series in strict mode).
        """


@dataclass(frozen=True, slots=True)
class RouteState:
    """Weights read from a routing object: whole percent by version, in order, summing to 100.

    ``sticky`` says that the object pins users to the version they met first; ``beside`` names the
    rules that are not driven, by the candidates that get requests there.
    """

    weights: Mapping[str, int]
    resource_version: str
    sticky: bool = False
    beside: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class Router(Protocol):
    """Reads and writes the weights of one experiment."""

    def keys(self) -> tuple[ObjectKey, ...]:
        """Return the objects that hold weights."""

    def read(self) -> RouteState:
        """Return the weights in force.  Raises ``SpecError`` where they do not resolve."""

    def write(self, state: RouteState, weights: Mapping[str, int]) -> RouteState:
        """Change the weights that ``state`` was read with, read them back and return that.

        Raises ``Conflict`` when somebody else changed the object in between.
        """

    def restore(self, weights: Mapping[str, int]) -> RouteState:
        """Bring the weights to these whatever they are now, also where they do not make 100."""

    def fence(self, state: RouteState | None) -> None:
        """Let every earlier write fail that has not arrived yet, and leave no trace of ours.

        Raises ``Conflict`` when the weights are not those of ``state`` any more.
        """

    def identities(self, manifests: Sequence[Object] | None = None) -> dict[str, Any]:
        """Return what each version's destination is known by: as stored, or in the manifests.

        Where none of them says it, as it is pinned.
        """

    def pin(self, known: Mapping[str, Any]) -> None:
        """Look for these destinations from now on, wherever a list has moved them to."""

    def hosts(self, manifests: Sequence[Object]) -> dict[str, tuple[str, int]]:
        """Return each version's destination (host, port): as stored, else as in the manifests."""


class Clock(Protocol):
    """Time as an argument."""

    def now(self) -> float:
        """Return seconds since the epoch."""

    def sleep(self, seconds: float) -> None:
        """Wait that long."""


class Record(Protocol):
    """Where a run's history goes: JSON-compatible entries, in order, never changed."""

    def append(self, entry: Mapping[str, Any]) -> None:
        """Add one entry durably before returning."""

    def entries(self) -> Sequence[Mapping[str, Any]]:
        """Return every entry so far."""


class Readiness(Protocol):
    """Says whether deployed objects serve what their spec says."""

    def pending(self, key: ObjectKey) -> str | None:
        """Return why the object is not ready yet, or None when it is ready.

        Raises ``NeverReady`` with the reason when it never will be, ``BackendError`` when it cannot
        be known now.
        """


class Responder(Protocol):
    """Sends one request to the users' entry point, as a user would."""

    def send(self, url: str, payload: str | None, headers: Mapping[str, str]) -> Response:
        """Return the answer; a transport error is a ``BackendError``."""


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes
