"""A routing object that was there before, written in another way than its document."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from rig import VS, Rig, bundle, deployment, route

from crossfade.routes import identities, resolve, resolve_known
from crossfade.routes.additions import missing
from crossfade.routes.inferenceservice import as_stored
from crossfade.spec.experiment import Experiment
from crossfade.spec.rollout import Bundle, VersionObjects
from crossfade.verdict import Outcome
from crossfade_steps.loop import conduct
from crossfade_steps.ports import ObjectKey
from crossfade_steps.routers.objects import ObjectRouter
from crossfade_steps.versions import serving

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


def rules(kind: str, *found: dict[str, Any]) -> dict[str, Any]:
    key = {"VirtualService": "http", "HTTPRoute": "rules"}[kind]
    return {"kind": kind, "metadata": {"namespace": "default"}, "spec": {key: list(found)}}


def test_a_destination_is_not_added_to_the_rule_of_other_requests() -> None:
    base, new = ({"destination": {"host": name}} for name in ("base", "new"))
    admin = {"match": [{"uri": {"prefix": "/admin"}}], "route": [base]}

    operations = missing(rules("VirtualService", admin, {"route": [base]}),
                         rules("VirtualService", {"route": [base, new]}))  # fmt: skip

    assert [op["path"] for op in operations] == ["/spec/http/1/route/0/weight",
                                                 "/spec/http/1/route/-"]  # fmt: skip


def test_an_http_route_gets_the_backend_that_it_lacks() -> None:
    base = {"name": "m", "port": 80}
    new = {"name": "m", "namespace": "cand", "port": 80, "weight": 1}

    operations = missing(rules("HTTPRoute", {"backendRefs": [base]}),
                         rules("HTTPRoute", {"backendRefs": [base, new]}))  # fmt: skip

    assert operations == [{"op": "add", "path": "/spec/rules/0/backendRefs/-",
                           "value": {**new, "weight": 0}}]  # fmt: skip


def test_a_route_of_openshift_gets_its_first_alternate() -> None:
    have = {"kind": "Route", "spec": {"to": {"name": "m"}}}
    want = {"kind": "Route", "spec": {"to": {"name": "m"}, "alternateBackends": [{"name": "n"}]}}

    assert missing(have, want) == [
        {"op": "add", "path": "/spec/alternateBackends", "value": []},
        {"op": "add", "path": "/spec/alternateBackends/-", "value": {"name": "n", "weight": 0}},
    ]


def test_a_sole_predictor_keeps_all_traffic_when_another_one_is_added() -> None:
    kind = "SeldonDeployment"
    have = {"kind": kind, "spec": {"predictors": [{"name": "main"}]}}
    want = {"kind": kind, "spec": {"predictors": [{"name": "main"}, {"name": "canary"}]}}

    assert missing(have, want) == [
        {"op": "add", "path": "/spec/predictors/0/traffic", "value": 100},
        {"op": "add", "path": "/spec/predictors/-", "value": {"name": "canary", "traffic": 0}},
    ]


def test_two_backends_of_one_name_are_told_by_their_namespaces() -> None:
    def http_route(*namespaces: str | None) -> dict[str, Any]:
        refs = [{"name": "m", "port": 80, "weight": w, **({"namespace": ns} if ns else {})}
                for ns, w in zip(namespaces, (90, 10), strict=True)]  # fmt: skip
        return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
                "metadata": {"name": "r", **({"namespace": "base"} if namespaces[0] else {})},
                "spec": {"rules": [{"backendRefs": refs}]}}  # fmt: skip

    paths = {f"v{i + 1}": f".spec.rules[0].backendRefs[{i}].weight" for i in range(2)}
    known = identities(resolve(http_route(None, "cand"), paths).slots)

    assert known["v1"]["namespace"] == ""  # the document leaves it out
    rule = resolve_known(http_route("cand", "base"), paths, known)

    assert rule.percent() == {"v1": 10, "v2": 90}


def backends(*found: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": {"name": "r", "namespace": "default"},
            "spec": {"rules": [{"backendRefs": list(found)}]}}  # fmt: skip


def ports(*found: tuple[int, int]) -> dict[str, Any]:
    return backends(*({"name": "m", "port": port, "weight": weight} for port, weight in found))


BACKENDS = {f"v{i + 1}": f".spec.rules[0].backendRefs[{i}].weight" for i in range(2)}


def test_two_backends_of_one_name_are_told_by_their_ports() -> None:
    known = identities(resolve(ports((80, 90), (81, 10)), BACKENDS).slots)

    rule = resolve_known(ports((81, 0), (80, 100)), BACKENDS, known)

    assert rule.percent() == {"v1": 100, "v2": 0}
    added = missing(ports((80, 100)), ports((80, 100), (81, 0)))
    assert [op["value"] for op in added] == [{"name": "m", "port": 81, "weight": 0}]


def test_a_write_tests_all_that_tells_two_backends_of_one_name_apart() -> None:
    other = {"name": "m", "namespace": "cand", "port": 81, "weight": 0}
    rule = resolve(backends({"name": "m", "port": 80}, other), BACKENDS)

    tests = {op["path"].rpartition("backendRefs/")[2]: op["value"]
             for op in rule.patch(None, {"v1": 50, "v2": 50}) if op["op"] == "test"}  # fmt: skip

    assert tests == {"0/name": "m", "0/port": 80,
                     "1/name": "m", "1/port": 81, "1/namespace": "cand"}  # fmt: skip


HR_ADMIN: list[dict[str, Any]] = [{"path": {"type": "PathPrefix", "value": "/admin"}}]
HR_TESTER = [{"headers": [{"name": "x-tester", "value": "1"}]}]


@pytest.mark.parametrize(
    ("have", "want"),
    [
        ([{"path": {"type": "PathPrefix", "value": "/"}}], None),
        ([{"path": {"type": "PathPrefix", "value": "/m"}}], [{"path": {"value": "/m"}}]),
        ([{"path": {"type": "PathPrefix", "value": "/"},
           "headers": [{"type": "Exact", "name": "x-tester", "value": "1"}]}], HR_TESTER),
        ([{"path": {"type": "RegularExpression", "value": "/m.*"}}], [{"path": {"value": "/m"}}]),
    ],
    ids=["every-path", "path", "header", "only-the-place-tells"],
)  # fmt: skip
def test_a_candidate_is_added_to_its_rule_with_what_the_server_has_filled_in(
    have: Any, want: Any
) -> None:
    base, new = {"name": "m", "port": 80}, {"name": "n", "port": 80}
    admin = {"matches": HR_ADMIN, "backendRefs": [base]}
    wanted = {"backendRefs": [base, new], **({"matches": want} if want else {})}

    operations = missing(rules("HTTPRoute", admin, {"matches": have, "backendRefs": [base]}),
                         rules("HTTPRoute", admin, wanted))  # fmt: skip

    assert operations == [{"op": "add", "path": "/spec/rules/1/backendRefs/-",
                           "value": {**new, "weight": 0}}]  # fmt: skip


def test_a_rule_of_other_requests_at_the_same_place_of_fewer_is_not_taken() -> None:
    base, new = {"name": "m", "port": 80}, {"name": "n", "port": 80}
    have = [{"matches": [{"path": {"value": path}}], "backendRefs": [base]} for path in "ab"]

    assert (
        missing(rules("HTTPRoute", *have), rules("HTTPRoute", {"backendRefs": [base, new]})) == []
    )


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


def test_a_backend_s_service_tells_its_version_s_workload() -> None:
    """As a VirtualService's host does: else its candidate would be nobody's, and stay as it is."""
    refs = [{"name": "m", "port": 80}, {"name": "n", "namespace": "cand", "port": 8080}]
    document = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
                "metadata": {"name": "r", "namespace": "base"},
                "spec": {"rules": [{"backendRefs": refs}]}}  # fmt: skip
    paths = {f"v{i + 1}": f".spec.rules[0].backendRefs[{i}].weight" for i in range(2)}

    assert resolve(document, paths).hosts() == {
        "v1": ("m.base.svc.cluster.local", 80), "v2": ("n.cand.svc.cluster.local", 8080),
    }  # fmt: skip


def test_a_predictor_is_compared_in_the_form_that_it_is_stored_in() -> None:
    written = {"spec": {"predictor": {"sklearn": {"storageUri": "gs://m"}, "minReplicas": 1}}}
    stored_ = {"spec": {"predictor": {"model": {"modelFormat": {"name": "sklearn"}}}}}

    assert as_stored(stored_, written) == {"spec": {"predictor": {
        "minReplicas": 1,
        "model": {"modelFormat": {"name": "sklearn"}, "storageUri": "gs://m"},
    }}}  # fmt: skip
    assert as_stored(written, written) == written
