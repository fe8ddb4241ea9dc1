"""What the cluster's steps decide from values, without a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from crossfade import Rollout, record
from crossfade.errors import BackendError
from crossfade.rights import installed_rules, rights, rules_by_namespace
from crossfade.verdict import Outcome
from crossfade_steps.cluster import events, load, rejected, workflow
from crossfade_steps.cluster.conclude import intended
from crossfade_steps.cluster.readiness import pod_troubles, rollout_reason
from crossfade_steps.ports import ObjectKey
from crossfade_steps.record_file import RecordFile

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "workflows" / "examples" / "iris"
RUNNING = workflow.State(there=True)
STOPPED = workflow.State(there=True, ended=True, shutdown="Stop")


def deployment(generation: int = 2, seen: int = 2, **counts: int) -> dict[str, Any]:
    return {
        "kind": "Deployment",
        "metadata": {"namespace": "ns", "name": "web", "generation": generation},
        "spec": {"replicas": 2},
        "status": {"observedGeneration": seen, **counts},
    }


@pytest.mark.parametrize(
    ("stored", "reason"),
    [
        pytest.param(
            deployment(replicas=2, updatedReplicas=2, availableReplicas=2), None, id="over"
        ),
        pytest.param(deployment(seen=1, replicas=2), "has not seen it yet", id="not-seen"),
        pytest.param(
            deployment(replicas=3, updatedReplicas=2, availableReplicas=2), "3 in all", id="old-pod"
        ),
        pytest.param(deployment(), "0 of 2 updated, 0 available", id="nothing-yet"),
    ],
)
def test_a_rollout_is_over_when_updated_available_and_desired_agree(
    stored: dict[str, Any], reason: str | None
) -> None:
    found = rollout_reason(stored)

    assert found is None if reason is None else reason in str(found)


def test_what_is_scaled_to_0_takes_no_traffic() -> None:
    asleep = deployment()
    asleep["spec"]["replicas"] = 0
    asleep["status"].update(replicas=0, updatedReplicas=0, availableReplicas=0)

    assert str(rollout_reason(asleep)).endswith("it is scaled to 0")


def test_a_pod_says_why_it_does_not_start() -> None:
    waiting = {"reason": "ImagePullBackOff", "message": "no such image"}
    status = {"containerStatuses": [{"name": "c", "state": {"waiting": waiting}}]}
    pod = {"metadata": {"name": "p"}, "status": status}

    assert pod_troubles([pod]) == ["pod p: c: ImagePullBackOff no such image"]


@pytest.mark.parametrize(
    ("entries", "state", "outcome"),
    [
        pytest.param([], STOPPED, Outcome.CANCELLED, id="stopped"),
        pytest.param([], workflow.State(), Outcome.CANCELLED, id="deleted"),
        pytest.param([record.trouble("deploy", "no")], RUNNING, Outcome.FAILED, id="gave-up"),
        pytest.param([record.phase("promoting", {})], STOPPED, Outcome.PROMOTION_FAILED,
                     id="while-promoting"),
        pytest.param([record.concluded(Outcome.KEPT, "same", None)], STOPPED, Outcome.KEPT,
                     id="concluded-before-the-stop"),
    ],
)  # fmt: skip
def test_how_a_run_ends_follows_from_its_record_and_its_workflow(
    entries: list[dict[str, Any]], state: workflow.State, outcome: Outcome
) -> None:
    assert intended(entries, state).outcome is outcome


def test_rights_are_namespaced_named_and_without_a_wildcard() -> None:
    bundle = Rollout.load(EXAMPLE).bundle
    roles = [o for o in rights(bundle) if o["kind"] == "Role"]

    assert {r["metadata"]["namespace"] for r in roles} == {"default", "ns-baseline", "ns-candidate"}
    for role in roles:
        for rule in role["rules"]:
            assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]
            assert "secrets" not in rule["resources"]
    unnamed = {(r["resources"][0], v) for rules in rules_by_namespace(bundle).values()
               for r in rules if "resourceNames" not in r for v in r["verbs"]}  # fmt: skip
    assert {verb for resource, verb in unnamed if resource not in ("jobs",)} <= {"create", "list"}


def test_feedback_becomes_a_job_that_rewards_the_version_that_answered() -> None:
    bundle = Rollout.load(EXAMPLE).bundle

    [job] = load.jobs(bundle, "run", "image", {"iris-v1": "ns-baseline/iris"})

    settings = load.feedback_settings(bundle.load[0], {"iris-v1": "ns-baseline/iris"})  # type: ignore[arg-type]
    assert settings["feedback_urls"] == {
        "iris-v1": "http://gateway/seldon/ns-baseline/iris/api/v1.0/feedback"
    }
    assert job["metadata"]["labels"][load.RUN_LABEL] == "run"
    pod = job["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["containers"][0]["image"] == "image"


def test_only_a_candidate_s_workload_may_be_deleted_and_a_service_never_changed() -> None:
    bundle = Rollout.load(EXAMPLE).bundle
    found = {
        (namespace, rule["resources"][0]): rule["verbs"]
        for namespace, rules in rules_by_namespace(bundle).items()
        for rule in rules
        if rule.get("resourceNames")
    }

    assert found["ns-baseline", "seldondeployments"] == ["get", "patch"]
    assert found["ns-candidate", "seldondeployments"] == ["get", "patch", "delete"]


def test_what_doctor_asks_for_is_what_the_installation_gives() -> None:
    documents = yaml.safe_load_all((ROOT / "install" / "account.yaml").read_text())
    role = next(document for document in documents if document["kind"] == "Role")

    assert installed_rules() == role["rules"]


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (record.outcome(Outcome.PROMOTION_FAILED, "not verified", "v2"), "PromotionFailed"),
        (record.put_back({"a": 1, "b": 99}, {"a": 50, "b": 50}), "PutBack"),
        (record.not_applied(3, "409", {"v1": 100}), "NotApplied"),
        (record.trouble("deploy", "no"), "Trouble"),
    ],
)
def test_trouble_is_an_event_of_type_warning(entry: dict[str, Any], reason: str) -> None:
    told = events.news(entry)

    assert told is not None
    assert told[:2] == ("Warning", reason)


def test_what_is_no_news_is_no_event() -> None:
    assert events.news(record.applied(1, {"a": 100})) is None


class Refusing:
    """A cluster that takes no events."""

    def get(self, key: ObjectKey) -> dict[str, Any]:
        return {"metadata": {"uid": "1"}}

    def create(self, manifest: dict[str, Any]) -> None:
        raise BackendError("403")


def test_a_run_goes_on_when_its_news_cannot_be_told(tmp_path: Path) -> None:
    kept = RecordFile(tmp_path / "record.jsonl")
    kept.namespace, kept.run = "ns", "run"  # type: ignore[attr-defined]
    told = events.Announced(kept, Refusing(), FakeClock())  # type: ignore[arg-type]

    told.append(record.trouble("deploy", "no"))

    assert [entry["type"] for entry in told.entries()] == ["trouble"]


class FakeClock:
    """Time stands still."""

    def now(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        raise AssertionError("nobody sleeps here")


def earlier_run(name: str, **data: str) -> dict[str, Any]:
    made = {"name": name, "creationTimestamp": "2026-01-02T03:04:05Z"}
    return {"metadata": made, "data": {"candidates": "abc", "outcome": "rolled-back", **data}}


MADE = 1767323045.0


def test_a_candidate_that_was_rolled_back_is_named_with_its_run_and_reason() -> None:
    runs = [earlier_run("iris-x", sentence="error-rate <= 0.01 is broken (80:1)")]

    found = rejected.told(runs, "abc", MADE + 60)

    assert found is not None
    assert "rolled back by run iris-x on 2026-01-02 03:04 UTC: error-rate <= 0.01" in found
    assert "submit --force" in found


@pytest.mark.parametrize(
    ("data", "candidates", "later"),
    [
        pytest.param({}, "other", 60, id="another-candidate"),
        pytest.param({"outcome": "cancelled"}, "abc", 60, id="another-outcome"),
        pytest.param({}, "abc", 8 * 86400, id="long-ago"),
    ],
)
def test_anything_else_is_tried(data: dict[str, str], candidates: str, later: float) -> None:
    assert rejected.told([earlier_run("x", **data)], candidates, MADE + later) is None
