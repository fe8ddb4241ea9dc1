"""Which workloads and hosts are a version's, and whether they can take traffic."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from crossfade.errors import CrossfadeError, SpecError
from crossfade.routes import full_host
from crossfade.spec.ownership import known_manifests, single_owner
from crossfade.workloads import routed_workload
from crossfade_steps.deploy import parse_name
from crossfade_steps.run import Run

PODS = ("Deployment", "StatefulSet")


def version_objects(run: Run) -> dict[str, tuple[str, ...]]:
    """Return each version's workloads as ``Kind/namespace/name``.

    As ``versions:`` says, else the routing object where it runs the models itself, else whoever
    serves the host that the version's route points at.  Raises ``SpecError`` for a Deployment that
    would be two versions (subsets of one host).
    """
    found = {version.name: objects_of(run, version.name) for version in run.versions}
    seen: dict[str, str] = {}
    known = hosts(run)
    for version, names in found.items():
        for name in names:
            other = seen.setdefault(name, version)
            one_host = other != version and known.get(other) == known.get(version)
            if one_host and name.partition("/")[0] in PODS:
                raise SpecError(
                    f"{name} would be both {other} and {version}: their routes name one host",
                    hint=f"name each one's workload under spec.versions.{version}.objects",
                )
    return found


def objects_of(run: Run, version: str) -> tuple[str, ...]:
    """Return one version's workloads."""
    named = run.bundle.versions.get(version)
    if named is not None and named.objects:
        return named.objects
    bundle, own = run.bundle, routed_workload(run.bundle, version)
    if own is not None:
        return (own,)
    host = hosts(run).get(version)
    if host is None:
        return ()
    known = known_manifests(bundle.deploy, bundle.promote, bundle.namespace)
    return single_owner(version, host[0], known, bundle.namespace)


def hosts(run: Run) -> dict[str, tuple[str, int]]:
    """Return each version's destination as (host, port), where its routing object names one.

    A host without dots is one of its routing object's namespace, and comes in full.
    """
    return run.router.hosts(run.bundle.deploy)


def pin_documents(run: Run) -> None:
    """Look for the destinations of the deploy documents, wherever the stored routes have them.

    Before anybody asks which version serves: a field path may point at somebody else's weights.
    Where no document holds the routes, the field paths alone count.
    """
    with suppress(SpecError):
        run.router.pin(run.router.identities(run.bundle.deploy))


def require_baseline(run: Run) -> None:
    """Raise ``SpecError`` where the stored routes do not know the baseline that the documents name.

    What users get then is another model than the one the candidate would be compared with.
    """
    stored = [run.objects.get(key) for key in run.router.keys()]  # noqa: SIM118 (no mapping)
    if None in stored or run.baseline in _named_by_routes(run, frozenset([run.baseline])):
        return
    names = ", ".join(str(key) for key in run.router.keys())  # noqa: SIM118
    raise SpecError(
        f"{names}: no route goes to {hosts(run)[run.baseline][0]}, where the documents have the "
        f"baseline {run.baseline}",
        hint="bring the documents and what is stored to the same destinations, or leave the "
        "routing object out of spec.deploy",
    )


def serving(run: Run) -> frozenset[str]:
    """Return the versions that may get traffic now; all of them where it cannot be known.

    Route documents of a promotion may have replaced the routes whose weights are read: then a
    version serves when its host is still named by the routing object.
    """
    every = frozenset(version.name for version in run.versions)
    try:
        return frozenset(name for name, weight in run.router.read().weights.items() if weight)
    except SpecError:
        return _named_by_routes(run, every)
    except CrossfadeError:
        return every


def _named_by_routes(run: Run, every: frozenset[str]) -> frozenset[str]:
    """Return the versions whose host a stored route names, in whichever way it is written."""
    named: set[str] = set()
    try:
        known = hosts(run)
        for key in run.router.keys():  # noqa: SIM118 (a router is no mapping)
            spec = (run.objects.get(key) or {}).get("spec")
            named.update(full_host(text, key.namespace) for text in _texts(spec))
    except CrossfadeError:
        return every
    namespace = run.bundle.namespace
    return frozenset(
        name for name in every if name not in known or full_host(known[name][0], namespace) in named
    )


def _texts(value: Any) -> Iterator[str]:
    """Yield every text in a document."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def not_ready(run: Run, old: Mapping[str, int], new: Mapping[str, int]) -> str | None:
    """Return why a candidate that is to get more traffic cannot take it; None when all can.

    Capacity comes before weight (faults C39, C47).  Traffic back to the baseline waits for nothing.
    """
    for version in run.versions[1:]:
        if new.get(version.name, 0) <= old.get(version.name, 0):
            continue
        for name in objects_of(run, version.name):
            reason = run.readiness.pending(parse_name(name))
            if reason is not None:
                return f"{name} is not ready for more traffic: {reason}"
    return None
