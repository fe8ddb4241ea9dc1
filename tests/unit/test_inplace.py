"""Routing objects that run the models themselves, there before and with another candidate."""

from __future__ import annotations

from typing import Any

import pytest
from inplace import LATEST, PERCENT, PINNED, Watched, knative, predictors, routed, service
from rig import Ready, bundle

from crossfade.errors import BackendError
from crossfade.rights import rules_by_namespace
from crossfade.spec.rollout import Bundle
from crossfade.verdict import Outcome
from crossfade_steps.loop import conduct
from crossfade_steps.ports import Response
from crossfade_steps.safety import clean_up
from crossfade_steps.versions import version_objects


def kserve(stored: dict[str, Any] | None, wanted: dict[str, Any], **more: Any) -> Watched:
    return Watched(routed(wanted, None, PERCENT), stored, **more)


def canary(spec: Any) -> tuple[str, int | None]:
    predictor = spec["predictor"]
    return predictor["model"]["storageUri"], predictor.get("canaryTrafficPercent")


@pytest.mark.parametrize("percent", [None, 100, 30])
def test_a_new_model_of_an_inference_service_comes_with_no_traffic_in_one_write(
    percent: int | None,
) -> None:
    rig = kserve(service("gs://m/v1", percent), service("gs://m/v2", 50))

    assert conduct(rig.run).outcome is Outcome.PROMOTED
    assert [canary(spec) for spec in rig.specs[:2]] == [("gs://m/v1", percent), ("gs://m/v2", 0)]
    assert canary(rig.spec()) == ("gs://m/v2", 100)
    assert any("deployed at weight 0" in note for note in rig.run.notes)


@pytest.mark.parametrize("percent", [None, 100])
def test_the_model_that_serves_already_is_nothing_to_compare(percent: int | None) -> None:
    rig = kserve(service("gs://m/v2", percent), service("gs://m/v2", 0))

    ended = conduct(rig.run)

    assert ended.outcome is Outcome.KEPT
    assert "nothing to compare" in ended.sentence
    assert rig.specs == [service("gs://m/v2", percent)["spec"]]


def test_a_canary_that_is_there_already_goes_on() -> None:
    rig = kserve(service("gs://m/v2", 30), service("gs://m/v2", 0))

    assert conduct(rig.run).outcome is Outcome.PROMOTED
    assert [canary(spec)[0] for spec in rig.specs] == ["gs://m/v2"] * len(rig.specs)


def test_a_first_revision_is_nothing_to_compare_and_has_all_traffic() -> None:
    rig = kserve(None, service("gs://m/v2", 0))

    assert conduct(rig.run).outcome is Outcome.KEPT
    assert canary(rig.spec()) == ("gs://m/v2", None)


def test_the_field_of_kfserving_is_another_one_and_its_baseline_stays() -> None:
    def both(stable: str, new: str) -> dict[str, Any]:
        spec = {name: {"predictor": {"storageUri": uri}}
                for name, uri in (("default", stable), ("canary", new))}  # fmt: skip
        return {"apiVersion": "serving.kubeflow.org/v1alpha2", "kind": "InferenceService",
                "metadata": {"name": "m", "namespace": "default"},
                "spec": {**spec, "canaryTrafficPercent": 10}}  # fmt: skip

    whole = routed(both("other", "v2"), None, ".spec.canaryTrafficPercent")
    rig = Watched(whole, both("v1", "v1.5"))

    assert conduct(rig.run).outcome is Outcome.PROMOTED
    assert rig.specs[1] == {**both("v1", "v2")["spec"], "canaryTrafficPercent": 0}
    assert version_objects(rig.run)["v2"] == (
        "InferenceService.serving.kubeflow.org/default/m",
    )  # fmt: skip


def test_no_weight_moves_before_the_new_revision_is_ready() -> None:
    ready = Ready(default="revision m-2 is not ready yet")
    rig = kserve(service("gs://m/v1"), service("gs://m/v2", 0), readiness=ready)

    ended = conduct(rig.run)

    assert ended.outcome is Outcome.FAILED
    assert "revision m-2 is not ready yet" in ended.sentence
    assert canary(rig.spec()) == ("gs://m/v2", 0)


class Broken:
    """A gateway that has no good answer once the promote document is there."""

    def __init__(self) -> None:
        self.rig: Watched | None = None

    def send(self, url: str, payload: Any, headers: Any) -> Response:
        assert self.rig is not None
        if "replicas" in self.rig.spec()["predictor"]:
            raise BackendError(f"{url}: nobody there")
        return Response(200, {}, b"{}")


