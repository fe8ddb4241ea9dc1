"""The parts of a routing object: field paths, and the weighted members of one rule."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crossfade.errors import SpecError
from crossfade.spec.source import look, mapped

__all__ = ["Member", "look"]

Path = tuple[str | int, ...]
Manifest = Mapping[str, Any]

_TOKEN = re.compile(r"\.(?P<key>(?:[^.\[\]\\'\"]|\\.)+)|\[(?P<index>\d+)\]|\['(?P<quoted>[^']*)'\]")


@dataclass(frozen=True, slots=True)
class Member:
    """One weighted destination of a rule.

    ``raw`` is the weight as written, None when absent; ``weight`` is what that means.  The value
    at ``identity_path`` is what a patch tests first, so that a reordered list is never hit.  Where
    it alone does not tell two destinations apart, ``whole`` does, and ``further`` values by their
    paths are tested, too.
    """

    path: Path
    raw: int | None
    weight: int
    identity_path: Path
    identity: Any
    label: str
    whole: Any = None
    further: tuple[tuple[Path, Any], ...] = ()

    @property
    def known_by(self) -> Any:
        """Return what tells the destination from every other one."""
        return self.identity if self.whole is None else self.whole

    def tests(self) -> list[dict[str, Any]]:
        """Return the operations of a JSON Patch that prove that the destination is still here."""
        tested = ((self.identity_path, self.identity), *self.further)
        return [{"op": "test", "path": pointer(path), "value": value} for path, value in tested]


def parse_field_path(text: str) -> Path:
    """Return ``("spec", "http", 0, "route", 1, "weight")`` for ``.spec.http[0].route[1].weight``.

    A dot inside a key has a backslash before it, or the key is written ``['a.b']``, as kubectl's
    JSONPath has it.  Raises ``SpecError`` for anything else.
    """
    text = text.strip()
    parts: list[str | int] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise SpecError(
                f"fieldPath {text!r}: not understood at character {position + 1}",
                hint="write it as .spec.http[0].route[1].weight",
            )
        parts.append(_part(match))
        position = match.end()
    if not parts:
        raise SpecError("fieldPath is empty, expected a path such as .spec.http[0].route[1].weight")
    return tuple(parts)


def _part(match: re.Match[str]) -> str | int:
    if match["index"] is not None:
        return int(match["index"])
    if match["quoted"] is not None:
        return match["quoted"]
    return re.sub(r"\\(.)", r"\1", match["key"])


def pointer(path: Path) -> str:
    """Return the RFC 6901 JSON pointer of a path."""
    return "".join("/" + str(p).replace("~", "~0").replace("/", "~1") for p in path)


def dotted(path: Path) -> str:
    """Return the path as people write it: ``.spec.http[0].route[1].weight``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)


def describe(manifest: Manifest) -> str:
    """Return ``VirtualService default/routing-rule``."""
    metadata = mapped(manifest, ("metadata",))
    namespace = metadata.get("namespace")
    name = metadata.get("name", "(no name)")
    return f"{manifest.get('kind')} {namespace + '/' if namespace else ''}{name}"


def listed(manifest: Manifest, path: Path, *, what: str) -> list[Any]:
    """Return the list that the path's last index points into.

    ``path`` ends in ``[index]`` and the weight's key.  Raises ``SpecError`` saying what exists.
    """
    items = look(manifest, path[:-2])
    if not isinstance(items, list) or not items:
        raise SpecError(f"{describe(manifest)}: no {dotted(path[:-2])}, expected {what}")
    index = path[-2]
    if not isinstance(index, int) or index >= len(items):
        last = f"{dotted(path[:-2])}[0]" + (f" to [{len(items) - 1}]" if len(items) > 1 else "")
        raise SpecError(
            f"{describe(manifest)}: {path[-3]!s}[{index}] does not exist (there is {last})",
            hint="after a promotion only one route may be left: restore both before the next run",
        )
    return items


def whole_number(manifest: Manifest, path: Path, value: Any, *, most: int) -> int | None:
    """Return a weight as written, None when absent.  Raises ``SpecError`` outside 0..most."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise SpecError(f"{describe(manifest)}: {dotted(path)} is {value!r}, expected 0 to {most}")
    return value
