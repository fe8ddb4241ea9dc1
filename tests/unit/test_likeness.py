"""What makes two objects the same: amounts, what pods read, predictors of one deployment."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from configured import configured, route, service, workload
from rig import VS, Rig, bundle

from crossfade.rights import rules_by_namespace
from crossfade.spec.experiment import Experiment
from crossfade.spec.ownership import owners
from crossfade.spec.rollout import VersionObjects
from crossfade.verdict import Outcome
from crossfade_steps.inplace import one_model, renewal
from crossfade_steps.likeness import READ, differs, identity
from crossfade_steps.loop import conduct
from crossfade_steps.ports import ObjectKey


@pytest.mark.parametrize(
    ("have", "want", "expected"),
    [
        ({"limits": {"cpu": "500m"}}, {"limits": {"cpu": 0.5}}, False),
        ({"limits": {"memory": "1Gi"}}, {"limits": {"memory": "1024Mi"}}, False),
        ({"limits": {"cpu": "1"}}, {"limits": {"cpu": 1}}, False),
        ({"limits": {"cpu": "1"}}, {"limits": {"cpu": 2}}, True),
        ({"args": ["a"]}, {"args": ["a"], "env": [], "resources": {}}, False),
        ({"value": "1000"}, {"value": "1e3"}, True),
        ({"value": "x"}, {"value": ""}, True),
        ({"name": "PROXY"}, {"name": "PROXY", "value": ""}, False),
        ({"mountPath": "/m"}, {"mountPath": "/m", "readOnly": False}, False),
        ({}, {"automountServiceAccountToken": False}, True),
        ({"strategy": {"type": "RollingUpdate"}}, {"strategy": {}}, False),
        ({"strategy": {"type": "RollingUpdate"}}, {"strategy": None}, False),
        ({"probe": {"tcpSocket": {"port": 0}}}, {"probe": {"tcpSocket": {}}}, False),
        ({"args": None}, {"args": []}, False),
        ({"args": ["a"]}, {"args": []}, True),
        ({"strategy": "x"}, {"strategy": {}}, True),
    ],
)
def test_an_amount_may_be_written_in_another_way(have: Any, want: Any, expected: bool) -> None:
    assert differs({"spec": have}, {"spec": want}) is expected


def test_a_candidate_s_config_map_is_brought_to_its_document_and_its_pods_start_anew() -> None:
    rig = Rig(configured("m1", "m3"))
    for manifest in configured("m1", "m2").deploy:
        rig.store.create(manifest)
    key = ObjectKey("apps", "Deployment", "cand", "m")
    seen: list[Any] = []
    rig.at(1, lambda: seen.append((
        (rig.store.get(ObjectKey("", "ConfigMap", "cand", "model")) or {})["data"],
        (rig.store.get(key) or {})["spec"]["template"]["metadata"].get("annotations", {}),
    )))  # fmt: skip

    assert conduct(rig.run).outcome is Outcome.PROMOTED
    assert seen[0][0] == {"MODEL": "m3"}
    assert READ in seen[0][1]


def test_the_baseline_s_config_map_is_left_as_it_is() -> None:
    rig = Rig(configured("m1", "m3"))
    for manifest in configured("m0", "m3").deploy:
        rig.store.create(manifest)

    conduct(rig.run)

    stored = rig.store.get(ObjectKey("", "ConfigMap", "base", "model")) or {}
    assert stored["data"] == {"MODEL": "m0"}
    assert any("ConfigMap base/model exists and differs" in note for note in rig.run.notes)


def test_what_pods_read_belongs_to_the_model() -> None:
    assert conduct(Rig(configured("m1", "m3")).run).outcome is Outcome.PROMOTED
    assert conduct(Rig(configured("m1", "m1")).run).outcome is Outcome.KEPT


def test_the_account_may_bring_what_only_the_candidate_reads() -> None:
    rules = rules_by_namespace(configured("m1", "m3"))

    def verbs(namespace: str) -> set[str]:
        return {verb for rule in rules[namespace] if rule["resources"] == ["configmaps"]
                for verb in rule["verbs"]}  # fmt: skip

    assert verbs("cand") == {"get", "create", "patch"}
    assert verbs("base") == {"get", "create"}


def test_a_service_without_a_namespace_is_of_the_rollout_s() -> None:
    found = owners("web.default.svc.cluster.local",
                   [service(None, "web"), workload("default")], "default")  # fmt: skip

    assert found == ("Deployment/default/m",)


def predictors(*models: str) -> dict[str, Any]:
    found = [
        {"name": name, "graph": {"name": "c", "modelUri": model}, "replicas": i + 1}
        for i, (name, model) in enumerate(zip(("main", "canary"), models, strict=True))
    ]
    return {"apiVersion": "machinelearning.seldon.io/v1", "kind": "SeldonDeployment",
            "metadata": {"name": "iris", "namespace": "default"},
            "spec": {"predictors": found}}  # fmt: skip


@pytest.mark.parametrize(
    ("models", "outcome"), [(("a", "b"), Outcome.PROMOTED), (("a", "a"), Outcome.KEPT)]
)
def test_two_predictors_of_one_deployment_are_two_models(
    models: tuple[str, str], outcome: Outcome
) -> None:
    hosts = [f"iris-{name}.default.svc.cluster.local" for name in ("main", "canary")]
    update = {"deploy": (predictors(*models), route(*hosts)), "verify": None}
    rig = Rig(bundle(promote=False).model_copy(update=update))

    assert conduct(rig.run).outcome is outcome


def test_an_unchanged_candidate_that_serves_is_not_replaced() -> None:
    """Its manifest says ``cpu: 1``, and ``"1"`` is stored: nothing would change."""
    pod = {"image": "i", "resources": {"limits": {"cpu": 1}}}
    hosts = ("m.base.svc.cluster.local", "m.cand.svc.cluster.local")
    other = copy.deepcopy(pod) | {"image": "j"}
    parts = (workload("base", pod), service("base"), workload("cand", other), service("cand"))
    update = {"deploy": (*parts, route(*hosts)), "verify": None}
    rig = Rig(bundle(promote=False).model_copy(update=update))
    for manifest in copy.deepcopy(update["deploy"]):
        if manifest["kind"] == "Deployment":
            container = manifest["spec"]["template"]["spec"]["containers"][0]
            container["resources"]["limits"]["cpu"] = "1"
        rig.store.create(manifest)
    rig.store.patch(VS, [{"op": "replace", "path": f"/spec/http/0/route/{i}/weight", "value": w}
                         for i, w in enumerate((0, 100))])  # fmt: skip

    assert conduct(rig.run).outcome is Outcome.PROMOTED


def test_a_workload_may_be_named_with_its_group() -> None:
    named = {"v2": VersionObjects(objects=("Service.serving.knative.dev/cand/web",))}
    whole = bundle().model_copy(update={"versions": named})

    assert {"apiGroups": ["serving.knative.dev"], "resources": ["services"], "verbs": ["get"],
            "resourceNames": ["web"]} in rules_by_namespace(whole)["cand"]  # fmt: skip


def served(kind: str, **part: Any) -> dict[str, Any]:
    """A workload with one model; ``part`` is added where its kind keeps its pods' settings."""
    if kind == "InferenceService":
        model = {"modelFormat": {"name": "sklearn"}, "storageUri": "s3://a"}
        return {"kind": kind, "spec": {"predictor": {"model": model, **part}}}
    graph = {"name": "c", "modelUri": "gs://a", "implementation": "SKLEARN_SERVER"}
    return {"kind": kind, "spec": {"predictors": [{"name": "p", "graph": graph, **part}]}}


