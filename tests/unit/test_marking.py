"""What only candidates' pods read comes with them, and they start anew when it changes."""

from __future__ import annotations

from typing import Any

import pytest
from configured import POD, config, configured, route, workload
from inplace import predictors as parts_of
from inplace import routed
from rig import VS, Rig, bundle

from crossfade.errors import BackendError
from crossfade.rights import rules_by_namespace
from crossfade.spec.rollout import Bundle, VersionObjects
from crossfade.verdict import Outcome
from crossfade_steps.deploy import deploy
from crossfade_steps.likeness import READ, identity
from crossfade_steps.loop import conduct
from crossfade_steps.ports import ObjectKey

MODEL = ObjectKey("", "ConfigMap", "cand", "model")
CANDIDATE = ObjectKey("apps", "Deployment", "cand", "m")


class Once:
    """Objects that refuse the first Deployment to be applied, and keep what is applied in order."""

    def __init__(self, store: Any, *, fails: bool) -> None:
        self.store, self.fails, self.sent = store, fails, list[Any]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def apply(self, manifest: Any) -> Any:
        if manifest["kind"] == "Deployment" and self.fails:
            self.fails = False
            raise BackendError("the API is away")
        self.sent.append(manifest)
        return self.store.apply(manifest)


def mark(manifest: Any) -> str | None:
    found = manifest["spec"]["template"]["metadata"].get("annotations", {}).get(READ)
    return None if found is None else str(found)


def bring(whole: Bundle, objects: Any, *baseline: str) -> list[str]:
    return deploy(whole, objects, candidates=frozenset({"Deployment/cand/m"}),
                  routed=frozenset([VS]), baseline=baseline).notes  # fmt: skip


def kept(*manifests: Any) -> Rig:
    rig = Rig(configured("m1", "m3"))
    for manifest in manifests:
        rig.store.create(manifest)
    return rig


def test_a_retry_starts_the_pods_anew_whose_config_map_was_applied_before() -> None:
    rig = kept(*configured("m1", "m2").deploy)
    objects = Once(rig.store, fails=True)
    with pytest.raises(BackendError):
        bring(rig.run.bundle, objects)
    bring(rig.run.bundle, objects)

    assert mark(rig.store.get(CANDIDATE)) is not None


def test_a_quiet_night_leaves_the_mark_where_it_is() -> None:
    """Server-side apply takes away what a manager says no more."""
    rig = kept()
    objects = Once(rig.store, fails=False)
    marks = []
    for _ in range(3):
        objects.sent.clear()
        bring(rig.run.bundle, objects)
        marks += [mark(m) for m in objects.sent if m["kind"] == "Deployment"]

    assert marks == [mark(rig.store.get(CANDIDATE))] * 2
    assert None not in marks
    assert mark(rig.store.get(ObjectKey("apps", "Deployment", "base", "m"))) is None


def test_what_pods_read_is_applied_before_them() -> None:
    whole = configured("m1", "m3")
    rig = kept(*configured("m1", "m2").deploy)
    objects = Once(rig.store, fails=False)

    bring(whole.model_copy(update={"deploy": tuple(reversed(whole.deploy))}), objects)

    assert [m["kind"] for m in objects.sent] == ["ConfigMap", "Deployment"]


READER: dict[str, Any] = workload("cand")["spec"]["template"]
OTHERS: list[tuple[str, str, Any]] = [
    ("apps/v1", "DaemonSet", {"template": READER}),
    ("batch/v1", "CronJob", {"jobTemplate": {"spec": {"template": READER}}}),
    ("serving.knative.dev/v1", "Service", {"template": READER}),
    ("v1", "Pod", READER["spec"]),
]


@pytest.mark.parametrize(("version", "kind", "spec"), OTHERS, ids=[o[1] for o in OTHERS])
@pytest.mark.parametrize("where", ["deploy", "promote", "stored"])
def test_a_config_map_that_somebody_else_reads_is_left_as_it_is(
    version: str, kind: str, spec: Any, where: str
) -> None:
    other = {"apiVersion": version, "kind": kind, "spec": spec,
             "metadata": {"name": "pay", "namespace": "cand"}}  # fmt: skip
    whole = configured("m1", "m3")
    if where != "stored":
        documents = (*whole.deploy, other) if where == "deploy" else {"v2": (other,)}
        whole = whole.model_copy(update={where: documents})
    rig = kept(*configured("m1", "m2").deploy, *([other] if where == "stored" else []))
    group = version.rpartition("/")[0]

    notes = bring(whole, rig.store, f"{kind}.{group}/cand/pay")

    assert (rig.store.get(MODEL) or {})["data"] == {"MODEL": "m2"}
    assert "ConfigMap cand/model exists and differs from its manifest: left as it is" in notes
    if where != "stored":
        allowed = [rule["verbs"] for rule in rules_by_namespace(whole)["cand"]
                   if rule["resources"] == ["configmaps"] and "resourceNames" in rule]  # fmt: skip
        assert allowed == [["get"]]


