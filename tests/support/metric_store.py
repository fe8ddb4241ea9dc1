"""A metric store that answers what a test says, and a metric source that asks it."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from crossfade.spec.metric import Metric
from crossfade.verdict import Reading
from crossfade_steps import metrics
from crossfade_steps.ports import MetricRequest

JQ = ".data.result[0].value[1] | tonumber"


def vector(*values: str) -> str:
    result = [{"metric": {"i": str(i)}, "value": [1, v]} for i, v in enumerate(values)]
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}})


def matrix(*points: tuple[float, str]) -> str:
    result = [{"metric": {}, "values": [list(point) for point in points]}]
    return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}})


class Store:
    """A local HTTP server that answers from a list and keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, str], str]] = []
        self.requests: list[tuple[str, str, dict[str, list[str]], bytes]] = []
        self.hang = threading.Event()
        store = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                headers = {k: self.headers.get_all(k) or [] for k in self.headers}
                store.requests.append((self.command, self.path, headers, self.rfile.read(length)))
                if not store.answers:
                    store.hang.wait(10)
                    return
                status, extra, body = store.answers.pop(0)
                self.send_response(status)
                for name, value in extra.items():
                    self.send_header(name, value)
                data = body.encode()
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = answer

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/api/v1/query"

    def close(self) -> None:
        self.hang.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class Asker:
    """A source of one kind, asking one metric."""

    def __init__(self, kind: str, url: str) -> None:
        self.kind, self.url = kind, url
        self.secret = {"username": "u", "password": "p", "token": "t"}

    def read(
        self, *, settings: dict[str, Any] | None = None,
        window: tuple[float, float] | None = None, **spec: Any,
    ) -> Reading:  # fmt: skip
        document = {
            "apiVersion": "iter8.tools/v2alpha2",
            "kind": "Metric",
            "metadata": {"name": "m"},
            "spec": {
                "provider": self.kind if self.kind == "prometheus" else "other",
                "params": [{"name": "query", "value": "up{v='$name'}[${elapsedTime}s]"}],
                "urlTemplate": self.url,
                "jqExpression": JQ,
                **spec,
            },
        }
        metric = Metric.model_validate(document)
        quick = {"timeout": 0.3, **(settings or {})}
        secret = self.secret
        source = metrics.connect({"m": metric}, {self.kind: quick}, lambda name: secret)["m"]
        return source.read(MetricRequest(metric, "default/m", "v1", {}, 60, window))