def scaled(most: int) -> list[dict[str, Any]]:
    own = {"minReplicas": 1, "maxReplicas": most}
    return [{"hpaSpec": own, "spec": {"containers": [{"name": "c"}]}, "replicas": most}]


@pytest.mark.parametrize(
    ("kind", "part"),
    [
        ("InferenceService", {"minReplicas": 3, "maxReplicas": 9}),
        ("InferenceService", {"scaleTarget": 5, "scaleMetric": "concurrency"}),
        ("InferenceService", {"canaryTrafficPercent": 10}),
        ("InferenceService", {"annotations": {"a": "b"}, "labels": {"c": "d"}}),
        ("SeldonDeployment", {"componentSpecs": scaled(3)}),
        ("SeldonDeployment", {"componentSpecs": [{"kedaSpec": {"maxReplicaCount": 4}}]}),
        ("SeldonDeployment", {"traffic": 10, "replicas": 4}),
        ("SeldonDeployment", {"annotations": {"a": "b"}, "labels": {"c": "d"}}),
    ],
)
def test_scaling_traffic_and_notes_make_no_other_model(kind: str, part: dict[str, Any]) -> None:
    assert identity(served(kind, **part)) == identity(served(kind))


@pytest.mark.parametrize(
    ("kind", "part"),
    [
        ("InferenceService", {"model": {"storageUri": "s3://b"}}),
        ("InferenceService", {"containers": [{"name": "c", "image": "i"}], "minReplicas": 1}),
        ("SeldonDeployment", {"graph": {"name": "c", "modelUri": "gs://b"}}),
        ("SeldonDeployment",
         {"componentSpecs": [{"spec": {"containers": [{"name": "c", "image": "i"}]}}]}),
    ],
)  # fmt: skip
def test_what_serves_makes_another_model(kind: str, part: dict[str, Any]) -> None:
    assert identity(served(kind, **part)) != identity(served(kind))


