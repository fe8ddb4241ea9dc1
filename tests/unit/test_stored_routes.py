"""A routing object that was there before, written in another way than its document."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from http_route import BACKENDS, backends
from rig import VS, Rig, bundle, deployment, route

from crossfade.spec.experiment import Experiment
from crossfade.spec.rollout import Bundle, VersionObjects
from crossfade.verdict import Outcome
from crossfade_steps.loop import conduct
from crossfade_steps.ports import ObjectKey
from crossfade_steps.routers.objects import ObjectRouter
from crossfade_steps.versions import routes_to, serving

PAY = {"route": [{"destination": {"host": "pay-a"}, "weight": 60},
                 {"destination": {"host": "pay-b"}, "weight": 40}]}  # fmt: skip


def stored(rig: Rig, vs: dict[str, Any], *others: dict[str, Any]) -> None:
    for manifest in (*others, vs):
        rig.store.create(manifest)


def split(rig: Rig, rule: int = 0) -> dict[str, int | None]:
    found = (rig.store.get(VS) or {})["spec"]["http"][rule]["route"]
    return {r["destination"]["host"].partition(".svc")[0]: r.get("weight") for r in found}


def test_a_route_to_another_baseline_than_the_documented_one_is_refused() -> None:
    rig = Rig(bundle())
    vs = route()
    vs["spec"]["http"][0]["route"][0]["destination"] = {"host": "elsewhere"}
    stored(rig, vs, deployment("base", "old"), deployment("cand", "old"))

    ended = conduct(rig.run)

    assert ended.outcome is Outcome.FAILED
    assert "no route goes to m-p.base.svc.cluster.local" in ended.sentence
    assert (rig.store.get(VS) or {})["spec"] == vs["spec"]
    assert rig.model("cand") == "old"


def test_the_baseline_keeps_its_model_when_the_stored_routes_are_in_another_order() -> None:
    rig = Rig(bundle(promote=False))
    vs = route()
    vs["spec"]["http"][0]["route"].reverse()
    stored(rig, vs, deployment("base", "of yesterday"), deployment("cand", "an older one"))
    seen: list[tuple[str | None, str | None]] = []
    rig.at(1, lambda: seen.append((rig.model("base"), rig.model("cand"))))

    assert conduct(rig.run).outcome is Outcome.PROMOTED
    assert seen == [("of yesterday", "new")]
    assert rig.model("base") == "of yesterday"


def test_somebody_else_s_rule_at_our_place_keeps_its_weights_and_the_candidate_is_deployed() -> (
    None
):
    rig = Rig(bundle(promote=False))
    vs = route(both=False)
    vs["spec"]["http"].insert(0, copy.deepcopy(PAY))
    stored(rig, vs, deployment("base", "old"), deployment("cand", "an older one"))

    assert conduct(rig.run).outcome is Outcome.PROMOTED
    assert split(rig, 0) == {"pay-a": 60, "pay-b": 40}
    assert rig.model("cand") == "new"
    assert split(rig, 1) == {"m-p.base": 0, "m-p.cand": 100}


@pytest.mark.parametrize("host", ["m-p", "m-p.cand", "m-p.cand.svc", "m-p.cand.svc.cluster.local"])
def test_a_version_serves_in_whichever_way_a_route_names_it(host: str) -> None:
    whole, documents, vs = bundle(), route(), route(both=False)
    if host == "m-p":
        documents["spec"]["http"][0]["route"][1]["destination"]["host"] = "m-p.default.svc"
    vs["spec"]["http"][0]["route"] = [{"destination": {"host": host}}]
    rig = Rig(whole.model_copy(update={"deploy": (*whole.deploy[:2], documents)}))
    stored(rig, vs)

    assert serving(rig.run) == {"v2"}


A, B = (
    ObjectKey("apps", "Deployment", "default", "a"),
    ObjectKey("apps", "Deployment", "default", "b"),
)
HR = ObjectKey("gateway.networking.k8s.io", "HTTPRoute", "default", "r")
PARTS: dict[str, Any] = {
    "VirtualService": ({"host": "m", "subset": "s1"}, {"host": "m", "subset": "s2"}),
    "HTTPRoute": ({"name": "m", "port": 80}, {"name": "m", "port": 81}),
}


def web(name: str, image: str) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"template": {"spec": {"containers": [{"name": "c", "image": image}]}}},
    }


def pointing(kind: str, *parts: tuple[int, int]) -> dict[str, Any]:
    """A route with parts of one host, each by its index and its weight."""
    items = [(PARTS[kind][part], weight) for part, weight in parts]
    if kind == "HTTPRoute":
        return backends(*({**item, "weight": weight} for item, weight in items))
    vs = route()
    vs["spec"]["http"][0]["route"] = [{"destination": d, "weight": w} for d, w in items]
    return vs


def one_host(kind: str, image: str = "new", **update: Any) -> Bundle:
    """A rollout of two Deployments behind one host, told apart by subset or by port."""
    whole = bundle(promote=False)
    document = whole.experiment.model_dump(by_alias=True, exclude_none=True)
    info = document["spec"]["versionInfo"]
    if kind == "HTTPRoute":
        for version in (info["baseline"], *info["candidates"]):
            path = BACKENDS[version["name"]]
            version["weightObjRef"] = {
                "apiVersion": "gateway.networking.k8s.io/v1",
                "kind": kind,
                "name": "r",
                "namespace": "default",
                "fieldPath": path,
            }
    named = {"v1": VersionObjects(objects=("Deployment/default/a",)),
             "v2": VersionObjects(objects=("Deployment/default/b",))}  # fmt: skip
    deploy = (web("a", "old"), web("b", image), pointing(kind, (0, 100), (1, 0)))
    return whole.model_copy(update={
        "experiment": Experiment.model_validate(document), "deploy": deploy, "versions": named,
        "verify": None, "promote": {"v2": (web("a", "new"), pointing(kind, (0, 100)))}, **update,
    })  # fmt: skip


@pytest.mark.parametrize("kind", PARTS)
def test_a_second_night_begins_where_a_promotion_has_left_one_route(kind: str) -> None:
    rig = Rig(one_host(kind))
    assert conduct(rig.run).outcome is Outcome.PROMOTED
    assert rig.store.get(B) is None

    whole = one_host(kind, "newer")
    again = Rig(whole, objects=rig.store, router=ObjectRouter(whole.experiment, rig.store))

    assert conduct(again.run).outcome is Outcome.PROMOTED


@pytest.mark.parametrize("kind", PARTS)
def test_a_copy_that_is_left_is_replaced_where_no_route_points_at_it(kind: str) -> None:
    rig = Rig(one_host(kind))
    stored(rig, pointing(kind, (0, 100)), web("a", "old"), web("b", "older"))

    assert conduct(rig.run).outcome is Outcome.PROMOTED


@pytest.mark.parametrize("kind", PARTS)
def test_another_part_of_the_baseline_s_host_is_not_the_baseline(kind: str) -> None:
    rig = Rig(one_host(kind))
    vs = pointing(kind, (1, 100))
    stored(rig, vs, web("a", "old"), web("b", "older"))

    ended = conduct(rig.run)

    assert ended.outcome is Outcome.FAILED
    assert "no route goes to " in ended.sentence
    assert (rig.store.get(VS if kind == "VirtualService" else HR) or {})["spec"] == vs["spec"]


def test_a_copy_stays_while_a_route_names_its_host_without_a_subset() -> None:
    whole = one_host("VirtualService")
    final = pointing("VirtualService", (0, 100))
    final["spec"]["http"][0]["route"][0]["destination"] = {"host": "m"}
    rig = Rig(whole.model_copy(update={"promote": {"v2": (web("a", "new"), final)}}))

    assert conduct(rig.run).outcome is Outcome.PROMOTED
    assert rig.store.get(B) is not None


@pytest.mark.parametrize("promote", [False, True])
def test_a_rule_for_testers_goes_on_with_the_new_model(promote: bool) -> None:
    rig = Rig(bundle(promote=promote))
    vs = route(both=False)
    testers = copy.deepcopy(route()["spec"]["http"][0]["route"][1])
    testers.pop("weight")
    vs["spec"]["http"].append({"match": [{"headers": {"x-tester": {"exact": "1"}}}],
                               "route": [testers]})  # fmt: skip
    if promote:
        rig.run.bundle.promote["v2"][1]["spec"]["http"].append(vs["spec"]["http"][1])
    stored(rig, vs, deployment("base", "old"), deployment("cand", "older"))

    assert conduct(rig.run).outcome is Outcome.PROMOTED
    assert any("points at v2: its users get the new model" in note for note in rig.run.notes)
    assert rig.model("cand") == "new"


def test_a_candidate_beside_the_baseline_is_not_replaced_where_nobody_can_tell_its_share() -> None:
    rig = Rig(bundle())
    vs = route()
    for each in vs["spec"]["http"][0]["route"]:
        each["weight"] = 0
    stored(rig, vs, deployment("base", "old"), deployment("cand", "older"))

    assert conduct(rig.run).outcome is Outcome.FAILED
    assert rig.model("cand") == "older"


def test_a_route_that_is_not_there_yet_points_at_nobody() -> None:
    rig = Rig(bundle())

    assert routes_to(rig.run, "v2") == ()
