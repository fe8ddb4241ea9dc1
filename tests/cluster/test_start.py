"""A rollout started in each of the ways that people start one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from cluster import Place, until
from crossfade import Rollout

Places = Callable[[str], Place]
pytestmark = pytest.mark.minutes(1.5)


def test_the_command_line_submits_and_stays_until_the_outcome(
    place: Places, tmp_path: Path
) -> None:
    here = place("cli")
    path = here.prepare(tmp_path)

    result = here.cluster.crossfade("submit", "-w", path)

    assert result.code == 0, result.text
    assert "outcome: promoted, winner web-v2" in result.out
    assert here.weights() == (100, 0)
    assert "web-v2" not in here.names("deployments")
    assert here.cluster.kubectl("get", "leases", "-n", here.name, "-o", "name") == ""


@pytest.mark.minutes(2.5)
def test_the_default_policy_promotes_by_what_is_counted(place: Places, tmp_path: Path) -> None:
    here = place("evidence")
    document = here.rollout(iterations=14, interval=4, qps=60)
    del document["spec"]["policy"]
    path = here.write(tmp_path, document)
    here.grant(path)

    run = here.submit(path)

    ended = here.outcome(run)
    assert ended["outcome"] == "promoted", ended
    assert "proven better by reward" in ended["sentence"], ended
    again = here.cluster.crossfade("describe", "-n", here.name, run)
    assert "proven &lt;= 0.05" in here.cluster.crossfade("report", "-n", here.name, run).out
    assert "Policy: evidence" in again.out


def test_python_submits_through_the_argo_server(place: Places, tmp_path: Path) -> None:
    here = place("python")
    path = here.prepare(tmp_path)
    rollout = Rollout.load(path).using(image=here.cluster.images["steps"])

    run = rollout.submit(here.cluster.server)

    assert here.outcome(run)["outcome"] == "promoted"
    until(lambda: here.get("workflow", run)["status"]["phase"] == "Succeeded" or None,
          "Argo shows the run as succeeded", 60)  # fmt: skip


def test_a_workflow_template_starts_with_parameters_as_the_argo_ui_does(
    place: Places, tmp_path: Path
) -> None:
    here = place("template")
    path = here.prepare(tmp_path, loop="nodes", iterations=3, interval=10)
    result = here.cluster.crossfade("submit", "--kind", "template", path)
    assert result.code == 0, result.text
    template = here.get("workflowtemplate", "web")
    bundle = template["spec"]["arguments"]["parameters"][0]["value"]

    started = here.cluster.run(
        "argo", "submit", "-n", here.name, "--from", "workflowtemplate/web", "-o", "name",
        "-p", f"bundle={bundle}",
    )  # fmt: skip

    assert started.code == 0, started.text
    run = started.out.split()[-1]
    assert here.outcome(run)["outcome"] == "promoted"
    told = here.cluster.run("argo", "get", "-n", here.name, run).out
    nodes = here.get("workflow", run)["status"]["nodes"].values()
    shown = [node["displayName"] for node in nodes]
    assert {"iteration-1", "iteration-2", "iteration-3"} <= set(shown), told
    summaries = {p["value"] for node in nodes if node.get("templateName") == "iteration"
                 for p in node.get("outputs", {}).get("parameters", ())
                 if p["name"] == "summary"}  # fmt: skip
    assert len(summaries) == 3
    assert all("; weights " in text or "; promote " in text for text in summaries), summaries


def test_a_template_refuses_a_rollout_whose_gate_it_does_not_have(
    place: Places, tmp_path: Path
) -> None:
    here = place("frame")
    path = here.prepare(tmp_path, iterations=3)
    assert here.cluster.crossfade("submit", "--kind", "template", path).code == 0
    gated = here.write(tmp_path, here.rollout(iterations=3, approval="before-promote"))
    compiled = yaml.safe_load(here.cluster.crossfade("compile", gated).out)
    bundle = compiled["spec"]["arguments"]["parameters"][0]["value"]

    started = here.cluster.run(
        "argo", "submit", "-n", here.name, "--from", "workflowtemplate/web", "-o", "name",
        "--wait", "-p", f"bundle={bundle}",
    )  # fmt: skip

    nodes = here.get("workflow", started.out.split()[0])["status"]["nodes"].values()
    told = " ".join(str(node.get("message")) for node in nodes)
    assert "approval before-promote, compiled with none" in told
    assert here.names("virtualservices") == here.names("deployments") == [], "nothing is deployed"
