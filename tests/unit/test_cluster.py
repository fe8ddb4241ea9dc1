"""What the cluster's steps decide from values, without a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crossfade import Rollout, record
from crossfade.rights import rights, rules_by_namespace
from crossfade.verdict import Outcome
from crossfade_steps.cluster import load, workflow
from crossfade_steps.cluster.conclude import intended
from crossfade_steps.cluster.readiness import pod_troubles, rollout_reason

EXAMPLE = Path(__file__).resolve().parents[2] / "workflows" / "examples" / "iris"
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
        pytest.param([record.phase("verified", {})], STOPPED, Outcome.PROMOTED, id="verified"),
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
