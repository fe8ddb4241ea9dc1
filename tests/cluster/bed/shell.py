"""Run commands: output is shown only when one fails."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from settings import BIN, KUBECONFIG, NAMESPACE

INSIDE = ("nsenter", f"--net=/run/netns/{NAMESPACE}")


def run(*command: str | Path, text: str = "", cwd: Path | None = None, **environment: str) -> str:
    """Run a command and return its stdout; exit with its output when it fails."""
    result = attempt(*command, text=text, cwd=cwd, **environment)
    if result.returncode:
        sys.exit(
            f"cluster: failed ({result.returncode}): {' '.join(map(str, command))}\n"
            f"{result.stdout[-2000:]}{result.stderr[-4000:]}"
        )
    return result.stdout


def attempt(
    *command: str | Path, text: str = "", cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command and return what came of it."""
    path = f"{BIN}:/usr/sbin:/sbin:{os.environ['PATH']}"
    return subprocess.run(
        [str(word) for word in command],
        env={**os.environ, "PATH": path, "KUBECONFIG": str(KUBECONFIG), **environment},
        input=text,
        capture_output=True,
        text=True,
        cwd=cwd,
        check=False,
    )


def kubectl(*words: str | Path, text: str = "") -> str:
    """Run kubectl as the cluster's administrator."""
    return run(BIN / "kubectl", *words, text=text)


def apply(manifest: str) -> None:
    """Apply YAML on the server's side."""
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", text=manifest)


def wait_until(what: str, ready: Callable[[], bool], seconds: float, log: Path | None) -> None:
    """Wait until a part is up; exit with the end of its log when it does not come up."""
    until = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > until:
            tail = ""
            if log is not None and log.exists():
                tail = "\n" + "\n".join(log.read_text(errors="replace").splitlines()[-15:])
            raise NotUp(f"{what} is not up after {seconds:.0f} s{tail}")
        time.sleep(0.2)


class NotUp(Exception):
    """A part did not come up in time; says which, and the end of its log."""
