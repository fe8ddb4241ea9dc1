"""A whole run against the object store: everything around it, to be changed before it begins."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from crossfade import record
from crossfade.errors import BackendError
from crossfade.spec.experiment import Experiment
from crossfade.spec.metric import Metric
from crossfade.spec.rollout import Bundle, Policy, Verify
from crossfade_steps import metrics
from crossfade_steps.embedded.store import Store
from crossfade_steps.ports import ObjectKey, Response
from crossfade_steps.routers.objects import ObjectRouter
from crossfade_steps.run import Run, Stopped

VS = ObjectKey("networking.istio.io", "VirtualService", "default", "route")


class Clock:
    """Moves when somebody sleeps; ``at`` maps a time to something that happens then."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.events: list[tuple[float, Callable[[], object]]] = []

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        for event in [e for e in self.events if e[0] <= self.time]:
            self.events.remove(event)
            event[1]()


class Memory:
    """A record in memory."""

    def __init__(self) -> None:
        self.list: list[Mapping[str, Any]] = []

    def append(self, entry: Mapping[str, Any]) -> None:
        self.list.append(json.loads(record.canonical(entry)))

    def entries(self) -> Sequence[Mapping[str, Any]]:
        return self.list


class Ready:
    """Everything is ready, but for the names given."""

    def __init__(self, **reasons: str) -> None:
        self.reasons = reasons

    def pending(self, key: ObjectKey) -> str | None:
        return self.reasons.get(key.namespace.replace("-", "_"))


class Server:
    """Answers as the deployed model of the host asked, or of the version with most weight."""

    def __init__(self, store: Store, *, broken_after: str = "") -> None:
        self.store, self.broken_after = store, broken_after

    def send(self, url: str, payload: str | None, headers: Mapping[str, str]) -> Response:
        spec = (self.store.get(VS) or {})["spec"]
        routes = spec["http"][0]["route"]
        route = max(routes, key=lambda r: r.get("weight", 100))
        if "gateway" not in url:
            route = next(r for r in routes if r["destination"]["host"] in url)
        namespace = route["destination"]["host"].split(".")[1]
        key = ObjectKey("machinelearning.seldon.io", "SeldonDeployment", namespace, "m")
        stored = self.store.get(key)
        if stored is None:
            raise BackendError(f"{url}: nobody there")
        model = stored["spec"]["predictors"][0]["graph"]["modelUri"]
        shown = {"version": route["headers"]["response"]["set"]["version"]}
        if self.broken_after and self.broken_after == f"{namespace}:{model}":
            return Response(500, shown, b"broken")
        body = {"meta": {"requestPath": {"c": model}}}
        return Response(200, shown, json.dumps(body).encode())


def deployment(namespace: str, model: str) -> dict[str, Any]:
    return {
        "apiVersion": "machinelearning.seldon.io/v1",
        "kind": "SeldonDeployment",
        "metadata": {"name": "m", "namespace": namespace},
        "spec": {"predictors": [{"name": "p", "graph": {"name": "c", "modelUri": model}}]},
    }


def route(first: str = "v1", *, both: bool = True) -> dict[str, Any]:
    routes = [
        {
            "destination": {"host": f"m-p.{ns}.svc.cluster.local", "port": {"number": 8000}},
            "headers": {"response": {"set": {"version": version}}},
            "weight": weight,
        }
        for ns, version, weight in (("base", first, 100), ("cand", "v2", 0))
    ]
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "route", "namespace": "default"},
        "spec": {"hosts": ["x"], "http": [{"route": routes if both else routes[:1]}]},
    }


def metric(name: str, **levels: float) -> Metric:
    return Metric.model_validate(
        {
            "apiVersion": "iter8.tools/v2alpha2",
            "kind": "Metric",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"mock": [{"name": v, "level": level} for v, level in levels.items()]},
        }
    )


