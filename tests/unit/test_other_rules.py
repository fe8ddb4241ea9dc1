"""Rules of a routing object that are not driven keep their traffic, and this is said (C27, C43)."""

from __future__ import annotations

from typing import Any

import pytest
from fake_kube import iterating
from rig import VS, Rig, bundle, route

from crossfade import record
from crossfade.routes import resolve
from crossfade.verdict import Outcome
from crossfade_steps.cluster.conclude import conclude
from crossfade_steps.loop import conduct

BASE, CAND = ({"host": f"m-p.{ns}.svc.cluster.local"} for ns in ("base", "cand"))
COOKIE = {
    "match": [{"headers": {"cookie": {"regex": ".*canary=always.*"}}}],
    "route": [{"destination": CAND}],
}
HALVES = {
    "match": [{"uri": {"prefix": "/v2"}}],
    "route": [{"destination": BASE, "weight": 50}, {"destination": CAND, "weight": 50}],
}
NONE = {"route": [{"destination": BASE, "weight": 100}, {"destination": CAND, "weight": 0}]}
COPY = {"route": [{"destination": BASE}], "mirror": CAND}
TOLD = "http[1] is not driven: v2 gets requests there, also after a rollback"
PATHS = {f"v{i + 1}": f".spec.http[0].route[{i}].weight" for i in range(2)}


def with_rule(rule: dict[str, Any]) -> dict[str, Any]:
    vs = route()
    vs["spec"]["http"].append(rule)
    return vs


@pytest.mark.parametrize(
    ("rule", "expected"),
    [(COOKIE, (TOLD,)), (HALVES, (TOLD,)), (NONE, ()), (COPY, ()), ({"redirect": {}}, ())],
)
def test_a_rule_that_gives_a_candidate_requests_is_noted(
    rule: dict[str, Any], expected: tuple[str, ...]
) -> None:
    assert resolve(with_rule(rule), PATHS).notes == expected


def test_the_subset_counts_and_a_rule_for_the_whole_host_reaches_it() -> None:
    def subset(name: str | None, **more: Any) -> dict[str, Any]:
        own = {"subset": name} if name else {}
        return {"destination": {"host": "m", **own}, **more}

    vs = route()
    vs["spec"]["http"] = [
        {"route": [subset("s1", weight=100), subset("s2", weight=0)]},
        *({"route": [subset(name)]} for name in ("s1", "s2", None)),
    ]

    assert resolve(vs, PATHS).beside == {"v2": ("http[2]", "http[3]")}


@pytest.mark.parametrize(("weight", "expected"), [(None, {"v2": ("rules[0]",)}), (0, {})])
def test_a_rule_of_an_http_route_is_noted(weight: int | None, expected: Any) -> None:
    other = {"name": "b", "port": 1} | ({} if weight is None else {"weight": weight})
    rules = [
        {"matches": [{"headers": [{"name": "x", "value": "y"}]}], "backendRefs": [other]},
        {"backendRefs": [{"name": "a", "port": 1}, {"name": "b", "port": 1, "weight": 0}]},
    ]
    http = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "r", "namespace": "shop"},
        "spec": {"rules": rules},
    }
    paths = {f"v{i + 1}": f".spec.rules[1].backendRefs[{i}].weight" for i in range(2)}

    assert resolve(http, paths).beside == expected


def test_a_rollback_says_it_and_leaves_the_candidate_that_still_has_users() -> None:
    rig = Rig(bundle(errors=(0.0, 1.0)))
    rig.store.create(with_rule(HALVES))

    ended = conduct(rig.run)

    assert ended.outcome is Outcome.ROLLED_BACK
    assert ended.sentence.endswith(f"; {TOLD}")
    assert record.last(rig.run.record.entries(), "outcome")["sentence"] == ended.sentence
    assert rig.model("cand") == "new"


def test_a_rollback_without_such_a_rule_says_nothing_of_it() -> None:
    rig = Rig(bundle(errors=(0.0, 1.0)))
    rig.store.create(with_rule(NONE))

    ended = conduct(rig.run)

    assert ended.outcome is Outcome.ROLLED_BACK
    assert "not driven" not in ended.sentence
    assert rig.model("cand") is None


def test_whoever_ends_a_run_on_a_cluster_says_it() -> None:
    cluster = iterating()
    cluster.fake.patch(VS, [{"op": "add", "path": "/spec/http/-", "value": COOKIE}])
    cluster.stage.store.append(record.concluded(Outcome.ROLLED_BACK, "too many errors", None))

    assert conclude(cluster.another()).sentence == f"too many errors; {TOLD}"
