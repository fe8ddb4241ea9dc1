"""Files that other processes read: what cannot be written is a ``BackendError`` with the reason."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from crossfade.errors import BackendError

ROOM = 16 * 1024
"""Spaces (bytes) behind a ``Watched`` file's text: room for what a full disk would not take."""


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn an ``OSError`` into a ``BackendError`` that names the path."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise BackendError(f"{path}: cannot be written: {reason}") from error


def make_folder(path: Path) -> Path:
    """Make a folder with its parents, and return it.  Raises ``BackendError``."""
    with told(path):
        path.mkdir(parents=True, exist_ok=True)
    return path


def write(path: Path, text: str) -> None:
    """Write a file.  Raises ``BackendError``."""
    with told(path):
        path.write_text(text, encoding="utf-8")


def replace(path: Path, text: str) -> None:
    """Replace a file in one step, or leave it as it is.  Raises ``BackendError``."""
    temporary = path.with_name(f".{path.name}.new")
    with told(path):
        try:
            temporary.write_text(text, encoding="utf-8")
            os.replace(temporary, path)
        except OSError:
            with suppress(OSError):
                temporary.unlink()
            raise


class Watched:
    """A file that another process reads whenever something is renamed in its folder.

    It is replaced in one step.  Where the disk is full it is written in place, into the room that
    it takes already, and another file is renamed to say so: weights must get out of a run whose
    disk is full.  The text must not mind spaces at its end.
    """

    def __init__(self, path: Path) -> None:
        """Prepare for ``path``; its folder is there.  Raises ``BackendError``."""
        self._path = path
        self._bells = [path.with_name(f".{path.name}.{side}") for side in ("tick", "tock")]
        write(self._bells[0], "")

    def write(self, text: str) -> None:
        """Bring the file to this text.  Raises ``BackendError`` where not even its room will do."""
        try:
            replace(self._path, text + " " * ROOM)
        except BackendError:
            content = text.encode()
            if not self._path.exists() or self._path.stat().st_size < len(content):
                raise
            self._write_in_place(content)

    def _write_in_place(self, content: bytes) -> None:
        with told(self._path):
            with self._path.open("r+b") as file:
                file.write(content.ljust(self._path.stat().st_size))
            os.replace(*self._bells)
            self._bells.reverse()
