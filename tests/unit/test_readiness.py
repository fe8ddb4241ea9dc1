"""When a workload on a cluster is ready: whose pods run what its spec says."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from crossfade.errors import NeverReady
from crossfade_steps.cluster.readiness import KubeReadiness
from crossfade_steps.ports import ObjectKey

ROOT = Path(__file__).resolve().parents[2]
IRIS = ObjectKey("machinelearning.seldon.io", "SeldonDeployment", "ns", "iris")
ROLLED_OUT = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}


class Cluster:
    """One object, the Deployments made for it, and which pods were asked for."""

    def __init__(self, stored: dict[str, Any], *deployments: dict[str, Any]) -> None:
        self.stored, self.deployments = stored, deployments
        self.asked: list[str] = []

    def get(self, key: ObjectKey) -> dict[str, Any]:
        return self.stored

    def list(self, group: str, kind: str, namespace: str, selector: str) -> list[dict[str, Any]]:
        self.asked.append(selector)
        return list(self.deployments) if kind == "Deployment" else []


def pending(stored: dict[str, Any], *deployments: dict[str, Any], key: ObjectKey = IRIS) -> Any:
    return KubeReadiness(Cluster(stored, *deployments)).pending(key)  # type: ignore[arg-type]


def seldon(*predictors: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "SeldonDeployment", "metadata": {"name": "iris", "namespace": "ns"},
            "spec": {"predictors": list(predictors)}, "status": {"state": "Available"}}  # fmt: skip


def predictor(name: str, uri: str | None = None, **container: Any) -> dict[str, Any]:
    """Return a predictor of a Seldon server, or of a container of its own."""
    graph = {"name": "c", **({"modelUri": uri, "implementation": "SKLEARN_SERVER"} if uri else {})}
    parts = [{"spec": {"containers": [{"name": "c", **container}]}}] if container else []
    return {"name": name, "graph": graph, "componentSpecs": parts}


def made(name: str, uri: str | None = None, *, labels: Any = None, **container: Any) -> Any:
    """Return what the operator makes for a predictor."""
    pod: dict[str, Any] = {"containers": [{"name": "c", "image": "server", **container}]}
    if uri:
        pod["initContainers"] = [{"name": "c-model-initializer", "args": [uri, "/mnt/models"]}]
    own = {"seldon-app": f"iris-{name}"} if labels is None else labels
    metadata = {"name": f"iris-{name}-0-c", "namespace": "ns", "generation": 1, "labels": own}
    return {"metadata": metadata, "status": ROLLED_OUT,
            "spec": {"replicas": 1, "template": {"spec": pod}}}  # fmt: skip


@pytest.mark.parametrize(
    ("stored", "deployments", "reason"),
    [
        pytest.param(seldon(predictor("main", "gs://m/2")), [made("main", "gs://m/2")], None,
                     id="it-runs-what-it-says"),
        pytest.param(seldon(predictor("main", image="iris:NEW")), [made("main", image="iris:OLD")],
                     "c with iris:NEW", id="another-image"),
        pytest.param(seldon(predictor("main", image="iris:NEW")), [made("main", image="iris:NEW")],
                     None, id="its-image"),
        pytest.param(seldon(predictor("main")), [], "main has no Deployment", id="no-deployment"),
        pytest.param(seldon(predictor("main", "gs://m/1")), [made("main", "gs://m/10")],
                     "gs://m/1 ", id="a-longer-uri"),
        pytest.param(seldon(predictor("main", "gs://m/2"), predictor("new", "gs://m/2")),
                     [made("main", "gs://m/1"), made("new", "gs://m/2")],
                     "main: no Deployment carries gs://m/2", id="another-predictor-s"),
        pytest.param(seldon(predictor("main", "gs://m/2"), predictor("new", "gs://m/2")),
                     [made("main", "gs://m/2")], "new has no Deployment", id="one-of-two"),
        pytest.param(seldon(predictor("main", "gs://m/2"), predictor("main-2", "gs://m/3")),
                     [made("main", "gs://m/2", labels={}), made("main-2", "gs://m/3", labels={})],
                     None, id="told-apart-by-name"),
        pytest.param(seldon(predictor("main", "gs://m/2")),
                     [made("x", "gs://m/2", labels={"seldon-app": "another-name"})], None,
                     id="not-told-apart"),
        pytest.param(seldon(predictor("main", image="i", env=[{"name": "A", "value": "2"}])),
                     [made("main", image="i", env=[{"name": "A", "value": "1"}])],
                     "c with i", id="another-variable"),
        pytest.param(seldon(predictor("main", image="i", env=[{"name": "A", "value": "2"}])),
                     [made("main", image="i", env=[{"name": "PREDICTOR_ID", "value": "main"},
                                                   {"name": "A", "value": "2"}])],
                     None, id="variables-of-the-operator"),
        pytest.param(seldon(predictor("main", "pvc://claim/a/b")),
                     [made("main", "/mnt/pvc/a/b")], None, id="a-model-on-a-volume"),
    ],
)  # fmt: skip
def test_a_seldon_deployment_is_ready_when_each_predictor_s_own_deployment_runs_it(
    stored: dict[str, Any], deployments: list[dict[str, Any]], reason: str | None
) -> None:
    found = pending(stored, *deployments)

    assert found is None if reason is None else reason in str(found)


def test_what_the_stand_in_makes_is_what_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "tests" / "cluster" / "bed"))
    import seldon_operator

    parts = [predictor("main", "gs://m/1"), predictor("new", "gs://m/2")]
    stored = seldon(*parts)
    images = {"model-server": "server", "executor": "executor"}
    deployments = [{**seldon_operator.deployment(stored, p, images, {"namespace": "ns"}),
                    "status": ROLLED_OUT} for p in parts]  # fmt: skip
    for deployment in deployments:
        deployment["metadata"]["generation"] = 1
    sys.modules.pop("seldon_operator")

    assert pending(stored, *deployments) is None
    assert "main: no Deployment carries" in pending(
        seldon(predictor("main", "gs://m/2"), parts[1]), *deployments
    )


def test_a_failed_seldon_deployment_is_never_ready() -> None:
    stored = seldon(predictor("main")) | {"status": {"state": "Failed", "description": "no"}}

    with pytest.raises(NeverReady, match="failed: no"):
        pending(stored)


def test_pods_are_asked_for_by_the_whole_selector() -> None:
    selector = {
        "matchLabels": {"app": "m"},
        "matchExpressions": [
            {"key": "tier", "operator": "In", "values": ["a", "b"]},
            {"key": "old", "operator": "NotIn", "values": ["x"]},
            {"key": "model", "operator": "Exists"},
            {"key": "shadow", "operator": "DoesNotExist"},
        ],
    }
    stored = {"metadata": {"name": "m", "namespace": "ns", "generation": 2},
              "spec": {"selector": selector}}  # fmt: skip
    cluster = Cluster(stored)

    KubeReadiness(cluster).pending(ObjectKey("apps", "Deployment", "ns", "m"))  # type: ignore[arg-type]

    assert cluster.asked == ["app=m,tier in (a,b),old notin (x),model,!shadow"]


def inference(
    created: str, ready: str, rolled: str = "m-1", percent: int | None = 0, seen: int | None = None
) -> dict[str, Any]:
    weight = {} if percent is None else {"canaryTrafficPercent": percent}
    component = {"latestCreatedRevision": created, "latestReadyRevision": ready,
                 "latestRolledoutRevision": rolled}  # fmt: skip
    status = {"conditions": [{"type": "Ready", "status": "True"}],
              "components": {"predictor": component}}  # fmt: skip
    return {"metadata": {"name": "m", "namespace": "ns", "generation": 2},
            "spec": {"predictor": weight},
            "status": status | ({} if seen is None else {"observedGeneration": seen})}  # fmt: skip


@pytest.mark.parametrize(
    ("stored", "reason"),
    [
        pytest.param(inference("m-2", "m-2"), None, id="beside-the-old-one"),
        pytest.param(inference("m-2", "m-1"), "m-2 is not ready yet", id="not-ready"),
        pytest.param(inference("m-1", "m-1"), "no revision beside m-1", id="not-made-yet"),
        pytest.param(inference("m-1", "m-1", percent=100), None, id="all-traffic"),
        pytest.param(inference("m-1", "m-1", percent=None), None, id="no-weight"),
        pytest.param(inference("m-2", "m-2", seen=1), "not seen it yet", id="not-seen"),
    ],
)
def test_a_canary_is_ready_when_its_revision_is(stored: dict[str, Any], reason: str | None) -> None:
    found = pending(stored, key=ObjectKey("serving.kserve.io", "InferenceService", "ns", "m"))

    assert found is None if reason is None else reason in str(found)


@pytest.mark.parametrize(
    ("ready", "seen", "reason"),
    [("m-2", 2, None), ("m-1", 2, "m-2 is not ready yet"), ("m-2", 1, "not seen it yet")],
)
def test_a_knative_service_is_ready_when_its_latest_revision_is(
    ready: str, seen: int, reason: str | None
) -> None:
    names = {"latestCreatedRevisionName": "m-2", "latestReadyRevisionName": ready}
    conditions = [{"type": "Ready", "status": "True"}]
    status = {**names, "observedGeneration": seen, "conditions": conditions}
    stored = {"metadata": {"name": "m", "namespace": "ns", "generation": 2}, "status": status}

    found = pending(stored, key=ObjectKey("serving.knative.dev", "Service", "ns", "m"))

    assert found is None if reason is None else reason in str(found)