@pytest.mark.parametrize("works", [True, False])
def test_a_promote_document_without_a_percent_leaves_all_traffic_on_the_winner(works: bool) -> None:
    final = service("gs://m/v2")
    final["spec"]["predictor"]["replicas"] = 2
    whole = routed(service("gs://m/v2", 0), None, PERCENT, promote=[final])
    if works:
        rig = Watched(whole, service("gs://m/v1"))
    else:
        gateway = Broken()
        whole = whole.model_copy(update={"verify": bundle().verify})
        rig = gateway.rig = Watched(whole, service("gs://m/v1"), responder=gateway)

    ended = conduct(rig.run)

    assert ended.outcome is (Outcome.PROMOTED if works else Outcome.PROMOTION_FAILED)
    assert canary(rig.spec()) == ("gs://m/v2", 100)
    assert ("replicas" in rig.spec()["predictor"]) is works


def test_a_promoted_revision_is_waited_for() -> None:
    final = service("gs://m/v2")
    whole = routed(service("gs://m/v2", 0), None, PERCENT, promote=[final])
    ready = Ready()
    rig = Watched(whole, service("gs://m/v1"), readiness=ready)

    def stuck(event: str, found: Any) -> None:
        if canary(found["spec"])[1] == 100:
            ready.reasons["default"] = "revision m-3 is not ready yet"

    rig.store.subscribe(stuck)

    ended = conduct(rig.run)

    assert ended.outcome is Outcome.PROMOTION_FAILED
    assert "revision m-3 is not ready yet" in ended.sentence


def seldon(stored: dict[str, Any] | None, wanted: dict[str, Any]) -> Watched:
    paths = [f".spec.predictors[{i}].traffic" for i in range(2)]
    return Watched(routed(wanted, *paths), stored)


def test_only_the_candidate_s_predictor_of_a_seldon_deployment_is_replaced() -> None:
    rig = seldon(predictors(("new", "v2", 0), ("old", "v1", 100)),
                 predictors(("old", "v1.1", 50), ("new", "v3", 50)))  # fmt: skip

    assert conduct(rig.run).outcome is Outcome.PROMOTED
    assert rig.specs[1] == predictors(("new", "v3", 0), ("old", "v1", 100))["spec"]
    assert any("exists and differs" in note and "old" in note for note in rig.run.notes)


def test_a_predictor_that_serves_is_not_replaced_before_its_traffic_is_gone() -> None:
    rig = seldon(predictors(("old", "v1", 70), ("new", "v2", 30)),
                 predictors(("old", "v1", 100), ("new", "v3", 0)))  # fmt: skip

    assert conduct(rig.run).outcome is Outcome.PROMOTED
    assert rig.specs[1:3] == [predictors(("old", "v1", 100), ("new", "v2", 0))["spec"],
                              predictors(("old", "v1", 100), ("new", "v3", 0))["spec"]]  # fmt: skip


def test_a_missing_predictor_is_added_beside_the_sole_one() -> None:
    rig = seldon(predictors(("old", "v1", None)), predictors(("old", "v1", 100), ("new", "v2", 0)))

    assert conduct(rig.run).outcome is Outcome.PROMOTED
    assert rig.specs[1] == predictors(("old", "v1", 100), ("new", "v2", 0))["spec"]


def test_two_predictors_with_one_model_are_nothing_to_compare() -> None:
    same = predictors(("old", "v1", 100), ("new", "v1", 0))

    assert conduct(seldon(same, same).run).outcome is Outcome.KEPT


def served(stored: dict[str, Any], wanted: dict[str, Any]) -> Watched:
    paths = [f".spec.traffic[{i}].percent" for i in range(2)]
    return Watched(routed(wanted, *paths), stored)


WANTED = knative("new", {**PINNED, "percent": 100}, {**LATEST, "percent": 0})


def test_a_pinned_baseline_keeps_its_traffic_when_the_template_changes() -> None:
    rig = served(knative("old", {**PINNED, "percent": 100}, {**LATEST, "percent": 0}), WANTED)

    assert conduct(rig.run).outcome is Outcome.PROMOTED
    assert rig.specs[1] == WANTED["spec"]


