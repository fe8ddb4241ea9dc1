"""Real Envoy as the gateway: its files follow the VirtualServices and the deployed services."""

from __future__ import annotations

import json
import os
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from crossfade.errors import BackendError
from crossfade_steps.embedded import envoy_config
from crossfade_steps.embedded.envoy_config import Address
from crossfade_steps.embedded.processes import Processes
from crossfade_steps.embedded.tools import Tools, free_port
from crossfade_steps.ports import Object

START_SECONDS = 15.0


class Gateway:
    """Envoy on a loopback port, and the services that it can reach by name."""

    def __init__(self, folder: Path, processes: Processes, tools: Tools) -> None:
        self._folder = folder / "envoy"
        self._folder.mkdir(parents=True, exist_ok=True)
        self.port, self._admin = free_port(), free_port()
        self._services: dict[Address, int] = {}
        self._prefixes: dict[str, Address] = {}
        self._virtual_services: dict[tuple[str, str], Object] = {}
        self._lock = threading.RLock()
        self._version = 0
        self._write_all()
        config = envoy_config.bootstrap(
            port=self.port, admin_port=self._admin, folder=str(self._folder)
        )
        path = self._folder / "bootstrap.json"
        path.write_text(json.dumps(config))
        command = [str(tools.envoy), "-c", str(path), "--concurrency", "1", "-l", "warning",
                   "--use-dynamic-base-id"]  # fmt: skip
        processes.start("envoy", command)
        self._wait()

    @property
    def url(self) -> str:
        """Return the address that ``http://gateway`` stands for."""
        return f"http://127.0.0.1:{self.port}"

    def address_of(self, host: str, port: int) -> int | None:
        """Return the loopback port behind a Service's host, None when nothing serves it."""
        name = envoy_config.service_host(host, "default")
        with self._lock:
            return self._services.get((name, port))

    def serve(self, address: Address, port: int, prefix: str | None = None) -> None:
        """Make a service (``name.namespace``, port) reachable; an old one is replaced."""
        with self._lock:
            self._services[address] = port
            self._write("cds", envoy_config.clusters(self._services, self._next()))
            if prefix is not None and self._prefixes.get(prefix) != address:
                self._prefixes[prefix] = address
                self._write_routes()

    def remove(self, address: Address, prefix: str | None = None) -> None:
        """Forget a service."""
        with self._lock:
            if prefix is not None and self._prefixes.pop(prefix, None) is not None:
                self._write_routes()
            self._services.pop(address, None)
            self._write("cds", envoy_config.clusters(self._services, self._next()))

    def route(self, event: str, virtual_service: Object) -> None:
        """Follow a change of a VirtualService."""
        metadata = virtual_service["metadata"]
        key = (metadata["namespace"], metadata["name"])
        with self._lock:
            if event == "deleted":
                self._virtual_services.pop(key, None)
            else:
                self._virtual_services[key] = virtual_service
            self._write_routes()

    def _write_all(self) -> None:
        self._write("cds", envoy_config.clusters(self._services, self._next()))
        self._write_routes()

    def _write_routes(self) -> None:
        services = list(self._virtual_services.values())
        self._write("rds", envoy_config.routes(services, self._prefixes, self._next()))

    def _write(self, name: str, config: dict[str, Any]) -> None:
        """Replace a file in one step: Envoy watches the folder for renames."""
        temporary = self._folder / f".{name}.new"
        temporary.write_text(json.dumps(config))
        os.replace(temporary, self._folder / f"{name}.yaml")

    def _next(self) -> int:
        self._version += 1
        return self._version

    def _wait(self) -> None:
        until = time.monotonic() + START_SECONDS
        url = f"http://127.0.0.1:{self._admin}/ready"
        while time.monotonic() < until:
            try:
                with urllib.request.urlopen(url, timeout=1) as answer:
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        raise BackendError(f"envoy did not become ready within {START_SECONDS:.0f} s")
