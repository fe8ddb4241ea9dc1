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
from typing import Any

from crossfade.errors import CrossfadeError, NeverReady
from crossfade_steps.embedded.gateway import Gateway
from crossfade_steps.embedded.mirror import local_model
from crossfade_steps.embedded.models import Copy, Predictor, predictors, start_copy
from crossfade_steps.embedded.monitoring import Monitoring
from crossfade_steps.embedded.processes import Processes
from crossfade_steps.embedded.store import Store
from crossfade_steps.embedded.tools import Tools
from crossfade_steps.embedded.virtual_service import Address
from crossfade_steps.ports import Object, ObjectKey

POLL_SECONDS = 0.2
DRAIN_SECONDS = 1.0
EXECUTOR_PORT = 8000
KIND = "SeldonDeployment"


@dataclass(slots=True)
class _Deployment:
    """One SeldonDeployment: what it asks for, its copies that serve and that start, its error."""

    wanted: dict[str, Predictor] = field(default_factory=dict)
    serving: dict[str, Copy] = field(default_factory=dict)
    starting: dict[str, Copy] = field(default_factory=dict)
    generation: int = 0
    error: str | None = None

    def weights(self) -> dict[Address, int]:
        """Return the traffic of what serves; none while only predictors without traffic do."""
        live = [self.wanted[name] for name in self.serving if name in self.wanted]
        sole = len(self.wanted) == 1
        found = {_address(p): 100 if sole else int(p.traffic or 0) for p in live}
        return found if sum(found.values()) else {}


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
        self._store, self._around = store, around
        self._deployments: dict[ObjectKey, _Deployment] = {}
        self._events: queue.SimpleQueue[tuple[str, Object] | None] = queue.SimpleQueue()
        self._leaving: list[tuple[float, Copy]] = []
        self._count = 0
        self._failed: str | None = None
        self._thread = threading.Thread(target=self._loop, name="seldon", daemon=True)
        self._thread.start()

    def follow(self, event: str, stored: Object) -> None:
        """Take note of a change; other kinds are none of its business."""
        if stored.get("kind") == KIND:
            self._events.put((event, stored))

    def pending(self, key: ObjectKey) -> str | None:
        """Return why the deployment is not ready, None when it is (port ``Readiness``).

        Raises ``NeverReady`` when it cannot become ready.
        """
        stored = self._store.get(key)
        if stored is None:
            raise NeverReady(f"{key} does not exist")
        deployment = self._deployments.get(key)
        if deployment is None or deployment.generation < stored["metadata"]["generation"]:
            return "its controller has not seen it yet"
        if deployment.error is not None:
            raise NeverReady(f"{key}: {deployment.error}")
        starting = tuple(deployment.starting)
        return f"{', '.join(starting)} is starting" if starting else None

    def failed(self) -> str | None:
        """Return why this controller ended, or None."""
        return self._failed

    def stop(self) -> None:
        """End the thread; the processes are ended by whoever ends all of them."""
        self._events.put(None)
        self._thread.join(timeout=10)

    def _loop(self) -> None:
        try:
            while self._turn():
                self._switch_ready()
                self._drop_leaving()
        except Exception as error:  # a thread has nobody to raise to
            self._failed = f"the controller of SeldonDeployments: {type(error).__name__}: {error}"

    def _turn(self) -> bool:
        """Handle one event if there is one; False is the end."""
        with suppress(queue.Empty):
            event = self._events.get(timeout=POLL_SECONDS)
            if event is None:
                return False
            self._handle(*event)
        return True

    def _handle(self, event: str, stored: Object) -> None:
        key = ObjectKey.of(stored)
        if event == "deleted":
            self._remove(key, self._deployments.pop(key, _Deployment()))
            return
        deployment = self._deployments.setdefault(key, _Deployment())
        if stored["metadata"]["generation"] <= deployment.generation:
            return  # a change of status or metadata only
        try:
            deployment.error = None
            self._want(deployment, predictors(stored))
            self._expose(key, deployment)
        except CrossfadeError as error:
            deployment.error = str(error)
        deployment.generation = stored["metadata"]["generation"]
        self._tell(key, deployment)

    def _want(self, deployment: _Deployment, wanted: dict[str, Predictor]) -> None:
        """Start what is new or changed; what serves goes on until its successor is ready."""
        models = {
            p.name: local_model(p.model_uri, self._around.mirrors, self._around.tools.models)
            for p in wanted.values()
        }
        deployment.wanted = wanted
        for predictor in wanted.values():
            if self._is_there(deployment, predictor):
                continue
            self._count += 1
            deployment.starting[predictor.name] = start_copy(
                predictor, models[predictor.name], self._count, self._around.processes,
                self._around.tools,
            )  # fmt: skip

    def _is_there(self, deployment: _Deployment, predictor: Predictor) -> bool:
        """Return whether a copy of it starts or serves, and end one that is superseded."""
        starting = deployment.starting.get(predictor.name)
        if starting is not None:
            if starting.predictor == predictor:
                return True
            self._stop(deployment.starting.pop(predictor.name))
        serving = deployment.serving.get(predictor.name)
        return serving is not None and serving.predictor == predictor

    def _switch_ready(self) -> None:
        for key, deployment in self._deployments.items():
            for name, copy in list(deployment.starting.items()):
                if copy.ready():
                    self._switch(deployment, copy)
                    self._expose(key, deployment)
                    del deployment.starting[name]
                    self._tell(key, deployment)

    def _switch(self, deployment: _Deployment, copy: Copy) -> None:
        """Let the new copy answer, then take the old one away."""
        predictor = copy.predictor
        labels = {
            "namespace": predictor.namespace,
            "kubernetes_namespace": predictor.namespace,
            "seldon_deployment_id": predictor.deployment,
        }
        self._around.monitoring.scrape(copy.port, "/prometheus", labels)
        self._around.monitoring.scrape(copy.metrics_port, "/metrics", labels)
        self._around.gateway.serve(_address(predictor), copy.port)
        old = deployment.serving.get(predictor.name)
        deployment.serving[predictor.name] = copy
        if old is not None:
            self._retire(old)

    def _expose(self, key: ObjectKey, deployment: _Deployment) -> None:
        """Send Seldon's path prefix to what serves, then take away what is no longer wanted."""
        prefix = f"/seldon/{key.namespace}/{key.name}/"
        self._around.gateway.prefix(prefix, deployment.weights())
        for copies in (deployment.serving, deployment.starting):
            for name in set(copies) - set(deployment.wanted):
                copy = copies.pop(name)
                self._around.gateway.forget(_address(copy.predictor))
                self._retire(copy)

    def _remove(self, key: ObjectKey, deployment: _Deployment) -> None:
        deployment.wanted = {}
        self._expose(key, deployment)

    def _retire(self, copy: Copy) -> None:
        self._around.monitoring.forget(copy.port, copy.metrics_port)
        self._leaving.append((time.monotonic() + DRAIN_SECONDS, copy))

    def _drop_leaving(self) -> None:
        now = time.monotonic()
        for item in [item for item in self._leaving if item[0] <= now]:
            self._leaving.remove(item)
            self._stop(item[1])

    def _stop(self, copy: Copy) -> None:
        self._around.processes.stop(copy.executor, copy.model)

    def _tell(self, key: ObjectKey, deployment: _Deployment) -> None:
        self._store.set_status(key, _status(key, deployment))


def _address(predictor: Predictor) -> Address:
    return predictor.service, EXECUTOR_PORT


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
