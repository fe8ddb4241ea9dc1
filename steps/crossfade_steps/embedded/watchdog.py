"""Ends what a dead parent left behind; run as a process of its own, with the standard library only.

It reads ``+<group>`` and ``-<group>`` from its standard input.  When that closes, the parent is
gone, however it died, and every process that carries the mark in its environment is killed: also
one that was started a moment before, and one that left its process group.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

MARK = "CROSSFADE_PROCESSES"
SWEEP_SECONDS = 5.0


def marked(mark: str) -> set[int]:
    """Return the ids of all processes whose environment holds the mark (Linux; else none)."""
    wanted = f"{MARK}={mark}".encode()
    found = set()
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if wanted in path.read_bytes().split(b"\0"):
                found.add(int(path.parent.name))
    return found - {os.getpid()}


def sweep(mark: str, groups: Iterable[int] = ()) -> None:
    """Kill the groups, then every marked process, until none is left to be found."""
    for group in groups:
        with suppress(OSError):
            os.killpg(group, signal.SIGKILL)
    until = time.monotonic() + SWEEP_SECONDS
    while (left := marked(mark)) and time.monotonic() < until:
        for process in left:
            with suppress(OSError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.02)


def main() -> None:
    """Wait for the end of the parent, then end its children."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin:
        group = int(line[1:])
        if line[0] == "+":
            groups.add(group)
        else:
            groups.discard(group)
    sweep(sys.argv[1], groups)


if __name__ == "__main__":
    main()