def test_notes_on_a_whole_seldon_deployment_make_no_other_model() -> None:
    noted, plain = served("SeldonDeployment"), served("SeldonDeployment")
    noted["spec"]["annotations"] = {"a": "b"}

    assert identity(noted) == identity(plain)


def test_a_knative_service_is_what_its_template_runs() -> None:
    def web(image: str, name: str, percent: int) -> dict[str, Any]:
        notes = {"autoscaling.knative.dev/min-scale": name}
        template = {"metadata": {"name": name, "annotations": notes},
                    "spec": {"containers": [{"image": image}]}}  # fmt: skip
        return {"apiVersion": "serving.knative.dev/v1", "kind": "Service",
                "spec": {"template": template, "traffic": [{"percent": percent}]}}  # fmt: skip

    assert identity(web("a", "w-1", 0)) == identity(web("a", "w-2", 10))
    assert identity(web("a", "w-1", 0)) != identity(web("b", "w-1", 0))


@pytest.mark.parametrize(("uri", "expected"), [("s3://a", True), ("s3://b", False)])
def test_two_endpoints_of_another_scale_may_be_one_model(uri: str, expected: bool) -> None:
    stable, canary = ({"predictor": {"sklearn": {"storageUri": u}, "minReplicas": i}}
                      for i, u in enumerate(("s3://a", uri)))  # fmt: skip
    stored = {"kind": "InferenceService", "spec": {"default": stable, "canary": canary}}

    assert one_model(stored, {}, ("v1", "v2")) is expected


def test_an_edit_of_its_scale_is_deployed_for_all_that() -> None:
    """The model is the same, what is asked for is not: the new number is brought."""
    ref = {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService", "name": "m",
           "fieldPath": ".spec.predictor.canaryTrafficPercent"}  # fmt: skip
    key, metadata = (
        ObjectKey("serving.kserve.io", "InferenceService", "default", "m"),
        {"name": "m"},
    )
    have, want = ({"apiVersion": ref["apiVersion"], "metadata": metadata,
                   **served("InferenceService", minReplicas=n)} for n in (1, 3))  # fmt: skip
    data = bundle().experiment.model_dump(mode="json", by_alias=True, exclude_unset=True)
    versions = data["spec"]["versionInfo"]
    versions["baseline"].pop("weightObjRef")
    versions["candidates"][0]["weightObjRef"] = ref

    found = renewal(key, have, want, Experiment.model_validate(data)).whole

    assert found is not None
    assert found["spec"]["predictor"]["minReplicas"] == 3
