"""A store whose routes reach a real Envoy, in front of light servers that say their name."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from crossfade_steps.embedded import local
from crossfade_steps.embedded.admission import admit
from crossfade_steps.embedded.gateway import Gateway
from crossfade_steps.embedded.processes import Processes
from crossfade_steps.embedded.store import Store
from crossfade_steps.embedded.tools import find_tools
from crossfade_steps.ports import ObjectKey

KEY = ObjectKey("networking.istio.io", "VirtualService", "default", "rule")


class Echo:
    """A server that answers its name, the path and the headers it was asked with."""

    def __init__(self, name: str) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                body = json.dumps(
                    {"name": name, "path": self.path, "headers": dict(self.headers)}
                ).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self._thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()


class Mesh:
    """A store whose VirtualServices reach an Envoy in front of services a and b."""

    def __init__(self, folder: Path) -> None:
        self.processes = Processes(folder)
        self.gateway = Gateway(folder, self.processes, find_tools())
        self.store = Store(admit=admit)
        self.store.subscribe(self._follow)
        self.echoes = [Echo("a"), Echo("b")]
        for echo, service in zip(self.echoes, ("a.ns", "b.ns"), strict=True):
            self.gateway.serve((service, 80), echo.port)

    def _follow(self, event: str, stored: Any) -> None:
        if stored["kind"] == "VirtualService":
            self.gateway.route(event, stored)

    def route(self, *rules: dict[str, Any], name: str = "rule", host: str = "x.example") -> None:
        self.store.apply(
            {
                "apiVersion": "networking.istio.io/v1",
                "kind": "VirtualService",
                "metadata": {"name": name, "namespace": "default"},
                "spec": {"hosts": [host], "http": list(rules)},
            }
        )

    def get(self, path: str = "/", host: str = "x.example", **headers: str) -> Any:
        url = f"{self.gateway.url}{path}"
        return local.request("GET", url, headers={"Host": host, **headers})

    def name(self, path: str = "/", host: str = "x.example", **headers: str) -> str:
        answer = self.get(path, host, **headers)
        return str(answer.json()["name"]) if answer.status_code == 200 else str(answer.status_code)

    def stop(self) -> None:
        self.processes.stop_all()
        for echo in self.echoes:
            echo.stop()


def to(*services: tuple[str, int], **more: Any) -> dict[str, Any]:
    route = [
        {
            "destination": {"host": f"{service}.ns.svc.cluster.local", "port": {"number": 80}},
            "weight": weight,
            "headers": {"response": {"set": {"version": service}}},
        }
        for service, weight in services
    ]
    return {"route": route, **more}
