"""Routes that somebody rearranges, that lack a weight, or that do not tell versions apart."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
from fake_kube import iterating
from rig import VS, Rig, bundle, deployment, route, set_weights

from crossfade import record
from crossfade.errors import BackendError, SpecError
from crossfade.routes import same
from crossfade.routes.additions import missing
from crossfade.spec.rollout import VersionObjects
from crossfade.verdict import Outcome
from crossfade_steps import safety
from crossfade_steps.loop import conduct
from crossfade_steps.ports import ObjectKey
from crossfade_steps.routers.objects import ObjectRouter
from crossfade_steps.versions import version_objects

PAY = {"match": [{"uri": {"prefix": "/pay"}}],
       "route": [{"destination": {"host": "pay-a"}, "weight": 60},
                 {"destination": {"host": "pay-b"}, "weight": 40}]}  # fmt: skip


def routes(rig: Rig, rule: int) -> dict[str, int | None]:
    found = (rig.store.get(VS) or {})["spec"]["http"][rule]["route"]
    return {r["destination"]["host"].partition(".svc")[0]: r.get("weight") for r in found}


def insert_rule(rig: Rig) -> None:
    rig.store.patch(VS, [{"op": "add", "path": "/spec/http/0", "value": PAY}])


def test_a_rule_that_is_put_before_ours_keeps_its_weights_and_ours_gets_them() -> None:
    rig = Rig(bundle(promote=False))
    rig.at(25, lambda: insert_rule(rig))

    ended = conduct(rig.run)

    assert routes(rig, 0) == {"pay-a": 60, "pay-b": 40}
    assert rig.decided() == ["90/10", "80/20", "70/30", "60/40"]
    assert ended.outcome is Outcome.PROMOTED
    assert routes(rig, 1) == {"m-p.base": 0, "m-p.cand": 100}


def test_safe_weights_go_to_the_destinations_wherever_they_are() -> None:
    rig = Rig(bundle())
    for manifest in rig.run.bundle.deploy:
        rig.store.create(manifest)
    set_weights(rig, 75, 25)
    rig.run.router.pin(rig.run.router.identities())
    insert_rule(rig)
    rig.record.append(record.phase("iterating", {"v1": 100, "v2": 0}))

    assert safety.settle(rig.run) == {"v1": 100, "v2": 0}
    assert routes(rig, 0) == {"pay-a": 60, "pay-b": 40}
    assert routes(rig, 1) == {"m-p.base": 100, "m-p.cand": 0}


def test_destinations_in_another_order_are_told_by_what_they_are() -> None:
    rig = Rig(bundle())
    for manifest in rig.run.bundle.deploy:
        rig.store.create(manifest)
    set_weights(rig, 95, 5)
    rig.run.router.pin(rig.run.router.identities())
    stored = (rig.store.get(VS) or {})["spec"]["http"][0]["route"]
    path = "/spec/http/0/route"
    rig.store.patch(VS, [{"op": "replace", "path": path, "value": stored[::-1]}])

    assert dict(rig.run.router.read().weights) == {"v1": 95, "v2": 5}


def test_destinations_that_are_gone_are_not_replaced_by_others() -> None:
    rig = Rig(bundle())
    for manifest in rig.run.bundle.deploy:
        rig.store.create(manifest)
    rig.run.router.pin(rig.run.router.identities())
    rig.store.patch(VS, [{"op": "replace", "path": "/spec/http/0", "value": PAY}])

    with pytest.raises(SpecError, match="are in no rule any more"):
        rig.run.router.read()
    assert routes(rig, 0) == {"pay-a": 60, "pay-b": 40}


def test_every_container_looks_for_the_destinations_that_were_recorded() -> None:
    cluster = iterating()
    router = cluster.stage.run.router
    cluster.stage.store.append(record.deployed({}, {}, (), router.identities()))
    entry = record.last(cluster.stage.entries(), "deployed")
    fresh = ObjectRouter(cluster.rig.run.bundle.experiment, cluster.fake)

    assert entry is not None
    fresh.pin(entry["identities"])
    cluster.fake.patch(VS, [{"op": "add", "path": "/spec/http/0", "value": PAY}])
    assert dict(fresh.read().weights) == {"v1": 70, "v2": 30}


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ({"host": "a"}, {"host": "a.ns.svc.cluster.local"}, True),
        ({"host": "a.ns"}, {"host": "a.ns.svc"}, True),
        ({"host": "a"}, {"host": "a.other.svc.cluster.local"}, False),
        ({"host": "a.ml"}, {"host": "a.ml-canary"}, False),
        ({"host": "a", "port": {"number": 80}}, {"host": "a"}, True),
        ({"host": "a", "port": {"number": 80}}, {"host": "a", "port": {"number": 81}}, False),
        ({"host": "a", "subset": "v1"}, {"host": "a", "subset": "v2"}, False),
        ({"host": "a.x.svc"}, {"host": "a.y.svc"}, False),
        ("a", "a", True),
        ("a", "b", False),
    ],
)
def test_a_host_may_be_written_shorter(one: Any, other: Any, expected: bool) -> None:
    assert same(one, other, "ns") is expected


def test_a_sole_destination_keeps_all_traffic_when_another_one_is_added() -> None:
    """It needs no weight alone; beside one of weight 0 it would have none either."""
    rig = Rig(bundle())
    alone = copy.deepcopy(route())
    del alone["spec"]["http"][0]["route"][1:]
    del alone["spec"]["http"][0]["route"][0]["weight"]
    for manifest in (deployment("base", "old"), alone):
        rig.store.create(manifest)
    seen: list[dict[str, int | None]] = []
    rig.at(1, lambda: seen.append(routes(rig, 0)))

    assert conduct(rig.run).outcome is Outcome.PROMOTED
    assert seen == [{"m-p.base": 100, "m-p.cand": 0}]


def test_a_destination_is_added_to_the_rule_that_has_the_others() -> None:
    rig = Rig(bundle(promote=False))
    stored = copy.deepcopy(route())
    del stored["spec"]["http"][0]["route"][1:]
    stored["spec"]["http"].insert(0, copy.deepcopy(PAY))
    for manifest in (deployment("base", "old"), stored):
        rig.store.create(manifest)
    seen: list[dict[str, int | None]] = []
    rig.at(1, lambda: seen.append(routes(rig, 1)))

    conduct(rig.run)

    assert seen == [{"m-p.base": 100, "m-p.cand": 0}]
    assert routes(rig, 0) == {"pay-a": 60, "pay-b": 40}


class Closed:
    """Pods that take connections from the gateway only, as behind strict mutual TLS."""

    def __init__(self, responder: Any) -> None:
        self.responder = responder

    def send(self, url: str, payload: str | None, headers: Any) -> Any:
        if "gateway" not in url:
            raise BackendError(f"{url}: ConnectionError")
        return self.responder.send(url, payload, headers)


def test_behind_strict_mutual_tls_a_promotion_is_proven_through_the_gateway() -> None:
    rig = Rig(bundle())
    run = replace(rig.run, responder=Closed(rig.run.responder))

    assert conduct(run).outcome is Outcome.PROMOTED
    assert any("proven through the gateway only" in note for note in run.notes)


def subsets() -> Rig:
    """Return a run of two subsets of one host, which a document's Deployment serves."""
    web = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
           "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}}  # fmt: skip
    pods = {"metadata": {"labels": {"app": "web", "version": "v2"}},
            "spec": {"containers": [{"name": "c", "image": "new"}]}}  # fmt: skip
    workload = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
                "spec": {"selector": {"matchLabels": {"app": "web"}},
                         "template": pods}}  # fmt: skip
    both = copy.deepcopy(route())
    for i, subset in enumerate(("v1", "v2")):
        destination = {"host": "web", "subset": subset}
        both["spec"]["http"][0]["route"][i]["destination"] = destination
    update = {"deploy": (web, workload, both), "promote": {}}
    return Rig(bundle().model_copy(update=update))


