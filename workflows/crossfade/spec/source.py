"""Where each value of a user's file stands, so that every finding can name its line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from crossfade.errors import Finding, Severity
from crossfade.spec.rollout import Bundle

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML or JSON document: its file, its content, and the line of every path in it.

    ``inline`` says that it stands in a rollout.
    """

    file: str
    data: Any
    lines: Mapping[Path, int] = field(default_factory=dict)
    inline: bool = False

    def line(self, path: Path) -> int:
        """Return the line (from 1) of the path or of its nearest known ancestor."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 0)

    def finding(
        self, severity: Severity, rule: str, message: str, *, path: Path = (), hint: str = ""
    ) -> Finding:
        """Return a finding that points at ``path`` in this document."""
        return Finding(severity, rule, message, hint, self.file, self.line(path), field_path(path))

    @property
    def kind(self) -> str:
        """Return ``kind``, or an empty string."""
        return str(self.data.get("kind", "")) if isinstance(self.data, Mapping) else ""

    @property
    def name(self) -> str:
        """Return ``metadata.name``, or an empty string."""
        return str(look(self.data, ("metadata", "name")) or "")


def field_path(path: Path) -> str:
    """Return ``spec.objectives[0].metric`` for a path."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


@dataclass(frozen=True, slots=True)
class Loaded:
    """What loading gave: the bundle if it could be built, all findings, and all documents."""

    bundle: Bundle | None
    findings: tuple[Finding, ...]
    documents: tuple[Document, ...]


def look(node: Any, path: Path) -> Any:
    """Return the value at a path of plain values, None when anything on the way is not there."""
    for part in path:
        if isinstance(part, int):
            node = node[part] if isinstance(node, list) and part < len(node) else None
        else:
            node = node.get(part) if isinstance(node, Mapping) else None
    return node


def listed(node: Any, path: Path) -> list[Any]:
    """Return the list at a path, empty when there is none."""
    found = look(node, path)
    return found if isinstance(found, list) else []


def mapped(node: Any, path: Path) -> Mapping[str, Any]:
    """Return the mapping at a path, empty when there is none."""
    found = look(node, path)
    return found if isinstance(found, Mapping) else {}
