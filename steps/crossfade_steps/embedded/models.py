"""One predictor as processes: Seldon's Python server with a model, and the executor before it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crossfade.errors import SpecError
from crossfade.spec.source import listed, mapped
from crossfade_steps.embedded import local
from crossfade_steps.embedded.processes import Child, Processes
from crossfade_steps.embedded.tools import Tools, free_port

SERVERS = Path(__file__).parent / "servers"
IMPLEMENTATIONS = {
    "SKLEARN_SERVER": ("SKLearnServer", "seldonio/sklearnserver:1.19.0"),
    "XGBOOST_SERVER": ("XGBoostServer", "seldonio/xgboostserver:1.19.0"),
}


@dataclass(frozen=True, slots=True)
class Predictor:
    """What one predictor of a SeldonDeployment asks for.

    ``traffic`` (percent) is not part of what a copy of it is: a change of it restarts nothing.
    """

    namespace: str
    deployment: str
    name: str
    node: str
    implementation: str
    model_uri: str
    version: str = ""
    parameters: tuple[tuple[str, str, str], ...] = ()
    traffic: int | None = field(default=None, compare=False)

    @classmethod
    def of(cls, deployment: Mapping[str, Any], predictor: Mapping[str, Any]) -> Predictor:
        """Read a predictor.  Raises ``SpecError`` for what the embedded default cannot run."""
        metadata, graph = mapped(deployment, ("metadata",)), mapped(predictor, ("graph",))
        namespace, name = str(metadata.get("namespace", "default")), str(metadata.get("name"))
        implementation = str(graph.get("implementation", ""))
        problem = _problem(predictor, graph, implementation)
        if problem:
            raise SpecError(
                f"SeldonDeployment {namespace}/{name}: {problem}",
                hint="the embedded default serves prepackaged models only; compile the rollout "
                "and run it on a cluster for anything else",
            )
        return cls(
            namespace, name, str(predictor.get("name")), str(graph.get("name")), implementation,
            str(graph.get("modelUri", "")),
            str(mapped(predictor, ("annotations",)).get("version", "")),
            tuple(_parameter(p) for p in listed(graph, ("parameters",))),
            predictor.get("traffic"),
        )  # fmt: skip

    @property
    def service(self) -> str:
        """Return the Service that Seldon makes: ``<deployment>-<predictor>.<namespace>``."""
        return f"{self.deployment}-{self.name}.{self.namespace}"


def predictors(deployment: Mapping[str, Any]) -> dict[str, Predictor]:
    """Return a SeldonDeployment's predictors by name.  Raises ``SpecError``."""
    listing = listed(deployment, ("spec", "predictors"))
    found = [Predictor.of(deployment, item) for item in listing if isinstance(item, Mapping)]
    if not found or len({p.name for p in found}) < len(found):
        metadata = mapped(deployment, ("metadata",))
        raise SpecError(
            f"SeldonDeployment {metadata.get('namespace')}/{metadata.get('name')}: "
            "spec.predictors: expected at least one, each with a name of its own"
        )
    return {p.name: p for p in found}


def _problem(predictor: Mapping[str, Any], graph: Mapping[str, Any], implementation: str) -> str:
    if predictor.get("shadow"):
        return f"predictor {predictor.get('name')} is a shadow, which is not played here"
    children = " with children" if graph.get("children") else ""
    if not children and implementation in IMPLEMENTATIONS:
        return ""
    known = ", ".join(IMPLEMENTATIONS)
    return f"graph of {implementation or 'an own image'}{children}, expected one of {known}"


def _parameter(value: Any) -> tuple[str, str, str]:
    part = mapped({"p": value}, ("p",))
    return str(part.get("name")), str(part.get("value")), str(part.get("type", "STRING"))


@dataclass(slots=True)
class Copy:
    """A running copy of a predictor."""

    predictor: Predictor
    model: Child
    executor: Child
    port: int
    metrics_port: int

    def ready(self) -> bool:
        """Return whether the model answers through its executor."""
        return local.answers(f"http://127.0.0.1:{self.port}/ready")


def start_copy(
    predictor: Predictor, model: Path, number: int, processes: Processes, tools: Tools
) -> Copy:
    """Start the model server and the executor of one copy; they are not ready yet."""
    server, image = IMPLEMENTATIONS[predictor.implementation]
    http, metrics, port = free_port(), free_port(), free_port()
    name = f"{predictor.namespace}-{predictor.deployment}-{predictor.name}-{number}"
    given = (("model_uri", str(model), "STRING"), *predictor.parameters)
    parameters = [{"name": n, "value": value, "type": kind} for n, value, kind in given]
    child = processes.start(
        f"{name}-model",
        [str(tools.model_server), server, "--service-type", "MODEL",
         "--parameters", json.dumps(parameters), "--http-port", str(http),
         "--metrics-port", str(metrics), "--grpc-workers", "0", "--workers", "1",
         "--threads", "4", "--keepalive", "75", "--log-level", "WARNING"],
        environment={
            "PREDICTIVE_UNIT_ID": predictor.node, "PREDICTOR_ID": predictor.name,
            "SELDON_DEPLOYMENT_ID": predictor.deployment, "PREDICTIVE_UNIT_IMAGE": image,
            "PYTHONPATH": str(SERVERS), "OMP_NUM_THREADS": "1",
        },
        cwd=SERVERS,
    )  # fmt: skip
    executor = processes.start(
        f"{name}-executor",
        [sys.executable, "-m", "crossfade_steps.embedded.executor", "--port", str(port),
         "--model", f"http://127.0.0.1:{http}", "--deployment", predictor.deployment,
         "--predictor", predictor.name, "--version", predictor.version,
         "--node", predictor.node, "--image", image],
    )  # fmt: skip
    return Copy(predictor, child, executor, port, metrics)