def test_a_deployment_is_not_two_versions_and_is_not_applied_before_that_is_known() -> None:
    rig = subsets()
    for manifest in rig.run.bundle.deploy:
        stored = copy.deepcopy(dict(manifest))
        if manifest["kind"] == "Deployment":
            stored["spec"]["template"]["spec"]["containers"][0]["image"] = "old"
        rig.store.create(stored)

    ended = conduct(rig.run)

    assert ended.outcome is Outcome.FAILED
    assert "would be both v1 and v2" in ended.sentence
    serving = rig.store.get(ObjectKey("apps", "Deployment", "default", "web")) or {}
    assert serving["spec"]["template"]["spec"]["containers"][0]["image"] == "old"


def test_one_deployment_behind_two_services_is_the_same_model() -> None:
    one = VersionObjects(objects=("Deployment/default/web",))
    whole = bundle().model_copy(update={"versions": {"v1": one, "v2": one}})

    assert set(version_objects(Rig(whole).run).values()) == {("Deployment/default/web",)}


def test_a_guard_that_is_older_than_the_deployment_finds_the_destinations() -> None:
    cluster = iterating()
    guard = cluster.another()
    known = cluster.stage.run.router.identities()
    cluster.stage.store.append(record.deployed({}, {}, (), known))
    cluster.fake.patch(VS, [{"op": "add", "path": "/spec/http/0", "value": PAY}])

    safety.settle(guard.run)

    http = (cluster.fake.get(VS) or {})["spec"]["http"]
    assert [[r["weight"] for r in rule["route"]] for rule in http] == [[60, 40], [100, 0]]


