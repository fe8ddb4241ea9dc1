"""Real Envoy as the gateway: its files follow the VirtualServices and the deployed services."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import requests

from crossfade.errors import CrossfadeError
from crossfade_steps.embedded import envoy_config, files, local
from crossfade_steps.embedded.processes import Processes, tail
from crossfade_steps.embedded.tools import Tools, free_port
from crossfade_steps.embedded.virtual_service import Address, service_host
from crossfade_steps.ports import Object

START_SECONDS = 15.0
TAKE_SECONDS = 5.0
POLL_SECONDS = 0.003
_SCOPES = {"rds": f"http.gateway.rds.{envoy_config.ROUTES_NAME}", "cds": "cluster_manager.cds"}


class Gateway:
    """Envoy on a loopback port, and the services that it can reach by name.

    A change is over when Envoy has taken it: whoever wrote a weight can rely on it.
    """

    def __init__(self, folder: Path, processes: Processes, tools: Tools) -> None:
        self._folder = files.make_folder(folder / "envoy")
        self._files = {name: files.Watched(self._folder / f"{name}.yaml") for name in _SCOPES}
        self.port, self._admin = free_port(), free_port()
        self._services: dict[Address, int] = {}
        self._prefixes: dict[str, Mapping[Address, int]] = {}
        self._virtual_services: dict[tuple[str, str], Object] = {}
        self._lock = threading.RLock()
        self._version = 0
        self._refused: str | None = None
        self._write_clusters()
        self._write_routes()
        self._start(processes, tools)

    def _start(self, processes: Processes, tools: Tools) -> None:
        config = envoy_config.bootstrap(
            port=self.port, admin_port=self._admin, folder=str(self._folder)
        )
        path = self._folder / "bootstrap.json"
        files.write(path, json.dumps(config))
        command = [str(tools.envoy), "-c", str(path), "--concurrency", "1", "-l", "warning",
                   "--use-dynamic-base-id"]  # fmt: skip
        self._log = processes.start("envoy", command).log
        local.wait_for("envoy", f"http://127.0.0.1:{self._admin}/ready", START_SECONDS,
                       processes.failed)  # fmt: skip

    @property
    def url(self) -> str:
        """Return the address that ``http://gateway`` stands for."""
        return f"http://127.0.0.1:{self.port}"

    def failed(self) -> str | None:
        """Return why Envoy did not take a change, or None."""
        return self._refused

    def address_of(self, host: str, port: int) -> int | None:
        """Return the loopback port behind a Service's host, None when nothing serves it."""
        with self._lock:
            return self._services.get((service_host(host, "default"), port))

    def serve(self, address: Address, port: int) -> None:
        """Make a service (``name.namespace``, port) reachable; an old one is replaced."""
        with self._lock:
            if self._services.get(address) != port:
                self._services[address] = port
                self._take("cds", self._write_clusters)

    def forget(self, address: Address) -> None:
        """Make a service unreachable."""
        with self._lock:
            if self._services.pop(address, None) is not None:
                self._take("cds", self._write_clusters)

    def prefix(self, prefix: str, weights: Mapping[Address, int]) -> None:
        """Send a path prefix of any host to services by weight; without services, to none."""
        with self._lock:
            before = self._prefixes.pop(prefix, {})
            if weights:
                self._prefixes[prefix] = dict(weights)
            if before != weights:
                self._take("rds", self._write_routes)

    def route(self, event: str, virtual_service: Object) -> None:
        """Follow a change of a VirtualService, or raise and route as before."""
        metadata = virtual_service["metadata"]
        key = (metadata["namespace"], metadata["name"])
        with self._lock:
            before = dict(self._virtual_services)
            if event == "deleted":
                self._virtual_services.pop(key, None)
            else:
                self._virtual_services[key] = virtual_service
            try:
                self._take("rds", self._write_routes)
            except CrossfadeError:
                self._virtual_services = before
                raise

    def _write_clusters(self) -> None:
        self._write("cds", envoy_config.clusters(self._services, self._next()))

    def _write_routes(self) -> None:
        services = self._virtual_services.values()
        self._write("rds", envoy_config.routes(services, self._prefixes, self._next()))

    def _write(self, name: str, config: dict[str, Any]) -> None:
        """Bring a file to a configuration: Envoy watches the folder for renames."""
        self._files[name].write(json.dumps(config))

    def _next(self) -> int:
        self._version += 1
        return self._version

    def _take(self, name: str, write: Callable[[], None]) -> None:
        """Write a file and wait until Envoy uses it; remember why it does not.

        Raises ``BackendError`` where the file cannot be written.
        """
        before = self._statistics(name).get("update_rejected")
        write()
        until = time.monotonic() + TAKE_SECONDS
        while (now := self._statistics(name)).get("version_text") != str(self._version):
            if not now:
                self._refused = f"envoy does not answer: {tail(self._log)}"
            elif now["update_rejected"] != before:
                self._refused = f"envoy refuses version {self._version}: {tail(self._log)}"
            elif time.monotonic() > until:
                self._refused = f"envoy did not take a change within {TAKE_SECONDS:.0f} s"
            else:
                time.sleep(POLL_SECONDS)
                continue
            return

    def _statistics(self, name: str) -> dict[str, Any]:
        """Return Envoy's numbers of one kind of configuration; none when it does not answer."""
        scope = _SCOPES[name]
        url = f"http://127.0.0.1:{self._admin}/stats?format=json&filter={scope}"
        try:
            found = local.request("GET", url, seconds=1.0).json()["stats"]
        except (requests.RequestException, ValueError, KeyError):
            return {}
        return {s["name"].removeprefix(f"{scope}."): s.get("value") for s in found if "name" in s}