def test_the_latest_revision_that_serves_is_pinned_in_the_same_write() -> None:
    rig = served(knative("old", {**LATEST, "percent": 100}), WANTED)

    assert conduct(rig.run).outcome is Outcome.PROMOTED
    assert rig.specs[1] == WANTED["spec"]


def test_the_latest_revision_that_serves_must_be_named_by_the_manifest() -> None:
    rig = served(knative("old", {**LATEST, "percent": 100}, ready="m-7"), WANTED)

    ended = conduct(rig.run)

    assert ended.outcome is Outcome.FAILED
    assert "pinned by revisionName" in ended.sentence
    assert "m-7" in ended.sentence
    assert len(rig.specs) == 1


def test_a_latest_revision_that_is_the_pinned_one_is_nothing_to_compare() -> None:
    assert conduct(served(WANTED, WANTED).run).outcome is Outcome.KEPT


def test_a_latest_revision_that_serves_loses_its_traffic_before_it_is_another_one() -> None:
    rig = served(knative("old", {**PINNED, "percent": 80}, {**LATEST, "percent": 20}), WANTED)

    assert conduct(rig.run).outcome is Outcome.PROMOTED
    assert [t["percent"] for t in rig.specs[1]["traffic"]] == [100, 0]
    assert rig.specs[1]["template"] == knative("old")["spec"]["template"]


def test_a_candidate_named_by_its_revision_takes_nobody_s_traffic() -> None:
    new: dict[str, Any] = {"revisionName": "m-3", "percent": 0}
    wanted = knative("new", {**PINNED, "percent": 100}, new)
    wanted["spec"]["template"]["metadata"] = {"name": "m-3"}
    rig = served(knative("old", {**PINNED, "percent": 100}), wanted)

    assert conduct(rig.run).outcome is Outcome.PROMOTED
    assert rig.specs[1] == wanted["spec"]


def test_a_latest_revision_of_nobody_that_serves_is_not_replaced() -> None:
    new: dict[str, Any] = {"revisionName": "m-3", "percent": 0}
    wanted = knative("new", {**PINNED, "percent": 100}, new)
    wanted["spec"]["template"]["metadata"] = {"name": "m-3"}
    stored = knative("old", {**PINNED, "percent": 50}, {**LATEST, "percent": 50})
    rig = served(stored, wanted)

    ended = conduct(rig.run)

    assert ended.outcome is Outcome.FAILED
    assert "the latest revision has 50 % of the traffic" in ended.sentence
    assert rig.spec() == stored["spec"]


def test_a_candidate_that_serves_alone_is_not_replaced() -> None:
    rig = seldon(predictors(("old", "v1", 0), ("new", "v2", 100)),
                 predictors(("old", "v1", 100), ("new", "v3", 0)))  # fmt: skip

    ended = conduct(rig.run)

    assert ended.outcome is Outcome.FAILED
    assert "the baseline v1 serves nobody" in ended.sentence
    assert len(rig.specs) == 1


@pytest.mark.parametrize(
    ("whole", "name"),
    [
        (routed(service("v2", 0), None, PERCENT), "InferenceService/default/m"),
        (routed(WANTED, ".spec.traffic[0].percent", ".spec.traffic[1].percent"),
         "Service.serving.knative.dev/default/m"),
    ],
)  # fmt: skip
def test_what_holds_the_weights_is_both_versions_workload_and_never_removed(
    whole: Bundle, name: str
) -> None:
    rig = Watched(whole, whole.deploy[0])
    stored = rig.store.get(rig.key) or {}

    assert version_objects(rig.run) == {"v1": (name,), "v2": (name,)}
    assert clean_up(rig.run, {name: stored["metadata"]["uid"]}, (name,)) == []
    assert rig.store.get(rig.key) is not None
    verbs = {verb for rules in rules_by_namespace(whole).values() for rule in rules
             if rule["apiGroups"] == [rig.key.group] for verb in rule["verbs"]}  # fmt: skip
    assert verbs == {"get", "create", "patch"}


def test_a_seldon_deployment_with_weights_is_looked_at_by_its_deployments_and_pods() -> None:
    document = predictors(("old", "v1", 100), ("new", "v2", 0))
    whole = routed(document, ".spec.predictors[0].traffic", ".spec.predictors[1].traffic")
    [rules] = rules_by_namespace(whole.model_copy(update={"deploy": ()})).values()

    allowed = {(rule["resources"][0], verb) for rule in rules for verb in rule["verbs"]}
    assert {("deployments", "list"), ("pods", "list"), ("seldondeployments", "patch")} <= allowed
