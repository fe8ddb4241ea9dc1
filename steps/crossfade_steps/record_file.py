"""A run's record as a file of JSON lines: one entry a line, on disk before ``append`` returns."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from crossfade.errors import BackendError, SpecError


class RecordFile:
    """The record of one run (port ``Record``)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)

    def append(self, entry: Mapping[str, Any]) -> None:
        """Add one entry and flush it to disk.  Raises ``BackendError`` where it cannot be."""
        line = json.dumps(entry, sort_keys=True, separators=(",", ":"), allow_nan=False)
        before = self._path.stat().st_size if self._path.exists() else 0
        try:
            with self._path.open("a", encoding="ascii") as file:
                file.write(line + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            with suppress(OSError):  # half a line would spoil what follows it
                os.truncate(self._path, before)
            raise BackendError(f"{self._path}: cannot be written: {error.strerror}") from error

    def entries(self) -> Sequence[Mapping[str, Any]]:
        """Return every entry so far; none when nothing was written yet."""
        return read_record(self._path) if self._path.exists() else []


def read_record(path: Path) -> list[dict[str, Any]]:
    """Read a record's entries; a last line that a crash cut short is left out.

    Raises ``SpecError`` with the line of anything else that is not a JSON object.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"{path}: cannot read the record: {error}") from error
    entries: list[dict[str, Any]] = []
    for number, line in enumerate(lines, start=1):
        try:
            entry = json.loads(line)
        except ValueError as error:
            if number == len(lines):
                break
            raise SpecError(f"{path}:{number}: not a JSON line: {error}") from error
        if not isinstance(entry, dict):
            raise SpecError(f"{path}:{number}: expected a JSON object, got {type(entry).__name__}")
        if not isinstance(entry.get("type"), str):
            raise SpecError(f"{path}:{number}: not an entry of a record: it has no type")
        entries.append(entry)
    return entries
