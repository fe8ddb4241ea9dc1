"""Where the programs of the embedded default are, and what to do when one is missing."""

from __future__ import annotations

import os
import shutil
import socket
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from crossfade.errors import CrossfadeError


def cache_folder() -> Path:
    """Return the folder that ``make setup`` fills (XDG_CACHE_HOME)."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "crossfade"


@dataclass(frozen=True, slots=True)
class Tools:
    """Paths of the real parts."""

    envoy: Path
    prometheus: Path
    fortio: Path
    model_server: Path
    models: Path


def find_tools() -> Tools:
    """Return the programs.  Raises ``CrossfadeError`` naming everything that is missing."""
    cache = cache_folder()
    found = {
        "envoy": _envoy(),
        "prometheus": _which("prometheus"),
        "fortio": _first(cache / "bin" / "fortio") or _which("fortio"),
        "model_server": _first(cache / "seldon" / "bin" / "seldon-core-microservice"),
        "models": _first(cache / "models"),
    }
    missing = [name for name, path in found.items() if path is None]
    if missing:
        raise CrossfadeError(
            f"the embedded default lacks {', '.join(missing)}",
            hint="make setup-embedded installs them (only package registries are needed)",
        )
    return Tools(**{name: path for name, path in found.items() if path is not None})


_GIVEN = set[int]()


def free_port() -> int:
    """Return a TCP port of the loopback address that is free now, and none that was given before.

    Who was given one listens on it only after a while: until then it looks free.
    """
    while True:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = int(listener.getsockname()[1])
        if port not in _GIVEN:
            _GIVEN.add(port)
            return port


def _envoy() -> Path | None:
    spec = find_spec("envoy")
    if spec is None or spec.origin is None:
        return _which("envoy")
    return _first(Path(spec.origin).parent / "_bin" / "envoy")


def _which(name: str) -> Path | None:
    path = shutil.which(name)
    return Path(path) if path else None


def _first(path: Path) -> Path | None:
    return path if path.exists() else None
