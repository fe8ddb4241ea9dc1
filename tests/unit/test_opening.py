"""A route that a run makes has no traffic for a candidate that is not ready, whatever it says."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
from fake_kube import Cluster, iterating, stage_of
from http_route import BACKENDS, backends
from inplace import LATEST, PINNED, knative, predictors
from rig import VS, Rig, bundle, deployment, route

from crossfade import record
from crossfade.routes import resolve
from crossfade.routes.opening import to_baseline
from crossfade.spec.experiment import Experiment
from crossfade.spec.rollout import Bundle
from crossfade.verdict import Outcome
from crossfade_steps import opening, routers
from crossfade_steps.cluster import steps
from crossfade_steps.cluster.conclude import conclude
from crossfade_steps.loop import conduct
from crossfade_steps.ports import ObjectKey

SAFE = {"v1": 100, "v2": 0}


def paths(text: str) -> dict[str, str | None]:
    return {f"v{i + 1}": text.format(i) for i in range(2)}


def split(*weights: int | None, foreign: int | None = None) -> dict[str, Any]:
    """Return the route document with these weights."""
    document = route()
    routes = document["spec"]["http"][0]["route"]
    for destination, weight in zip(routes, weights, strict=True):
        destination.pop("weight")
        destination.update({} if weight is None else {"weight": weight})
    if foreign is not None:
        routes.append({"destination": {"host": "legacy"}, "weight": foreign})
    return document


def document(api: str, kind: str, **spec: Any) -> dict[str, Any]:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": "r", "namespace": "default"},
            "spec": spec}  # fmt: skip


HTTP, BACKEND = paths(".spec.http[0].route[{}].weight"), paths(".spec.backends[{}].weight")
PREDICTOR, TARGET = paths(".spec.predictors[{}].traffic"), paths(".spec.traffic[{}].percent")
OPENSHIFT = {"v1": ".spec.to.weight", "v2": ".spec.alternateBackends[0].weight"}
KFSERVING = {"v1": None, "v2": ".spec.canaryTrafficPercent"}
KINDS = {
    "VirtualService": (split(50, 50), HTTP),
    "only-the-candidate": (split(None, 100), HTTP),
    "beside-a-foreign-one": (split(50, 30, foreign=20), HTTP),
    "too-coarse-to-split": (split(1, 1, foreign=1), HTTP),
    "a-little": (split(999, 1), HTTP),
    "HTTPRoute": (backends({"name": "a", "port": 1}, {"name": "b", "port": 1}), BACKENDS),
    "TrafficSplit": (document("split.smi-spec.io/v1alpha1", "TrafficSplit", backends=[
        {"service": "a", "weight": 450}, {"service": "b", "weight": 450}]), BACKEND),
    "Route": (document("route.openshift.io/v1", "Route", to={"name": "a"},
                       alternateBackends=[{"name": "b"}]), OPENSHIFT),
    "SeldonDeployment": (predictors(("a", "old", 50), ("b", "new", 50)), PREDICTOR),
    "KnativeService": (knative("new", {**PINNED, "percent": 50}, {**LATEST, "percent": 50}),
                       TARGET),
    "InferenceService": (document("serving.kubeflow.org/v1alpha2", "InferenceService",
                                  default={}, canary={}, canaryTrafficPercent=50), KFSERVING),
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_is_made_with_all_traffic_on_the_baseline(name: str) -> None:
    written, references = KINDS[name]
    before = copy.deepcopy(written)

    made = resolve(to_baseline(written, references, alone=True), references)

    assert [m.weight for v, m in made.slots.items() if v == "v2" and m is not None] == [0]
    assert made.percent() == SAFE
    assert [m.weight for m in made.foreign] == [
        m.weight for m in resolve(before, references).foreign
    ]
    assert written == before


@pytest.mark.parametrize("written", [split(100, 0), split(1, 0), split(100, None)])
def test_a_document_that_says_so_already_is_made_as_it_is(written: dict[str, Any]) -> None:
    assert to_baseline(written, HTTP, alone=True) == written


def fifty(pattern: str = "Progressive", **more: Any) -> Bundle:
    """Return a rollout whose own route has 50/50 in its file."""
    whole = bundle(**more)
    spec = whole.experiment.model_dump(mode="json", by_alias=True, exclude_none=True)
    spec["spec"]["strategy"]["deploymentPattern"] = pattern
    return whole.model_copy(update={"experiment": Experiment.model_validate(spec),
                                    "deploy": (*whole.deploy[:2], split(50, 50))})  # fmt: skip


class Late:
    """The candidate becomes ready after some time, if at all; the weights meanwhile are kept."""

    def __init__(self, rig: Rig, seconds: float) -> None:
        self.rig, self.until, self.seen = rig, rig.clock.now() + seconds, set[tuple[int, ...]]()

    def pending(self, key: ObjectKey) -> str | None:
        if key.namespace != "cand":
            return None
        late = self.rig.clock.now() < self.until
        if late:
            self.seen.add(tuple(self.rig.weights()))
        return "ImagePullBackOff" if late else None


def late(whole: Bundle, seconds: float) -> tuple[Rig, Late]:
    rig = Rig(whole)
    readiness = Late(rig, seconds)
    rig.run = replace(rig.run, readiness=readiness)
    return rig, readiness


@pytest.mark.parametrize("pattern", ["Progressive", "FixedSplit", "BlueGreen"])
def test_a_candidate_that_is_never_ready_never_has_traffic(pattern: str) -> None:
    rig, readiness = late(fifty(pattern), 1e6)

    ended = conduct(rig.run)

    assert ended.outcome is Outcome.FAILED
    assert (readiness.seen, rig.weights()) == ({(100, 0)}, [100, 0])
    phase = record.last_phase(rig.record.list)
    assert phase == ("starting", SAFE)


@pytest.mark.parametrize(
    ("pattern", "first"), [("Progressive", 0), ("FixedSplit", 50), ("BlueGreen", 50)]
)
def test_weights_that_nothing_moves_are_the_file_s_once_all_are_ready(
    pattern: str, first: int
) -> None:
    rig, readiness = late(fifty(pattern, rewards=(2.0, 1.0)), 60)

    ended = conduct(rig.run)

    assert ended.outcome is Outcome.KEPT
    assert readiness.seen == {(100, 0)}
    seen = record.of_type(rig.record.list, "decision")[0]["observation"]["weights"]
    assert seen == {"v1": 100 - first, "v2": first}
    assert rig.weights() == [100, 0]


@pytest.mark.parametrize("pattern", ["Progressive", "FixedSplit"])
def test_a_route_that_was_there_before_keeps_what_was_found(pattern: str) -> None:
    rig = Rig(fifty(pattern, rewards=(2.0, 1.0)))
    for manifest in (deployment("base", "old"), deployment("cand", "new"), split(80, 20)):
        rig.store.create(manifest)

    conduct(rig.run)

    assert record.of_type(rig.record.list, "phase")[0]["safe"] == {"v1": 80, "v2": 20}
    seen = record.of_type(rig.record.list, "decision")[0]["observation"]["weights"]
    assert seen == {"v1": 80, "v2": 20}


def begun(whole: Bundle) -> Cluster:
    """Return a run on a cluster that has deployed nothing yet."""
    cluster = iterating(whole, 100, 0)
    for key in (VS, *(ObjectKey.of(m) for m in whole.deploy[:2])):
        cluster.fake.delete(key)
    return cluster


def test_on_a_cluster_a_route_is_made_for_the_baseline_alone() -> None:
    cluster = begun(fifty())
    rig = cluster.rig
    rig.run = replace(rig.run, readiness=Late(rig, 1e6))
    rig.store = cluster.fake

    steps.deploy(cluster.another())

    assert rig.run.readiness.seen == {(100, 0)}  # type: ignore[attr-defined]
    assert record.last_phase(cluster.stage.entries()) == ("starting", SAFE)
    assert conclude(cluster.another()).outcome is Outcome.FAILED
    assert cluster.weights() == [100, 0]


@pytest.mark.parametrize(
    ("pattern", "weights"), [("Progressive", [100, 0]), ("BlueGreen", [50, 50])]
)
def test_a_repeated_deploy_gives_the_file_s_split_once(pattern: str, weights: list[int]) -> None:
    cluster = begun(fifty(pattern))

    for _ in range(2):
        assert steps.deploy(stage_of(cluster.rig, cluster.fake))["action"] == "iterate"

        assert cluster.weights() == weights
    assert record.last_phase(cluster.stage.entries()) == ("iterating", SAFE)


def parted(rig: Rig, *there: str) -> Bundle:
    """Return a rollout with a route for each version at 60/40; those named are stored already."""
    whole = bundle(rewards=(2.0, 1.0))
    spec = whole.experiment.model_dump(mode="json", by_alias=True, exclude_none=True)
    info, documents = spec["spec"]["versionInfo"], []
    for version, weight in ((info["baseline"], 60), (info["candidates"][0], 40)):
        name = version["name"]
        version["weightObjRef"].update(name=name, fieldPath=".spec.http[0].route[0].weight")
        own = split(100, 0)
        own["metadata"]["name"] = name
        routes = own["spec"]["http"][0]["route"]
        own["spec"]["http"][0]["route"] = [routes[0 if name == "v1" else 1]]
        own["spec"]["http"][0]["route"][0]["weight"] = weight
        documents.append(own)
        if name in there:
            rig.store.create(own)
    experiment = Experiment.model_validate(spec)
    return whole.model_copy(update={"experiment": experiment, "verify": None, "promote": {},
                                    "deploy": (*whole.deploy[:2], *documents)})  # fmt: skip


@pytest.mark.parametrize("there", [(), ("v1",), ("v2",)], ids=["none", "baseline's", "candidate's"])
def test_of_several_routes_those_made_now_give_the_candidate_nothing(
    there: tuple[str, ...],
) -> None:
    rig = Rig(bundle())
    whole = parted(rig, *there)
    router = routers.connect(whole.experiment, rig.store)
    run = replace(rig.run, bundle=whole, router=router)

    ended = conduct(run)

    assert ended.outcome is Outcome.KEPT, ended
    assert record.of_type(rig.record.list, "phase")[0]["safe"] == SAFE
    assert dict(router.read().weights) == SAFE


def test_documents_are_read_as_if_they_were_stored() -> None:
    whole = fifty()
    found: Any = opening.Documents(whole.deploy, whole.namespace)

    assert dict(routers.connect(whole.experiment, found).read().weights) == {"v1": 50, "v2": 50}
    assert found.get(ObjectKey("", "Service", "default", "none")) is None