def bundle(
    *,
    rewards: tuple[float, float] = (1.0, 2.0),
    errors: tuple[float, float] = (0.0, 0.0),
    models: tuple[str, str] = ("old", "new"),
    promote: bool = True,
    both: bool = True,
) -> Bundle:
    def ref(i: int) -> dict[str, str]:
        return {
            "apiVersion": "networking.istio.io/v1",
            "kind": "VirtualService",
            "name": "route",
            "namespace": "default",
            "fieldPath": f".spec.http[0].route[{i}].weight",
        }

    document = {
        "apiVersion": "iter8.tools/v2alpha2",
        "kind": "Experiment",
        "metadata": {"name": "e"},
        "spec": {
            "target": "t",
            "strategy": {"testingPattern": "A/B"},
            "criteria": {
                "rewards": [{"metric": "r", "preferredDirection": "High"}],
                "objectives": [
                    {"metric": "errors", "upperLimit": 0.1, "rollback_on_failure": True}
                ],
            },
            "duration": {"intervalSeconds": 10, "iterationsPerLoop": 4},
            "versionInfo": {
                "baseline": {"name": "v1", "weightObjRef": ref(0)},
                "candidates": [{"name": "v2", "weightObjRef": ref(1)}],
            },
        },
    }
    values = {"default/r": metric("r", v1=rewards[0], v2=rewards[1]),
              "default/errors": metric("errors", v1=errors[0], v2=errors[1])}  # fmt: skip
    winner = (deployment("base", models[1]), route("v2", both=both))
    return Bundle(
        name="x",
        experiment=Experiment.model_validate(document),
        metrics=values,
        deploy=(deployment("base", models[0]), deployment("cand", models[1]), route()),
        promote={"v2": winner} if promote else {},
        verify=Verify(url="http://gateway/predict", payload="{}"),
        policy=Policy(name="iter8"),
    )


class Rig:
    """A run with everything around it, to be changed before it is conducted."""

    def __init__(self, whole: Bundle, **run: Any) -> None:
        self.store, self.clock, self.record = Store(), Clock(), Memory()
        self.stop: Stopped | None = None
        self.started = 0
        fields: dict[str, Any] = {
            "name": "run", "bundle": whole, "objects": self.store,
            "router": ObjectRouter(whole.experiment, self.store),
            "sources": metrics.connect(whole.metrics, {}), "readiness": Ready(),
            "responder": Server(self.store), "clock": self.clock, "record": self.record,
            "alarm": lambda: self.stop, "start_load": self._start,
        }  # fmt: skip
        self.run = Run(**{**fields, **run})

    def _start(self) -> None:
        self.started += 1

    def at(self, seconds: float, event: Callable[[], object]) -> None:
        self.clock.events.append((self.clock.time + seconds, event))

    def weights(self) -> list[int]:
        routes = (self.store.get(VS) or {})["spec"]["http"][0]["route"]
        return [r["weight"] for r in routes]

    def model(self, namespace: str) -> str | None:
        key = ObjectKey("machinelearning.seldon.io", "SeldonDeployment", namespace, "m")
        stored = self.store.get(key)
        return stored and stored["spec"]["predictors"][0]["graph"]["modelUri"]

    def decided(self) -> list[str]:
        entries = record.of_type(self.record.list, "decision")
        return ["/".join(map(str, e["decision"]["weights"].values())) for e in entries]


def resumed(rig: Rig, entries: Sequence[Mapping[str, Any]]) -> Rig:
    """Return a rig whose run was cut off after these entries, with its objects as they were."""
    again = Rig(rig.run.bundle)
    for manifest in rig.run.bundle.deploy:
        again.store.create(manifest)
    again.record.list = list(entries)
    return again


def set_weights(rig: Rig, *weights: int) -> None:
    rig.store.patch(VS, [{"op": "add", "path": f"/spec/http/0/route/{i}/weight", "value": w}
                         for i, w in enumerate(weights)])  # fmt: skip
