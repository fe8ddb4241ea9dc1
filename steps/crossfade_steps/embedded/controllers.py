"""What Seldon's operator does, on one machine: a SeldonDeployment becomes processes.

Status moves as the real operator's does (Creating, Available, Failed; no observedGeneration), and
a changed deployment answers from its old copy until the new one is ready.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crossfade.errors import BackendError, CrossfadeError
from crossfade_steps.embedded.gateway import Gateway
from crossfade_steps.embedded.models import Copy, Predictor, local_model, start_copy
from crossfade_steps.embedded.monitoring import Monitoring
from crossfade_steps.embedded.processes import Processes
from crossfade_steps.embedded.store import Store
from crossfade_steps.embedded.tools import Tools
from crossfade_steps.ports import Object, ObjectKey

POLL_SECONDS = 0.2
DRAIN_SECONDS = 1.0
EXECUTOR_PORT = 8000
KIND = "SeldonDeployment"


@dataclass(slots=True)
class _Deployment:
    """One SeldonDeployment: its copies that serve, those that start, and what went wrong."""

    serving: dict[str, Copy] = field(default_factory=dict)
    starting: dict[str, Copy] = field(default_factory=dict)
    generation: int = 0
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a model needs around it: a gateway, a monitor, processes, programs, model folders."""

    gateway: Gateway
    monitoring: Monitoring
    processes: Processes
    tools: Tools
    mirrors: Mapping[str, str]


class SeldonController:
    """Follows the store's SeldonDeployments in one thread of its own."""

    def __init__(self, store: Store, around: Surroundings) -> None:
        self._store, self._gateway, self._monitoring = store, around.gateway, around.monitoring
        self._processes, self._tools, self._mirrors = (
            around.processes, around.tools, around.mirrors)  # fmt: skip
        self._deployments: dict[ObjectKey, _Deployment] = {}
        self._events: queue.SimpleQueue[tuple[str, Object] | None] = queue.SimpleQueue()
        self._leaving: list[tuple[float, Copy]] = []
        self._count = 0
        self._thread = threading.Thread(target=self._loop, name="seldon", daemon=True)
        self._thread.start()

    def follow(self, event: str, stored: Object) -> None:
        """Take note of a change; other kinds are none of its business."""
        if stored.get("kind") == KIND:
            self._events.put((event, stored))

    def pending(self, key: ObjectKey) -> str | None:
        """Return why the deployment is not ready, None when it is (port ``Readiness``).

        Raises ``BackendError`` when it cannot become ready.
        """
        stored = self._store.get(key)
        if stored is None:
            raise BackendError(f"{key} does not exist")
        deployment = self._deployments.get(key)
        if deployment is None or deployment.generation < stored["metadata"]["generation"]:
            return "its controller has not seen it yet"
        if deployment.error is not None:
            raise BackendError(f"{key}: {deployment.error}")
        if deployment.starting:
            return f"{', '.join(deployment.starting)} is starting"
        return None

    def stop(self) -> None:
        """End the thread; the processes are ended by whoever ends all of them."""
        self._events.put(None)
        self._thread.join(timeout=10)

    def _loop(self) -> None:
        while True:
            with suppress(queue.Empty):
                event = self._events.get(timeout=POLL_SECONDS)
                if event is None:
                    return
                self._handle(*event)
            self._promote_ready()
            self._drop_leaving()

    def _handle(self, event: str, stored: Object) -> None:
        key = ObjectKey.of(stored)
        deployment = self._deployments.setdefault(key, _Deployment())
        if event == "deleted":
            del self._deployments[key]
            self._remove(key, deployment)
            return
        if stored["metadata"]["generation"] <= deployment.generation:
            return  # a change of status or metadata only
        try:
            wanted = {p.name: p for p in map(_predictor(stored), stored["spec"]["predictors"])}
            deployment.error = None
            for name in set(deployment.serving) - set(wanted):
                self._retire(deployment.serving.pop(name))
            for predictor in wanted.values():
                self._want(deployment, predictor)
        except (CrossfadeError, KeyError, TypeError) as error:
            deployment.error = str(error)
        deployment.generation = stored["metadata"]["generation"]
        self._tell(key, deployment)

    def _want(self, deployment: _Deployment, predictor: Predictor) -> None:
        serving = deployment.serving.get(predictor.name)
        if serving is not None and serving.predictor == predictor:
            return
        superseded = deployment.starting.pop(predictor.name, None)
        if superseded is not None:
            self._stop(superseded)
        model = local_model(predictor.model_uri, self._mirrors, self._tools.models)
        deployment.starting[predictor.name] = self._start(predictor, model)

    def _start(self, predictor: Predictor, model: Path) -> Copy:
        self._count += 1
        return start_copy(predictor, model, self._count, self._processes, self._tools)

    def _promote_ready(self) -> None:
        for key, deployment in self._deployments.items():
            for name, copy in list(deployment.starting.items()):
                if copy.ready():
                    del deployment.starting[name]
                    self._switch(deployment, copy)
                    self._tell(key, deployment)

    def _switch(self, deployment: _Deployment, copy: Copy) -> None:
        """Let the new copy answer, then take the old one away."""
        predictor = copy.predictor
        prefix = f"/seldon/{predictor.namespace}/{predictor.deployment}/"
        self._gateway.serve((predictor.service, EXECUTOR_PORT), copy.port, prefix)
        labels = {
            "namespace": predictor.namespace,
            "kubernetes_namespace": predictor.namespace,
            "seldon_deployment_id": predictor.deployment,
        }
        self._monitoring.scrape(copy.port, "/prometheus", labels)
        self._monitoring.scrape(copy.metrics_port, "/metrics", labels)
        old = deployment.serving.get(predictor.name)
        deployment.serving[predictor.name] = copy
        if old is not None:
            self._retire(old)

    def _retire(self, copy: Copy) -> None:
        self._monitoring.forget(copy.port, copy.metrics_port)
        self._leaving.append((time.monotonic() + DRAIN_SECONDS, copy))

    def _remove(self, key: ObjectKey, deployment: _Deployment) -> None:
        for copy in deployment.serving.values():
            prefix = f"/seldon/{key.namespace}/{key.name}/"
            self._gateway.remove((copy.predictor.service, EXECUTOR_PORT), prefix)
            self._retire(copy)
        for copy in deployment.starting.values():
            self._stop(copy)

    def _drop_leaving(self) -> None:
        now = time.monotonic()
        for item in [item for item in self._leaving if item[0] <= now]:
            self._leaving.remove(item)
            self._stop(item[1])

    def _stop(self, copy: Copy) -> None:
        self._processes.stop(copy.executor, copy.model)

    def _tell(self, key: ObjectKey, deployment: _Deployment) -> None:
        self._store.set_status(key, _status(key, deployment))


def _predictor(stored: Object) -> Any:
    def read(predictor: Mapping[str, Any]) -> Predictor:
        return Predictor.of(stored, predictor)

    return read


def _status(key: ObjectKey, deployment: _Deployment) -> dict[str, Any]:
    if deployment.error is not None:
        return {"state": "Failed", "description": deployment.error}
    state = "Creating" if deployment.starting else "Available"
    names = [*deployment.serving, *(n for n in deployment.starting if n not in deployment.serving)]
    return {
        "state": state,
        "deploymentStatus": {
            f"{key.name}-{name}-0": {
                "replicas": 1,
                "availableReplicas": 1 if name in deployment.serving else 0,
            }
            for name in names
        },
    }
