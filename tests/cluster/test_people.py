"""What people do with a run that goes on, and what they are shown."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import light
import pytest

from cluster import Place, until
from crossfade_steps.cluster import workflow

Places = Callable[[str], Place]


def repository(namespace: str) -> list[dict[str, Any]]:
    """Return an artifact repository over plain HTTP, and the right to read its password."""
    where = f"""artifactory:
  repoURL: http://store.{namespace}.svc.cluster.local/kept
  usernameSecret: {{name: store, key: user}}
  passwordSecret: {{name: store, key: password}}
"""
    default = {"workflows.argoproj.io/default-artifact-repository": "main"}
    group = "rbac.authorization.k8s.io"
    rules = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"],
              "resourceNames": ["store"]}]  # fmt: skip
    account = {"kind": "ServiceAccount", "name": "crossfade", "namespace": namespace}
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "data": {"main": where},
         "metadata": {"name": "artifact-repositories", "annotations": default}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "store"},
         "stringData": {"user": "u", "password": "p"}},
        {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": {"name": "store"},
         "rules": rules},
        {"apiVersion": f"{group}/v1", "kind": "RoleBinding", "metadata": {"name": "store"},
         "roleRef": {"apiGroup": group, "kind": "Role", "name": "store"}, "subjects": [account]},
    ]  # fmt: skip


@pytest.mark.minutes(3)
def test_a_run_is_paused_resumed_described_and_aborted(place: Places, tmp_path: Path) -> None:
    here = place("control")
    path = here.prepare(tmp_path, iterations=200)
    run, call = here.submit(path), here.cluster.crossfade
    here.iteration(run, 2)

    assert call("pause", "-n", here.name, run).code == 0
    time.sleep(5)
    held = here.store(run).head()["iteration"]
    time.sleep(8)
    assert here.store(run).head()["iteration"] == held
    progress = here.get("workflow", run)["status"]["progress"]
    assert progress.partition("/")[2] != "", progress
    assert call("resume", "-n", here.name, run).code == 0
    here.iteration(run, int(held) + 2)
    shown = call("describe", "-n", here.name, run)
    assert "Testing pattern: A/B" in shown.out
    waited = call("assert", "-n", here.name, run, "--outcome", "promoted", "--timeout", "1s")
    assert waited.code == 4
    assert call("abort", "-n", here.name, run).code == 0
    waited = call("assert", "-n", here.name, run, "--outcome", "cancelled", "--timeout", "2m")

    assert waited.code == 0, waited.text
    assert here.weights() == (100, 0)
    assert "web-v2" not in here.names("deployments")
    assert run in call("list", "-n", here.name).out
    assert call("clean", "-n", here.name, run).code == 0
    assert here.runs() == []


@pytest.mark.minutes(3)
def test_a_run_is_steered_from_the_argo_ui_by_a_form(place: Places, tmp_path: Path) -> None:
    """The UI's form starts a WorkflowTemplate with parameters; so does this."""
    here = place("form")
    path = here.prepare(tmp_path, iterations=200)
    printed = here.cluster.crossfade("steering", "-n", here.name)
    here.cluster.kubectl("apply", "-f", "-", text=printed.out)
    run = here.submit(path)
    here.iteration(run, 2)

    def asked(what: str) -> None:
        done = here.cluster.run(
            "argo", "submit", "-n", here.name, "--from", "workflowtemplate/crossfade-steer",
            "--wait", "-p", f"run={run}", "-p", f"ask={what}",
        )  # fmt: skip
        assert done.code == 0, done.text

    asked("pause")
    time.sleep(5)
    held = here.store(run).head()["iteration"]
    time.sleep(5)
    assert here.store(run).head()["iteration"] == held
    asked("promote")
    ended = here.outcome(run)

    assert ended["outcome"] == "promoted", ended
    assert "crossfade-steer" in ended["sentence"], ended
    assert "ordered the promotion of web-v2" in ended["sentence"], ended
    assert here.weights() == (100, 0)


