"""A run of many iterations whose clock moves by itself: only its own work takes time."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from crossfade.spec.experiment import Experiment
from crossfade.spec.metric import Metric
from crossfade.spec.rollout import Bundle
from crossfade_steps import metrics
from crossfade_steps.embedded.store import Store
from crossfade_steps.iteration import iterate
from crossfade_steps.ports import ObjectKey, Response
from crossfade_steps.record_file import RecordFile
from crossfade_steps.routers.objects import ObjectRouter
from crossfade_steps.run import Run

VERSIONS = ("v1", "v2")


class Clock:
    """Moves only when somebody sleeps."""

    def __init__(self) -> None:
        self._time = 0.0

    def now(self) -> float:
        """Return seconds."""
        return self._time

    def sleep(self, seconds: float) -> None:
        """Move on."""
        self._time += seconds


class Unused:
    """Ports that an iteration does not use."""

    def pending(self, key: ObjectKey) -> str | None:
        """Return that everything is ready."""
        return None

    def send(self, url: str, payload: str | None, headers: Any) -> Response:
        """Never called."""
        raise AssertionError


def seconds_per_iteration(iterations: int) -> float:
    """Return the seconds that one iteration takes by itself."""
    store = Store()
    store.create(_virtual_service())
    bundle = _bundle(iterations)
    unused = Unused()
    with tempfile.TemporaryDirectory() as folder:
        run = Run(
            name="bench",
            bundle=bundle,
            objects=store,
            router=ObjectRouter(bundle.experiment, store),
            sources=metrics.connect(bundle.metrics, {}),
            readiness=unused,
            responder=unused,
            clock=Clock(),
            record=RecordFile(Path(folder) / "record.jsonl"),
        )
        begin = time.perf_counter()
        iterate(run, 0.0)
        return (time.perf_counter() - begin) / iterations


def _virtual_service() -> dict[str, Any]:
    routes = [{"destination": {"host": v}, "weight": w} for v, w in zip(VERSIONS, (100, 0),
                                                                       strict=True)]  # fmt: skip
    return {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
            "metadata": {"name": "route", "namespace": "default"},
            "spec": {"http": [{"route": routes}]}}  # fmt: skip


def _bundle(iterations: int) -> Bundle:
    versions = [
        {"name": name, "weightObjRef": {
            "apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "name": "route",
            "namespace": "default", "fieldPath": f".spec.http[0].route[{i}].weight"}}
        for i, name in enumerate(VERSIONS)
    ]  # fmt: skip
    names = ["reward", "latency", "errors"]
    experiment = {
        "apiVersion": "iter8.tools/v2alpha2",
        "kind": "Experiment",
        "spec": {
            "target": "t",
            "strategy": {"testingPattern": "A/B"},
            "criteria": {
                "rewards": [{"metric": names[0], "preferredDirection": "High"}],
                "objectives": [{"metric": name, "upperLimit": 9} for name in names[1:]],
            },
            "duration": {"intervalSeconds": 1, "iterationsPerLoop": iterations},
            "versionInfo": {"baseline": versions[0], "candidates": versions[1:]},
        },
    }
    mock = [{"name": name, "level": 1} for name in VERSIONS]
    found = {
        f"default/{name}": Metric.model_validate(
            {"apiVersion": "iter8.tools/v2alpha2", "kind": "Metric",
             "metadata": {"name": name}, "spec": {"mock": mock}}
        )
        for name in names
    }  # fmt: skip
    return Bundle(name="b", experiment=Experiment.model_validate(experiment), metrics=found)
