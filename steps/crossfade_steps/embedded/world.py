"""One machine made to look like the cluster that a rollout expects.

An object store with three controllers: SeldonDeployments become model servers, VirtualServices
become Envoy's routes, Jobs become fortio.  Prometheus scrapes what runs.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import requests

from crossfade.errors import BackendError, SpecError
from crossfade.spec.requests import fortio_words
from crossfade.spec.rollout import FeedbackLoad, FortioLoad, JobLoad
from crossfade_steps.embedded import files, jobs, local
from crossfade_steps.embedded.admission import admit
from crossfade_steps.embedded.controllers import SeldonController, Surroundings
from crossfade_steps.embedded.gateway import Gateway
from crossfade_steps.embedded.jobs import JobController
from crossfade_steps.embedded.monitoring import Monitoring
from crossfade_steps.embedded.processes import Processes
from crossfade_steps.embedded.store import Store
from crossfade_steps.embedded.tools import find_tools
from crossfade_steps.ports import Object, ObjectKey, Response

GATEWAY_HOSTS = ("gateway", "istio-ingressgateway")
PROMETHEUS_HOSTS = ("prometheus", "seldon-core-analytics-prometheus-seldon")
LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")
REQUEST_SECONDS = 10.0
FEEDBACK_PATH = "/api/v1.0/feedback"


class World:
    """Everything a run needs on one machine; leaving the context ends all of it."""

    def __init__(self, folder: Path, mirrors: Mapping[str, str]) -> None:
        tools = find_tools()
        folder = folder.resolve()  # Prometheus reads relative paths from its own file's folder
        self._folder = folder
        self._tools = tools
        self._processes = Processes(folder)
        self._loads = 0
        self.notes: list[str] = []
        try:
            self.objects = Store(admit=admit)
            self.monitoring = Monitoring(folder, self._processes, tools)
            self.gateway = Gateway(folder, self._processes, tools)
            around = Surroundings(self.gateway, self.monitoring, self._processes, tools, mirrors)
            self._seldon = SeldonController(self.objects, around)
            self._jobs = JobController(self._processes, tools, self.resolve)
            self.objects.subscribe(self._follow)
        except BaseException:
            self._processes.stop_all()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End every process."""
        self._seldon.stop()
        self._processes.stop_all()

    def failed(self) -> str | None:
        """Return which part died, or did not do its work, and why; None while all is well."""
        return self._processes.failed() or self.gateway.failed() or self._seldon.failed()

    def resolve(self, url: str) -> str:
        """Return a cluster's URL as one of this machine.

        The gateway, Prometheus and deployed services by name; loopback stays as it is.  Raises
        ``SpecError`` for any other host: traffic must not leave this machine.
        """
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 80
        first = host.split(".")[0]
        if host in LOOPBACK_HOSTS:
            return url
        if first in GATEWAY_HOSTS:
            local_port: int | None = self.gateway.port
        elif first in PROMETHEUS_HOSTS:
            local_port = self.monitoring.port
        else:
            local_port = self.gateway.address_of(host, port)
        if local_port is None:
            raise SpecError(
                f"{url}: nothing on this machine serves {host}:{port}",
                hint="http://gateway stands for the ingress gateway here (with a Host header, or "
                "--set for a load file), <deployment>-<predictor>.<namespace>:8000 for a model",
            )
        return parts._replace(scheme="http", netloc=f"127.0.0.1:{local_port}").geturl()

    def pending(self, key: ObjectKey) -> str | None:
        """Return why an object is not ready, None when it is (port ``Readiness``)."""
        return self._seldon.pending(key) if key.kind == "SeldonDeployment" else None

    def send(self, url: str, payload: str | None, headers: Mapping[str, str]) -> Response:
        """Send one request as a user would (port ``Responder``)."""
        method = "GET" if payload is None else "POST"
        body = None if payload is None else payload.encode()
        typed = {"Content-Type": "application/json", **headers}
        try:
            answer = local.request(
                method, self.resolve(url), body=body, headers=typed, seconds=REQUEST_SECONDS
            )
        except requests.RequestException as error:
            raise BackendError(f"{url}: {type(error).__name__}") from error
        return Response(answer.status_code, dict(answer.headers), answer.content)

    def start_load(
        self, load: JobLoad | FortioLoad | FeedbackLoad, deployments: Mapping[str, str]
    ) -> None:
        """Start one load; it ends with the world.

        ``deployments`` maps each version to its ``namespace/name``: rewards go to the one that
        answered, by the gateway's prefix path, as Seldon's clients do it.
        """
        self._loads += 1
        if isinstance(load, JobLoad):
            for job in load.jobs:
                self.notes += [
                    f"Job {job['metadata']['name']}: container {name} is not run here"
                    for name in jobs.idle(job)
                ]
                self.objects.create(job)
        elif isinstance(load, FortioLoad):
            command = fortio_words(load, self.resolve(load.url))
            self._processes.start(
                f"load-{self._loads}", [str(self._tools.fortio), *command], may_end=True
            )
        else:
            self._start_feedback(load, deployments)

    def _start_feedback(self, load: FeedbackLoad, deployments: Mapping[str, str]) -> None:
        config = self._folder / f"feedback-{self._loads}.json"
        resolved = {
            **load.model_dump(mode="json"),
            "url": self.resolve(load.url),
            "feedback_url": self.resolve(load.feedback_url) if load.feedback_url else None,
            "feedback_urls": {
                version: f"{self.gateway.url}/seldon/{name}{FEEDBACK_PATH}"
                for version, name in deployments.items()
                if load.feedback_url is None
            },
        }
        files.write(config, json.dumps(resolved))
        module = "crossfade_steps.loadgen.feedback"
        command = [sys.executable, "-m", module, str(config), str(config.with_suffix(".counts"))]
        self._processes.start(f"load-{self._loads}", command)

    def _follow(self, event: str, stored: Object) -> None:
        self._seldon.follow(event, stored)
        self._jobs.follow(event, stored)
        if stored.get("kind") == "VirtualService":
            self.gateway.route(event, stored)
