"""Create what a rollout needs, and nothing that anybody else owns is changed.

Rules: missing objects are created; an existing object of the baseline is left
as it is, whatever the manifest says; in an existing routing object only a missing destination is
added, at weight 0, and a candidate that the object itself runs is brought to the manifest; an
existing object of a candidate is brought to its manifest, and what only candidates read before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass, field

from crossfade.errors import BackendError, NeverReady, SpecError
from crossfade.routes.additions import missing
from crossfade.spec.dependents import read_by
from crossfade.spec.experiment import Experiment
from crossfade.spec.ownership import GROUPS, object_name
from crossfade.spec.rollout import Bundle, Manifest
from crossfade.workloads import read_by_candidates
from crossfade_steps import inplace
from crossfade_steps.likeness import differs, identity, predictor_of, said
from crossfade_steps.marking import documents_of, in_order, marked
from crossfade_steps.ports import Clock, Object, ObjectKey, Objects, Readiness

POLL_SECONDS = 0.2


@dataclass(slots=True)
class Deployed:
    """What a deployment did: UIDs by object created or found, and what it left alone.

    ``objects`` are each version's workloads as ``Kind/namespace/name``, as the routes were before
    anything was promoted.
    """

    created: dict[str, str] = field(default_factory=dict)
    found: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    objects: dict[str, tuple[str, ...]] = field(default_factory=dict)


def deploy(
    bundle: Bundle,
    objects: Objects,
    *,
    candidates: frozenset[str],
    routed: frozenset[ObjectKey],
    baseline: Iterable[str] = (),
    on_created: Callable[[str, str], None] = lambda name, uid: None,
) -> Deployed:
    """Bring every manifest of the rollout into being, by the rules above.

    ``candidates`` and ``baseline`` hold their objects as ``Kind/namespace/name``; ``routed`` the
    objects that hold weights; ``on_created`` is told of each object made, with its UID.  Raises
    ``SpecError`` for a namespace that does not exist.
    """
    done, read = Deployed(), read_alone(bundle, objects, candidates, baseline)
    documents = documents_of(bundle, read)
    for manifest in in_order(bundle, documents.keys()):
        key = ObjectKey.of(manifest, bundle.namespace)
        existing = objects.get(key)
        name = object_name(manifest, bundle.namespace)
        wanted = marked(manifest, documents, bundle.namespace)
        if key.kind == "Namespace":
            _require_namespace(key, existing)
        elif existing is None:
            made = objects.create(inplace.first(key, wanted, bundle.experiment))
            done.created[name] = uid(made)
            on_created(name, done.created[name])
        else:
            done.found[name] = uid(existing)
            if key in routed:
                done.notes += _bring(key, existing, wanted, bundle.experiment, objects)
            elif name in candidates or name in documents:
                objects.apply(wanted)
            elif differs(existing, manifest):
                done.notes.append(f"{key} exists and differs from its manifest: left as it is")
    return done


def wait_until_ready(
    keys: Sequence[ObjectKey],
    readiness: Readiness,
    clock: Clock,
    *,
    timeout_seconds: float,
    check: Callable[[], None] = lambda: None,
) -> None:
    """Wait until every object serves what its spec says.

    Raises ``BackendError`` with the reason of the first object that does not, when the time is up
    or when it never will, and what ``check`` raises; one failed look is no reason to give up.
    """
    until = clock.now() + timeout_seconds
    for key in keys:
        while (reason := _pending(readiness, key)) is not None:
            check()
            if clock.now() >= until:
                raise BackendError(
                    f"{key}: not ready after {timeout_seconds:.0f} s: {reason}",
                    hint="look at its pods (or its log in the run's folder)",
                )
            clock.sleep(POLL_SECONDS)


def _pending(readiness: Readiness, key: ObjectKey) -> str | None:
    try:
        return readiness.pending(key)
    except NeverReady:
        raise
    except BackendError as error:
        return f"not known: {error}"


def read_alone(
    bundle: Bundle, objects: Objects, candidates: Set[str], baseline: Iterable[str]
) -> dict[str, list[str]]:
    """Return by workload the documents that only candidates read.

    What is stored of the baseline counts, too: it may be in no document, or another than there.
    """
    found = (objects.get(parse_name(name)) for name in baseline)
    return read_by_candidates(bundle, candidates, [each for each in found if each is not None])


def same_model(
    names: tuple[Sequence[str], Sequence[str]],
    hosts: tuple[str, str],
    objects: Objects,
    bundle: Bundle,
) -> bool:
    """Return whether baseline and candidate run the same thing, so that nothing can be compared.

    Identity is the spec without what scaling changes (faults C53): replicas are ignored.  What the
    pods read belongs to it; of one SeldonDeployment with both, the predictors behind the hosts.
    """
    if tuple(names[0]) == tuple(names[1]) and any(n.startswith("Seldon") for n in names[0]):
        stored = objects.get(parse_name(names[0][0]))
        one, other = (predictor_of(stored, host) for host in hosts)
        return one is not None and one == other
    left, right = ([_runs(name, objects, bundle) for name in side] for side in names)
    return bool(left) and None not in left and left == right


def _runs(name: str, objects: Objects, bundle: Bundle) -> str | None:
    """Return what a workload runs with all that its pods read, as far as documents name it."""
    stored = objects.get(parse_name(name))
    own = identity(stored)
    if stored is None or own is None:
        return None
    known = {object_name(m, bundle.namespace) for m in bundle.deploy}
    read = [n for n in read_by(stored, bundle.namespace) if n in known]
    found = (objects.get(parse_name(n)) for n in read)
    return own + said(item for item in found if item is not None)


def parse_name(name: str) -> ObjectKey:
    """Return the key of ``Kind/namespace/name``.

    The group follows from the kind, where it is not written behind it (``Kind.group``).
    """
    parts = name.split("/")
    if len(parts) != 3:
        raise SpecError(f"object {name!r}: expected Kind/namespace/name")
    kind, _, group = parts[0].partition(".")
    return ObjectKey(group or GROUPS.get(kind, ""), kind, parts[1], parts[2])


def uid(stored: Object) -> str:
    """Return the UID of a stored object."""
    return str(stored["metadata"]["uid"])


def _require_namespace(key: ObjectKey, existing: Object | None) -> None:
    if existing is None:
        raise SpecError(
            f"namespace {key.name} does not exist, expected it before the rollout starts",
            hint=f"kubectl create namespace {key.name}",
        )


def _bring(
    key: ObjectKey, existing: Object, manifest: Manifest, experiment: Experiment, objects: Objects
) -> list[str]:
    """Bring a routing object in one write what it lacks: a new candidate, missing destinations.

    Destinations are appended at weight 0.  Returns the notes.
    """
    change = inplace.renewal(key, existing, manifest, experiment)
    if change.whole is not None:
        objects.apply(change.whole)
        return list(change.notes)
    notes, added = list(change.notes), missing(existing, manifest)
    if change.operations or added:
        version = existing["metadata"]["resourceVersion"]
        test = {"op": "test", "path": "/metadata/resourceVersion", "value": version}
        objects.patch(key, [test, *change.operations, *added])
    if added:
        count = sum(str(op["path"]).endswith("/-") for op in added)
        notes.append(f"{key} existed: added {count} destination(s) at weight 0")
    return notes
