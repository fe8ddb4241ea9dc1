"""How destinations are told apart, and which of them a stored object lacks."""

from __future__ import annotations

from typing import Any

import pytest
from http_route import BACKENDS, backends

from crossfade.routes import identities, resolve, resolve_known
from crossfade.routes.additions import missing
from crossfade.routes.inferenceservice import as_stored


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


def ports(*found: tuple[int, int]) -> dict[str, Any]:
    return backends(*({"name": "m", "port": port, "weight": weight} for port, weight in found))


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
