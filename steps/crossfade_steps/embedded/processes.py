"""Child processes that never outlive their parent, and whose death is noticed with its reason.

Every child leads a process group of its own.  A watchdog holds the read end of a pipe: when this
process dies, however it dies, the pipe closes and the watchdog ends every group it was told of.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from crossfade.errors import BackendError

GRACE_SECONDS = 3.0
TAIL_LINES = 5

_WATCHDOG = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
groups = set()
for line in sys.stdin:
    groups.add(int(line[1:])) if line[0] == "+" else groups.discard(int(line[1:]))
for group in groups:
    try:
        os.killpg(group, signal.SIGKILL)
    except OSError:
        pass
"""


@dataclass(slots=True)
class Child:
    """A running child: its name, its process, its log, and whether it may end by itself."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    may_end: bool


class Processes:
    """Starts, watches and ends children; logs go to ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._children: list[Child] = []
        self._lock = threading.Lock()
        self._watchdog = subprocess.Popen(
            [sys.executable, "-c", _WATCHDOG],
            stdin=subprocess.PIPE,
            start_new_session=True,
            text=True,
        )

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        may_end: bool = False,
    ) -> Child:
        """Start a child.  Raises ``BackendError`` when its program is not there.

        ``may_end`` is for load, which is over when it is over.
        """
        log = self._folder / f"{name}.log"
        try:
            with log.open("ab") as output:
                process = subprocess.Popen(
                    list(command),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, **(environment or {})},
                    cwd=cwd,
                    start_new_session=True,
                )
        except OSError as error:
            raise BackendError(
                f"{name}: cannot start {command[0]}: {error.strerror}", hint="make setup"
            ) from error
        child = Child(name, process, log, may_end)
        with self._lock:
            self._children.append(child)
        self._tell(f"+{process.pid}")
        return child

    def failed(self) -> str | None:
        """Return which child died, with its exit code and last words, or None."""
        with self._lock:
            children = list(self._children)
        for child in children:
            code = child.process.poll()
            if code is not None and not (child.may_end and code == 0):
                return f"{child.name} ended with exit code {code}: {tail(child.log)}"
        return None

    def stop(self, child: Child) -> None:
        """End one child and everything it started: TERM, then KILL after a few seconds."""
        with self._lock:
            if child in self._children:
                self._children.remove(child)
        _signal(child, signal.SIGTERM)
        self._reap([child])

    def stop_all(self) -> None:
        """End every child, then the watchdog."""
        with self._lock:
            children, self._children = self._children, []
        for child in children:
            _signal(child, signal.SIGTERM)
        self._reap(children)
        if self._watchdog.stdin is not None:
            with suppress(OSError):
                self._watchdog.stdin.close()
        self._watchdog.wait()

    def _reap(self, children: Sequence[Child]) -> None:
        until = time.monotonic() + GRACE_SECONDS
        for child in children:
            with suppress(subprocess.TimeoutExpired):
                child.process.wait(max(0.0, until - time.monotonic()))
        for child in children:
            _signal(child, signal.SIGKILL)  # what is left of its group
            child.process.wait()
            self._tell(f"-{child.process.pid}")

    def _tell(self, line: str) -> None:
        if self._watchdog.stdin is not None:
            with suppress(OSError, ValueError):
                self._watchdog.stdin.write(line + "\n")
                self._watchdog.stdin.flush()


def _signal(child: Child, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.process.pid, number)


def tail(log: Path) -> str:
    """Return the last lines of a log in one line."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return " | ".join(line[:200] for line in lines[-TAIL_LINES:]) or "it said nothing"
