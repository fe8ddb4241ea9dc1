"""Which workloads and hosts are a version's, and whether they can take traffic."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from crossfade.errors import CrossfadeError, SpecError
from crossfade.routes import full_host, pointing, same
from crossfade.routes.pointing import reaches
from crossfade.spec.ownership import known_manifests, single_owner
from crossfade.spec.source import look
from crossfade.workloads import routed_workload
from crossfade_steps.deploy import parse_name
from crossfade_steps.ports import RouteState
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
    if None in stored or routes_to(run, run.baseline, same):
        return
    names = ", ".join(str(key) for key in run.router.keys())  # noqa: SIM118
    raise SpecError(
        f"{names}: no route goes to {_place(run, run.baseline)}, where the documents have the "
        f"baseline {run.baseline}",
        hint="bring the documents and what is stored to the same destinations, or leave the "
        "routing object out of spec.deploy",
    )


def _place(run: Run, version: str) -> str:
    """Return a version's destination for a person."""
    known = _known(run).get(version)
    if not isinstance(known, Mapping):
        return str(known or hosts(run)[version][0])
    name = known.get("host") or f"{known.get('namespace') or run.bundle.namespace}/{known['name']}"
    port = look(known, ("port", "number")) or known.get("port")
    told = (("subset", known.get("subset")), ("port", port))
    return f"{name}" + "".join(f", {key} {value}" for key, value in told if value)


def serving(run: Run) -> frozenset[str]:
    """Return the versions that may get traffic now; all of them where it cannot be known.

    A version serves where it has weight, where another rule than the driven one gives it requests,
    and where a rule without the baseline points at it, as one for testers.  Route documents of a
    promotion may have replaced the routes whose weights are read: then a version serves when any
    rule points at it.
    """
    every = frozenset(version.name for version in run.versions)
    try:
        state = _state(run)
        named = {name: routes_to(run, name) for name in every}
    except CrossfadeError:
        return every
    if state is None:
        return frozenset(name for name in every if named[name])
    users = {*state.beside, *(name for name in every if state.weights[name])}
    return frozenset(name for name in every if name in users or False in named[name])


def _state(run: Run) -> RouteState | None:
    """Return the weights in force, None where the stored routes have no such split."""
    try:
        return run.router.read()
    except SpecError:
        return None


def routes_to(
    run: Run, version: str, is_it: Callable[[Any, Any, str], bool] = reaches
) -> tuple[bool, ...]:
    """Return for each stored rule that points at a version whether it has the baseline, too.

    By destination; by host where no destination is known: then which rule it is is not known, as
    for a routing object that runs the version itself.
    """
    known = _known(run)
    if routed_workload(run.bundle, version) is not None:
        return (True,)
    if version not in known:
        return (True,) if _host_is_named(run, version) else ()
    found = []
    for key in run.router.keys():  # noqa: SIM118 (a router is no mapping)
        for rule in pointing.rules(run.objects.get(key) or {}):
            if any(is_it(item, known[version], key.namespace) for item in rule):
                base = known.get(run.baseline)
                found.append(any(is_it(item, base, key.namespace) for item in rule))
    return tuple(found)


def _known(run: Run) -> Mapping[str, Any]:
    """Return what each version's destination is known by; nothing where none resolves."""
    with suppress(SpecError):
        return run.router.identities(run.bundle.deploy)
    return {}


def _host_is_named(run: Run, version: str) -> bool:
    """Return whether a stored route names a version's host, in whichever way it is written."""
    try:
        known = hosts(run).get(version)
    except SpecError:
        return True
    named: set[str] = set()
    for key in run.router.keys():  # noqa: SIM118 (a router is no mapping)
        spec = (run.objects.get(key) or {}).get("spec")
        named.update(full_host(text, key.namespace) for text in _texts(spec))
    return known is None or full_host(known[0], run.bundle.namespace) in named


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