def test_the_outcome_is_told_as_an_event_and_as_a_report(place: Places, tmp_path: Path) -> None:
    here = place("told")
    path = here.prepare(tmp_path, iterations=3)
    run = here.submit(path)
    here.outcome(run)

    written = tmp_path / "report.html"
    result = here.cluster.crossfade("report", "-n", here.name, run, "-o", written)
    assert result.code == 0, result.text
    assert "promoted, winner web-v2" in written.read_text()
    stored = until(
        lambda: f"{run}-report" in here.names("configmaps") or None, "the run's report", 20
    )
    assert stored
    assert (
        "promoted, winner web-v2" in here.get("configmap", f"{run}-report")["data"]["report.html"]
    )
    told = here.cluster.kubectl("get", "events", "-n", here.name, "--field-selector",
                                f"involvedObject.name={run},source=crossfade", "-o",
                                "jsonpath={.items[*].reason}").split()  # fmt: skip
    entries = [entry for entry in here.store(run).entries() if entry["type"] == "decision"]
    moved = [each for each in (entry["decision"] for entry in entries)
             if each["old"] != each["weights"] or each["outcome"] is not None]  # fmt: skip
    assert told.count("Decided") == len(moved) > 0
    assert "Promoted" in told


def test_the_report_is_an_artifact_where_a_repository_is(place: Places, tmp_path: Path) -> None:
    here = place("artifact")
    store = light.deployment("store", here.cluster.images["executor"], {})
    here.cluster.apply(store, light.service("store"), *repository(here.name),
                       namespace=here.name)  # fmt: skip
    path = here.prepare(tmp_path, iterations=2, reportArtifact=True)

    run = here.submit(path)

    here.outcome(run)  # whichever it is: two iterations of three seconds may decide nothing
    proxy = f"/api/v1/namespaces/{here.name}/services/store:80/proxy/files"
    kept = until(lambda: here.cluster.kubectl("get", "--raw", proxy) or None, "the artifact", 60)
    assert kept.startswith("<!doctype html>")
    assert f"<td>{run}" in kept


def gate(here: Place, run: str) -> None:
    """Wait until a run waits for a person."""

    def waits() -> bool | None:
        return True if workflow.waits(here.get("workflow", run)) else None

    until(waits, "the gate", 150, lambda: here.told(run))


@pytest.mark.minutes(3)
def test_an_abort_at_the_gate_ends_the_run_and_its_workflow(place: Places, tmp_path: Path) -> None:
    here = place("gate")
    path = here.prepare(tmp_path, iterations=3, approval="before-promote")
    run = here.submit(path)
    gate(here, run)

    assert here.cluster.crossfade("abort", "-n", here.name, run).code == 0
    ended = here.outcome(run, 60)

    assert ended["outcome"] == "cancelled", ended
    assert ended["sentence"].startswith("aborted by "), ended
    assert here.weights() == (100, 0)
    until(lambda: workflow.read(here.get("workflow", run)).ended or None, "the Workflow's end", 60)


def by_argo(here: Place, run: str, word: str) -> None:
    """Answer as the Argo UI does."""
    at = ("-n", here.name, "--node-field-selector", "displayName=approval")
    for words in (("node", "set", run, "-p", f"decision={word}", *at), ("resume", run, *at)):
        told = here.cluster.run("argo", *words)
        assert told.code == 0, told.text


def by_command(here: Place, run: str, word: str) -> None:
    told = here.cluster.crossfade("approve" if word == "yes" else "reject", "-n", here.name, run)
    assert told.code == 0, told.text


@pytest.mark.minutes(3)
@pytest.mark.parametrize(
    ("word", "answer"), [("yes", by_command), ("no", by_argo)], ids=["yes", "no"]
)
def test_a_person_decides_about_the_promotion(
    place: Places, tmp_path: Path, word: str, answer: Callable[[Place, str, str], None]
) -> None:
    here = place(f"approval-{word}")
    path = here.prepare(tmp_path, iterations=3, approval="before-promote")
    run = here.submit(path)
    gate(here, run)

    answer(here, run, word)

    assert here.outcome(run)["outcome"] == ("promoted" if word == "yes" else "kept")
    assert here.weights() == (100, 0)


@pytest.mark.minutes(2)
def test_a_person_orders_a_promotion(place: Places, tmp_path: Path) -> None:
    here = place("ordered")
    path = here.prepare(tmp_path, iterations=200)
    run = here.submit(path)
    here.iteration(run, 2)

    assert here.cluster.crossfade("promote", "-n", here.name, run).code == 0

    ended = here.outcome(run)
    assert ended["outcome"] == "promoted", ended
    assert "ordered the promotion of web-v2" in ended["sentence"]
    assert here.weights() == (100, 0)