def test_a_port_that_is_added_in_mid_run_changes_no_destination() -> None:
    rig = Rig(bundle())
    for manifest in rig.run.bundle.deploy:
        rig.store.create(manifest)
    rig.run.router.pin({"v1": {"host": "m-p.base"}, "v2": {"host": "m-p.cand.svc"}})

    assert dict(rig.run.router.read().weights) == {"v1": 100, "v2": 0}


def test_a_rule_that_shares_the_baseline_gets_no_candidate() -> None:
    def rules(*more: dict[str, Any]) -> dict[str, Any]:
        base = {"destination": {"host": "web-a"}}
        http = [{"match": [{"uri": {"prefix": "/health"}}], "route": [base]},
                {"route": [base, *more]}]  # fmt: skip
        return {"kind": "VirtualService", "metadata": {"namespace": "default"},
                "spec": {"http": http}}  # fmt: skip

    operations = missing(rules(), rules({"destination": {"host": "web-b"}}))

    assert [op["path"] for op in operations] == ["/spec/http/1/route/0/weight",
                                                 "/spec/http/1/route/-"]  # fmt: skip


class Rewriting(Closed):
    """A gateway that rewrites paths: a copy that is asked directly knows no such path."""

    def send(self, url: str, payload: str | None, headers: Any) -> Any:
        answer = self.responder.send(url, payload, headers)
        return answer if "gateway" in url else replace(answer, status=404)


def test_where_the_gateway_rewrites_paths_a_promotion_is_proven_through_it() -> None:
    rig = Rig(bundle())
    run = replace(rig.run, responder=Rewriting(rig.run.responder))

    assert conduct(run).outcome is Outcome.PROMOTED
    assert any("answers 404: proven through the gateway only" in note for note in run.notes)


class Refusing(Closed):
    """The winner's own copy takes no connection; the promoted one answers, with errors."""

    def send(self, url: str, payload: str | None, headers: Any) -> Any:
        if "cand" in url:
            raise BackendError(f"{url}: ConnectionError")
        return replace(self.responder.send(url, payload, headers), status=500)


def test_a_promoted_copy_that_can_be_asked_is_asked() -> None:
    rig = Rig(bundle())
    run = replace(rig.run, responder=Refusing(rig.run.responder))

    ended = conduct(run)

    assert ended.outcome is Outcome.PROMOTION_FAILED
    assert "answered 500" in ended.sentence
    assert rig.weights() == [0, 100], "nobody was moved to it"
