"""Child processes that never outlive their parent, and whose death is noticed with its reason.

Every child leads a process group of its own and carries a mark in its environment.  A watchdog
holds the read end of a pipe: when this process dies, however it dies, the pipe closes and the
watchdog ends every group it was told of and everything that carries the mark.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from crossfade.errors import BackendError
from crossfade_steps.embedded import files, watchdog

GRACE_SECONDS = 3.0
TAIL_LINES = 5
LAST_LINES = 60
"""Lines at a log's end that an error is looked for in: an older one is not what ended it."""
_ERROR = re.compile(r"[\w.]*(Error|Exception): .+")
_FRAME = re.compile(r"\[bt\]|^Stack trace:|^Traceback |^\s+File \"")


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
        self._folder = files.make_folder(folder)
        self._children: list[Child] = []
        self._lock = threading.Lock()
        self._closed = False
        self._mark = uuid.uuid4().hex
        self._watchdog = subprocess.Popen(
            [sys.executable, "-I", "-S", watchdog.__file__, self._mark],
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
        variables = {**os.environ, **(environment or {}), watchdog.MARK: self._mark}
        with self._lock:
            if self._closed:
                raise BackendError(f"{name}: not started: everything is being stopped")
            process = _spawn(name, command, log, variables, cwd)
            child = Child(name, process, log, may_end)
            self._children.append(child)
            self._tell(f"+{process.pid}")
        return child

    def failed(self) -> str | None:
        """Return which child died, with its exit code and last words, or None."""
        with self._lock:
            for child in self._children:
                code = child.process.poll()
                if code is not None and not (child.may_end and code == 0):
                    return f"{child.name} {ending(code)}: {tail(child.log)}"
            code = None if self._closed else self._watchdog.poll()
        return None if code is None else f"the watchdog {ending(code)}"

    def stop(self, *children: Child) -> None:
        """End children and everything they started: TERM, then KILL after a few seconds."""
        with self._lock:
            self._children = [c for c in self._children if c not in children]
        for child in children:
            _signal(child, signal.SIGTERM)
        self._reap(children)

    def stop_all(self) -> None:
        """End every child, then the watchdog; nothing can be started afterwards."""
        with self._lock:
            self._closed = True
            children = tuple(self._children)
        self.stop(*children)
        watchdog.sweep(self._mark)
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
            with self._lock:
                self._tell(f"-{child.process.pid}")

    def _tell(self, line: str) -> None:
        if self._watchdog.stdin is not None:
            with suppress(OSError, ValueError):
                self._watchdog.stdin.write(line + "\n")
                self._watchdog.stdin.flush()


def _spawn(
    name: str, command: Sequence[str], log: Path, environment: Mapping[str, str], cwd: Path | None
) -> subprocess.Popen[bytes]:
    try:
        with log.open("ab") as output:
            return subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=cwd,
                start_new_session=True,
            )
    except OSError as error:
        raise BackendError(
            f"{name}: cannot start {command[0]}: {error.strerror}", hint="make setup-embedded"
        ) from error


def _signal(child: Child, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.process.pid, number)


def ending(code: int) -> str:
    """Return how a process ended, in words."""
    if code >= 0:
        return f"ended with exit code {code}"
    return f"was killed by {signal.Signals(-code).name}"


def tail(log: Path) -> str:
    """Return the reason that a log ends with in one line, and where the log is.

    That is its last error, or its last lines without the frames of a stack.
    """
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        lines = []
    errors = [found[0] for line in lines[-LAST_LINES:] if (found := _ERROR.search(line))]
    words = [line.strip() for line in lines[-LAST_LINES:] if not _FRAME.search(line)]
    said = errors[-1:] or words[-TAIL_LINES:] or ["it said nothing"]
    return " | ".join(line[:200] for line in said) + f" (log: {log})"
