"""A stand-in for Seldon's executor, the container in front of every model.

The real one is a Go program that no package registry carries.  This one keeps what a rollout
depends on: paths, error codes, ``meta.requestPath``, and the metrics with the same names, labels
and buckets (seconds).  It is for one machine; on a cluster the real one runs.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import uuid
from typing import Any

import aiohttp
from aiohttp import web
from prometheus_client import CollectorRegistry, Histogram, Summary, disable_created_metrics
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
SERVER_LABELS = ("deployment_name", "predictor_name", "predictor_version", "service", "method",
                 "code")  # fmt: skip
CLIENT_LABELS = (*SERVER_LABELS, "model_name", "model_image", "model_version")
SERVICES = {"predictions": "/predict", "feedback": "/send-feedback"}


class Meters:
    """The executor's four metric families."""

    def __init__(
        self, deployment: str, predictor: str, version: str, node: str, image: str
    ) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self._server = _family("server", SERVER_LABELS, self.registry)
        self._client = _family("client", CLIENT_LABELS, self.registry)
        name, _, version = image.rpartition(":")
        self._fixed = (deployment, predictor, version)
        self._model = (node, name, version)

    def served(self, service: str, code: int, seconds: float) -> None:
        """Count one request of a user."""
        for meter in self._server:
            meter.labels(*self._fixed, service, "post", str(code)).observe(seconds)

    def called(self, path: str, code: int, seconds: float) -> None:
        """Count one call of the model."""
        for meter in self._client:
            meter.labels(*self._fixed, path, "post", str(code), *self._model).observe(seconds)


def _family(side: str, labels: tuple[str, ...], registry: CollectorRegistry) -> tuple[Any, Any]:
    name = f"seldon_api_executor_{side}_requests_seconds"
    text = f"seconds of executor {side} requests"
    histogram = Histogram(name, text, labels, buckets=BUCKETS, registry=registry)
    return histogram, Summary(f"{name}_summary", text, labels, registry=registry)


class Executor:
    """Passes requests on to the model and measures both sides."""

    def __init__(self, model: str, node: str, image: str, meters: Meters) -> None:
        self._model, self._node, self._image, self._meters = model, node, image, meters
        self._session: aiohttp.ClientSession | None = None

    async def on_start(self, app: web.Application) -> None:
        """Open the connections to the model."""
        connector = aiohttp.TCPConnector(limit=64)
        timeout = aiohttp.ClientTimeout(total=60)
        self._session = aiohttp.ClientSession(connector=connector, timeout=timeout)

    async def on_stop(self, app: web.Application) -> None:
        """Close the connections to the model."""
        if self._session is not None:
            await self._session.close()

    async def serve(self, request: web.Request) -> web.Response:
        """Answer a prediction or a feedback with what the model says."""
        service = request.match_info["service"]
        if service not in SERVICES:
            raise web.HTTPNotFound
        begin = time.perf_counter()
        code, body = await self._call(SERVICES[service], await request.read())
        self._meters.served(service, code, time.perf_counter() - begin)
        puid = request.headers.get("Seldon-Puid") or uuid.uuid4().hex
        headers = {"Seldon-Puid": puid}
        return web.Response(
            body=body, status=code, content_type="application/json", headers=headers
        )

    async def _call(self, path: str, body: bytes) -> tuple[int, bytes]:
        assert self._session is not None
        begin = time.perf_counter()
        headers = {"Content-Type": "application/json"}
        try:
            async with self._session.post(self._model + path, data=body, headers=headers) as answer:
                code, text = answer.status, await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            return 500, _failure(f"model not reachable: {type(error).__name__}")
        self._meters.called(path, code, time.perf_counter() - begin)
        return code, self._with_path(text)

    def _with_path(self, text: bytes) -> bytes:
        """Add the image that answered, as the real executor does."""
        try:
            message = json.loads(text)
            meta = message.setdefault("meta", {})
            meta["requestPath"] = {**meta.get("requestPath", {}), self._node: self._image}
        except (ValueError, AttributeError, TypeError):
            return text
        return json.dumps(message, separators=(",", ":")).encode()

    async def ready(self, request: web.Request) -> web.Response:
        """Say whether the model answers."""
        assert self._session is not None
        try:
            async with self._session.get(f"{self._model}/health/ping") as answer:
                status = 200 if answer.status < 500 else 503
        except (aiohttp.ClientError, TimeoutError):
            status = 503
        return web.Response(status=status)

    async def live(self, request: web.Request) -> web.Response:
        """Say that this process answers."""
        return web.Response()

    async def metrics(self, request: web.Request) -> web.Response:
        """Expose the metrics as Prometheus reads them."""
        text = generate_latest(self._meters.registry)
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_LATEST})


def _failure(info: str) -> bytes:
    status = {"code": 500, "info": info, "status": "FAILURE"}
    return json.dumps({"status": status}).encode()


def application(executor: Executor) -> web.Application:
    """Return the web application of one executor."""
    app = web.Application(client_max_size=16 * 1024 * 1024)
    app.on_startup.append(executor.on_start)
    app.on_cleanup.append(executor.on_stop)
    app.router.add_post("/api/v1.0/{service}", executor.serve)
    app.router.add_post("/api/v0.1/{service}", executor.serve)
    app.router.add_get("/ready", executor.ready)
    app.router.add_get("/live", executor.live)
    app.router.add_get("/prometheus", executor.metrics)
    return app


def main() -> None:
    """Serve one model's executor, by default on loopback."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    for name in ("port", "model", "deployment", "predictor", "version", "node", "image"):
        parser.add_argument(f"--{name}", required=True)
    a = parser.parse_args()
    meters = Meters(a.deployment, a.predictor, a.version, a.node, a.image)
    app = application(Executor(a.model, a.node, a.image, meters))
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    web.run_app(app, host=a.host, port=int(a.port), print=None, access_log=None)


if __name__ == "__main__":
    main()
