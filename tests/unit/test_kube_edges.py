"""What a cluster has that a test bed has not: versions, rights of two teams, other kubeconfigs."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest
from fake_kube import HEAD, WORKFLOW, iterating
from rig import bundle

from crossfade.cli import cluster as cli
from crossfade.compiler import workflow as compiled
from crossfade.errors import CrossfadeError
from crossfade.rights import plural, rights
from crossfade.spec.rollout import Approval, VersionObjects
from crossfade_steps.cluster import gate, kube, workflow
from crossfade_steps.cluster.kube import Kube


def test_a_person_has_days_to_answer_and_not_what_the_deadline_leaves() -> None:
    asks = compiled(bundle().model_copy(update={"approval": Approval.BEFORE_PROMOTE})).to_dict()

    assert asks["spec"]["activeDeadlineSeconds"] > 7 * 24 * 3600
    assert compiled(bundle()).to_dict()["spec"]["activeDeadlineSeconds"] < 3600


def test_nodes_that_argo_has_compressed_are_read() -> None:
    nodes = {"a": {"type": "Suspend", "phase": "Running", "templateName": "approval"}}
    packed = base64.b64encode(gzip.compress(json.dumps(nodes).encode())).decode()
    stored = {"status": {"compressedNodes": packed}}

    assert workflow.waits(stored, "approval")
    assert not workflow.answered(stored, "approval")
    nodes["a"]["phase"] = "Succeeded"
    packed = base64.b64encode(gzip.compress(json.dumps(nodes).encode())).decode()
    assert workflow.answered({"status": {"compressedNodes": packed}}, "approval")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("VirtualService", "virtualservices"), ("NetworkPolicy", "networkpolicies"),
        ("ServiceEntry", "serviceentries"), ("AuthorizationPolicy", "authorizationpolicies"),
        ("Telemetry", "telemetries"), ("Endpoints", "endpoints"), ("Gateway", "gateways"),
        ("Ingress", "ingresses"), ("Prometheus", "prometheuses"), ("Mailbox", "mailboxes"),
        ("Switch", "switches"), ("Mesh", "meshes"), ("HTTPRoute", "httproutes"),
    ],
)  # fmt: skip
def test_a_kind_s_resource_is_named_as_the_api_names_it(kind: str, expected: str) -> None:
    assert plural(kind) == expected


def test_workloads_that_only_versions_names_may_be_read() -> None:
    named = {"v1": VersionObjects(objects=("Deployment/base/web",))}
    whole = bundle().model_copy(update={"versions": named})
    roles = [
        r for r in rights(whole) if r["kind"] == "Role" and r["metadata"]["namespace"] == "base"
    ]

    rules = [rule for role in roles for rule in role["rules"]]
    assert {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get"],
            "resourceNames": ["web"]} in rules  # fmt: skip
    assert any(rule["resources"] == ["pods"] for rule in rules)


def test_roles_of_rollouts_of_one_name_do_not_replace_each_other() -> None:
    names = {
        tuple(role["metadata"]["name"] for role in rights(bundle().model_copy(
            update={"namespace": namespace})))
        for namespace in ("team-a", "team-b")
    }  # fmt: skip

    assert len(names) == 2


class Served:
    """An API that serves a group in two versions, and a kind in the older one only."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def ask(self, method: str, path: str, **more: Any) -> Any:
        self.asked.append(path)
        kinds = {"/apis/g/v1": ["New"], "/apis/g/v1alpha1": ["New", "Old"]}
        if path == "/apis/g":
            return {"preferredVersion": {"version": "v1"},
                    "versions": [{"version": "v1"}, {"version": "v1alpha1"}]}  # fmt: skip
        return {"resources": [{"kind": k, "name": f"{k.lower()}s", "namespaced": True}
                              for k in kinds.get(path, [])]}  # fmt: skip


@pytest.mark.parametrize(("kind", "base"), [("New", "/apis/g/v1"), ("Old", "/apis/g/v1alpha1")])
def test_a_kind_is_found_in_every_version_of_its_group(kind: str, base: str) -> None:
    api: Any = Served()
    found = Kube._discover(_with(api), "g", kind, "")

    assert found == (base, f"{kind.lower()}s", True)


def _with(api: Any) -> Any:
    api._versions = lambda group: Kube._versions(api, group)
    return api


def test_a_pod_that_is_given_a_kubeconfig_talks_to_that_cluster(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod = tmp_path / "namespace"
    pod.write_text("tools")
    config = {"apiVersion": "v1", "kind": "Config", "current-context": "prod",
              "clusters": [{"name": "prod", "cluster": {"server": "https://prod.example.com"}}],
              "users": [{"name": "u", "user": {}}],
              "contexts": [{"name": "prod", "context": {"cluster": "prod", "user": "u",
                                                        "namespace": "shop"}}]}  # fmt: skip
    (tmp_path / "config").write_text(json.dumps(config))

    assert kube.own_namespace(pod) == "tools"
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    assert kube.own_namespace(pod) == "shop"
    assert kube.connect(pod=pod)._client.configuration.host == "https://prod.example.com"


def waiting() -> Any:
    """Return a run whose Workflow waits for a person."""
    cluster = iterating()
    nodes = {"a": {"type": "Suspend", "phase": "Running", "templateName": "approval"}}
    cluster.fake.patch(WORKFLOW, [{"op": "add", "path": "/status/nodes", "value": nodes}])
    return cluster


def test_an_order_at_the_gate_is_refused_with_how_to_answer() -> None:
    """Nobody would read it: there is no next iteration."""
    cluster = waiting()

    with pytest.raises(CrossfadeError, match="waits for its approval") as refused:
        gate.steer(cluster.stage.kube, cluster.stage.store, "promote", "ann")

    assert "crossfade approve web-1" in refused.value.hint
    gate.refuse_order(iterating().stage.kube, iterating().stage.store)


def test_only_old_runs_that_have_ended_are_removed() -> None:
    cluster = iterating()
    labels = {"crossfade.dev/part": "run"}
    for name, made, data in (("old", "2020-01-01T00:00:00Z", {"outcome": "kept"}),
                             ("going-on", "2020-01-01T00:00:00Z", {}),
                             ("new", "2999-01-01T00:00:00Z", {"outcome": "kept"})):  # fmt: skip
        metadata = {"name": name, "namespace": "default", "labels": labels,
                    "creationTimestamp": made}  # fmt: skip
        cluster.fake.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata,
                             "data": data})  # fmt: skip
    cluster.fake.delete(HEAD)

    cli.clean_older("default", "30d", cluster.stage.kube)

    left = [stored["metadata"]["name"] for stored in cluster.fake.listed("ConfigMap", "")]
    assert sorted(n for n in left if n in ("old", "going-on", "new")) == ["going-on", "new"]
