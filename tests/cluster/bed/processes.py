"""The cluster's processes: started in its network namespace, known by their id and command."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from settings import ADDRESS, LOGS, STATE
from shell import INSIDE


def start(name: str, command: Sequence[str | Path], **environment: str) -> Path:
    """Start a process unless it lives already with this command; return the path of its log."""
    log = LOGS / f"{name}.log"
    words = [*INSIDE, *map(str, command)]
    mark = hashlib.sha256("\0".join(words).encode()).hexdigest()[:16]
    if alive(name):
        if _file(name).read_text().endswith(mark):
            return log
        stop(name)
    LOGS.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as sink:
        child = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            env={**os.environ, **environment},
            start_new_session=True,
            cwd=STATE,
        )
    _file(name).write_text(f"{child.pid} {_birth(child.pid)} {mark}")
    return log


def alive(name: str) -> bool:
    """Return whether the process that was started under that name still lives."""
    identity = _identity(name)
    return identity is not None and _birth(identity[0]) == identity[1]


def stop(name: str, seconds: float = 10.0) -> None:
    """End a process by its id: TERM, then KILL."""
    if alive(name):
        pid = _identity(name)[0]  # type: ignore[index]
        until = time.monotonic() + seconds
        os.kill(pid, signal.SIGTERM)
        while alive(name):
            if time.monotonic() > until:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)
            _reap(pid)
    _file(name).unlink(missing_ok=True)


def listens(port: int) -> bool:
    """Return whether something in the cluster listens on a port."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((ADDRESS, port)) == 0


def names() -> list[str]:
    """Return every name that was started, the last first."""
    files = sorted(STATE.glob("*.pid"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    return [path.stem for path in files]


def _file(name: str) -> Path:
    return STATE / f"{name}.pid"


def _identity(name: str) -> tuple[int, str] | None:
    try:
        pid, birth, _ = _file(name).read_text().split()
    except (OSError, ValueError):
        return None
    return int(pid), birth


def _birth(pid: int) -> str:
    """Return the start time of a process in ticks: an id alone may have been given anew."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "dead"
    return "dead" if fields[0] == "Z" else fields[19]


def _reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
