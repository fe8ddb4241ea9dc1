"""The twin of every happy path: the named outcome, one sentence why, the baseline at 100."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import light
import pytest

from cluster import Place, until

Places = Callable[[str], Place]
NOWHERE = "http://prometheus.nowhere.svc.cluster.local:9090"


def never_ready(here: Place, document: dict[str, Any]) -> None:
    candidate = document["spec"]["deploy"][2]
    probe = {"httpGet": {"path": "/ready", "port": 9}, "periodSeconds": 1}
    candidate["spec"]["template"]["spec"]["containers"][0]["readinessProbe"] = probe
    document["spec"]["readyTimeout"] = "15s"


def bad_image(here: Place, document: dict[str, Any]) -> None:
    image = here.cluster.images["executor"].partition("@")[0] + ":no-such-tag"
    document["spec"]["deploy"][2] = light.deployment(light.CANDIDATE, image, {})
    document["spec"]["readyTimeout"] = "15s"


def unknown_kind(here: Place, document: dict[str, Any]) -> None:
    document["spec"]["deploy"].append(
        {"apiVersion": "example.com/v1", "kind": "Model", "metadata": {"name": "m"}, "spec": {}}
    )


def no_metrics(here: Place, document: dict[str, Any]) -> None:
    document["spec"]["prometheus"] = {"url": NOWHERE, "scrape_interval": 2}


CASES: dict[str, tuple[Callable[[Place, dict[str, Any]], None], str, str]] = {
    "never-ready": (never_ready, "failed", "web-v2: not ready after 15 s"),
    "bad-image": (bad_image, "failed", "no-such-tag"),
    "missing-crd": (unknown_kind, "failed", "the cluster does not know Model of example.com"),
    "no-prometheus": (no_metrics, "inconclusive", "no metric could be read ("),
}


@pytest.mark.minutes(2)
@pytest.mark.parametrize("case", CASES)
def test_trouble_has_its_outcome_and_its_reason(place: Places, tmp_path: Path, case: str) -> None:
    here = place(case)
    change, outcome, reason = CASES[case]
    document = here.rollout(iterations=3)
    change(here, document)
    path = here.write(tmp_path, document)
    here.grant(path)
    run = here.submit(path)

    ended = here.outcome(run, 240)

    assert ended["outcome"] == outcome, ended
    assert reason in ended["sentence"], ended
    nothing_left(here, run)


def nothing_left(here: Place, run: str) -> None:
    """Check that only what the user owns is there: no candidate, no load, no Lease."""
    if "web" in here.names("virtualservices"):
        assert here.weights() == (100, 0)
    assert "web-v2" not in here.names("deployments")
    assert here.names("leases") == []
    ended = ("Succeeded", "Failed", "Error")
    until(lambda: here.get("workflow", run)["status"].get("phase") in ended or None,
          "the workflow has ended", 60)  # fmt: skip
    jobs = [name for name in here.names("jobs") if "-load-" in name]
    until(lambda: not [n for n in here.names("jobs") if "-load-" in n] or None, f"{jobs} gone", 30)


@pytest.mark.minutes(2)
def test_a_missing_right_is_named_by_doctor_and_by_the_run(place: Places, tmp_path: Path) -> None:
    here = place("right")
    path = here.prepare(tmp_path, iterations=3)
    [own] = [name for name in here.names("rolebindings") if name.startswith("crossfade-web-")]
    here.cluster.kubectl("delete", "rolebinding", own, "-n", here.name)

    found = here.cluster.crossfade("doctor", path)
    run = here.submit(path)
    ended = here.outcome(run)

    assert found.code == 1, found.text
    assert "missing: get web" in found.out
    assert ended["outcome"] == "failed", ended
    assert "cannot get resource" in ended["sentence"], ended
    assert here.names("deployments") == []


def test_doctor_finds_nothing_wrong_with_a_good_cluster(place: Places, tmp_path: Path) -> None:
    here = place("doctor")
    path = here.prepare(tmp_path)
    before = here.names("jobs")

    found = here.cluster.crossfade("doctor", path)

    assert found.code == 0, found.text
    assert "VirtualService" in found.out
    assert here.names("jobs") == before
    assert here.names("deployments") == []


def test_doctor_says_what_is_wrong_before_anything_is_changed(
    place: Places, tmp_path: Path
) -> None:
    here = place("sick")
    document = here.rollout()
    unknown_kind(here, document)
    no_metrics(here, document)
    path = here.write(tmp_path, document)
    here.grant(path)

    found = here.cluster.crossfade("doctor", path)

    assert found.code == 1
    assert "Model of example.com/v1" in found.out
    assert "prometheus.nowhere" in found.out
    assert here.names("deployments") == []
    missing = here.cluster.crossfade("doctor", "--image", "10.250.0.1:5000/none:1", path)
    assert missing.code == 1
    assert "none:1" in missing.out
