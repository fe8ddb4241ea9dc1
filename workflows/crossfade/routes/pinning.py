"""The same destinations wherever they are now: a list that shifted is not written by its index.

A team puts a rule before ours, a tool reorders the destinations: then the experiment's field paths
point at somebody else's weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from crossfade.errors import SpecError
from crossfade.routes.member import Manifest, Member, Path, describe, dotted, parse_field_path
from crossfade.spec.source import look

References = Mapping[str, str | None]


def identities(members: Mapping[str, Member | None]) -> dict[str, Any]:
    """Return what each version's destination is known by; only those that stand in a list."""
    return {
        version: member.known_by
        for version, member in members.items()
        if member is not None and any(isinstance(part, int) for part in member.path)
    }


def same(one: Any, other: Any, namespace: str) -> bool:
    """Return whether two identities are of one destination of an object in a namespace.

    A host may be written shorter, a port and a document's own namespace left out.  A port is a
    number in Gateway API, and has its number in Istio.
    """
    if not (isinstance(one, Mapping) and isinstance(other, Mapping)):
        return bool(one == other)
    hosts = [full_host(str(side.get("host", "")), namespace) for side in (one, other)]
    ports = [_port(side) for side in (one, other)]
    rest = [{k: v or (namespace if k == "namespace" else v) for k, v in side.items()
             if k not in ("host", "port")} for side in (one, other)]  # fmt: skip
    return hosts[0] == hosts[1] and rest[0] == rest[1] and (None in ports or ports[0] == ports[1])


def _port(identity: Mapping[str, Any]) -> Any:
    port = identity.get("port")
    return port.get("number") if isinstance(port, Mapping) else port


def full_host(host: str, namespace: str) -> str:
    """Return a Service's host in full, whichever way it is written."""
    parts = host.split(".")
    tails = {1: [namespace, "svc", "cluster", "local"], 2: ["svc", "cluster", "local"]}
    if parts[2:] == ["svc"]:
        return f"{host}.cluster.local"
    return ".".join([*parts, *tails.get(len(parts), [])])


def in_full(hosts: Mapping[str, tuple[str, int]], namespace: str) -> dict[str, tuple[str, int]]:
    """Return versions' hosts as anybody may use them, whichever namespace they are in.

    One without dots is of the routing object's namespace; one with a dot is as it is, also for
    Istio (VirtualService, Destination.host).
    """
    return {version: (host if "." in host else full_host(host, namespace), port)
            for version, (host, port) in hosts.items()}  # fmt: skip


def relocated(
    manifest: Manifest, module: Any, references: References, known: Mapping[str, Any]
) -> dict[str, str | None]:
    """Return the references as they are where the known destinations are now.

    Raises ``SpecError`` when no rule, or more than one, has them all.
    """
    given = {v: text for v, text in references.items() if text is not None}
    paths = {v: parse_field_path(text) for v, text in given.items() if v in known}
    if not paths:
        return dict(references)
    first = next(iter(paths.values()))
    found = [
        placed for path in _rules(manifest, first)
        if (placed := _placed(manifest, module, path, {v: known[v] for v in paths})) is not None
    ]  # fmt: skip
    if len(found) != 1:
        what = "are in no rule any more" if not found else f"are in {len(found)} rules"
        raise SpecError(
            f"{describe(manifest)}: the destinations of {', '.join(paths)} {what}, "
            f"and {dotted(first)} is another one now",
            hint="somebody has changed the routes: put them back, or change the field paths",
        )
    return {v: found[0].get(v, given.get(v)) for v in references}


def _rules(manifest: Manifest, path: Path) -> Iterator[Path]:
    """Yield the path for every rule that there is: its first index counted through."""
    at = [i for i, part in enumerate(path) if isinstance(part, int)]
    if len(at) < 2:
        yield path
        return
    rules = look(manifest, path[: at[0]])
    for i in range(len(rules) if isinstance(rules, list) else 0):
        yield (*path[: at[0]], i, *path[at[0] + 1 : at[1]], 0, *path[at[1] + 1 :])


def _placed(
    manifest: Manifest, module: Any, path: Path, wanted: Mapping[str, Any]
) -> dict[str, str] | None:
    """Return each version's path in a rule; None unless each is in there exactly once."""
    try:
        members: list[Member] = module.members(manifest, path)
    except SpecError:
        return None
    namespace = str(look(manifest, ("metadata", "namespace")) or "default")
    own = {v: [m for m in members if same(m.known_by, known, namespace)]
           for v, known in wanted.items()}  # fmt: skip
    if any(len(found) != 1 for found in own.values()):
        return None
    if len({m.path for m in chain.from_iterable(own.values())}) != len(own):
        return None
    return {version: dotted(found[0].path) for version, found in own.items()}


def unmoved(
    manifest: Manifest, members: Mapping[str, Member | None], known: Mapping[str, Any]
) -> bool:
    """Return whether every known destination is the one that is there."""
    namespace = str(look(manifest, ("metadata", "namespace")) or "default")
    now = identities(members)
    return all(same(now[v], known[v], namespace) for v in known if v in now)
