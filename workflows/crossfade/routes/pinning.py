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
        version: member.identity
        for version, member in members.items()
        if member is not None and any(isinstance(part, int) for part in member.path)
    }


def same(one: Any, other: Any) -> bool:
    """Return whether two identities are of one destination: a host may be written shorter."""
    if isinstance(one, Mapping) and isinstance(other, Mapping) and one.get("host"):
        left, right = ({**side, "host": _service(side)} for side in (one, other))
        shorter = str(one["host"]) in str(other.get("host")) or str(other.get("host")) in str(
            one["host"]
        )
        return shorter and left == right
    return bool(one == other)


def _service(identity: Mapping[str, Any]) -> str:
    return str(identity.get("host", "")).partition(".")[0]


def relocated(
    manifest: Manifest, module: Any, references: References, known: Mapping[str, Any]
) -> dict[str, str | None]:
    """Return the references as they are where the known destinations are now.

    Raises ``SpecError`` when no rule, or more than one, has them all.
    """
    paths = {v: parse_field_path(text) for v, text in references.items() if text is not None}
    first = next(iter(paths.values()))
    found = [
        placed for path in _rules(manifest, first)
        if (placed := _placed(manifest, module, path, {v: known.get(v) for v in paths})) is not None
    ]  # fmt: skip
    if len(found) != 1:
        what = "are in no rule any more" if not found else f"are in {len(found)} rules"
        raise SpecError(
            f"{describe(manifest)}: the destinations of {', '.join(paths)} {what}, "
            f"and {dotted(first)} is another one now",
            hint="somebody has changed the routes: put them back, or change the field paths",
        )
    return {v: found[0].get(v) for v in references}


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
    own = {v: [m for m in members if same(m.identity, known)] for v, known in wanted.items()}
    if any(len(found) != 1 for found in own.values()):
        return None
    if len({m.path for m in chain.from_iterable(own.values())}) != len(own):
        return None
    return {version: dotted(found[0].path) for version, found in own.items()}