def test_a_config_map_of_a_baseline_that_no_document_has_is_left_as_it_is() -> None:
    base, new = workload("default"), workload("default", POD | {"args": ["--new"]})
    new["metadata"]["name"] = "n"
    documents = (config("default", "m2"), new, route("m.default", "n.default"))
    versions = {v: VersionObjects(objects=(f"Deployment/default/{name}",))
                for v, name in (("v1", "m"), ("v2", "n"))}  # fmt: skip
    update = {"deploy": documents, "verify": None, "versions": versions}
    rig = Rig(bundle(promote=False).model_copy(update=update))
    for manifest in (config("default", "m1"), base, documents[2]):
        rig.store.create(manifest)

    assert conduct(rig.run).outcome is Outcome.PROMOTED
    key = ObjectKey("", "ConfigMap", "default", "model")
    assert (rig.store.get(key) or {})["data"] == {"MODEL": "m1"}
    assert any("ConfigMap default/model exists and differs" in note for note in rig.run.notes)


def component(name: str) -> list[dict[str, Any]]:
    reads = {"configMapRef": {"name": name}}
    return [{"spec": {"containers": [{"name": "c", "envFrom": [reads]}]}}]


def seldon(namespace: str) -> dict[str, Any]:
    document = parts_of(("main", "same", None))
    document["metadata"]["namespace"] = namespace
    document["spec"]["predictors"][0]["componentSpecs"] = component("model")
    return document


def kserve(namespace: str) -> dict[str, Any]:
    model = {"env": [{"name": "M", "valueFrom": {"configMapKeyRef": {"name": "model"}}}]}
    return {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService",
            "metadata": {"name": "m", "namespace": namespace},
            "spec": {"predictor": {"model": model}}}  # fmt: skip


@pytest.mark.parametrize(("made", "host"), [(seldon, "m-main"), (kserve, "m")])
def test_pods_of_other_kinds_start_anew_when_what_they_read_changes(made: Any, host: str) -> None:
    def documents(model: str) -> tuple[Any, ...]:
        hosts = [f"{host}.{ns}.svc.cluster.local" for ns in ("base", "cand")]
        return (config("base", "m1"), made("base"), config("cand", model), made("cand"),
                route(*hosts))  # fmt: skip

    whole = bundle(promote=False).model_copy(update={"verify": None, "deploy": documents("m3")})
    rig, key = Rig(whole), ObjectKey.of(made("cand"))
    for manifest in documents("m2"):
        rig.store.create(manifest)

    assert conduct(rig.run).outcome is Outcome.PROMOTED
    stored = rig.store.get(key) or {}
    assert READ in str(stored["spec"])
    assert identity(stored) == identity(made("cand"))
    assert READ not in str(rig.store.get(ObjectKey.of(made("base"))))


def test_the_same_model_that_reads_the_same_is_nothing_to_compare_for_all_its_mark() -> None:
    hosts = [f"m-main.{ns}.svc.cluster.local" for ns in ("base", "cand")]
    documents = (config("base", "m1"), seldon("base"), config("cand", "m1"), seldon("cand"),
                 route(*hosts))  # fmt: skip
    whole = bundle(promote=False).model_copy(update={"verify": None, "deploy": documents})

    assert conduct(Rig(whole).run).outcome is Outcome.KEPT


def test_a_candidate_s_predictor_starts_anew_when_what_only_it_reads_changes() -> None:
    def documents(model: str) -> tuple[Any, ...]:
        found = parts_of(("main", "a", 100), ("canary", "b", 0))
        for predictor, name in zip(found["spec"]["predictors"], ("old", "model"), strict=True):
            predictor["componentSpecs"] = component(name)
        other = config("default", model)
        other["metadata"]["name"] = "old"
        return other, config("default", model), found

    paths = [f".spec.predictors[{i}].traffic" for i in range(2)]
    whole = routed(documents("m2")[2], *paths).model_copy(update={"deploy": documents("m2")})
    rig = Rig(whole)
    for manifest in documents("m1"):
        rig.store.create(manifest)

    assert conduct(rig.run).outcome is Outcome.PROMOTED
    main, canary = (rig.store.get(ObjectKey.of(documents("")[2])) or {})["spec"]["predictors"]
    assert READ in str(canary)
    assert READ not in str(main)
    models = [(rig.store.get(ObjectKey.of(m)) or {})["data"]["MODEL"] for m in documents("")[:2]]
    assert models == ["m1", "m2"]
