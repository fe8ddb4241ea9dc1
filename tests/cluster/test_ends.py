"""Whatever ends a run, traffic goes back to the baseline and nothing is left behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cluster import Place

Places = Callable[[str], Place]
ENDS = {
    "stop": ("argo", "stop"),
    "terminate": ("argo", "terminate"),
    "delete": ("kubectl", "delete", "workflow", "--wait=false"),
}


@pytest.mark.minutes(2)
@pytest.mark.parametrize("how", ENDS)
def test_an_ended_workflow_restores_the_baseline(place: Places, tmp_path: Path, how: str) -> None:
    here = place(how)
    path = here.prepare(tmp_path, iterations=200)
    run = here.submit(path)
    here.iteration(run, 2)
    assert here.weights() != (100, 0)

    done = here.cluster.run(*ENDS[how], run, "-n", here.name)

    assert done.code == 0, done.text
    ended = here.outcome(run, 60)
    assert ended["outcome"] == "cancelled", ended
    assert here.weights() == (100, 0)
    assert "web-v2" not in here.names("deployments")
    assert here.names("leases") == []


def test_a_second_run_on_the_same_route_is_refused_with_the_owner(
    place: Places, tmp_path: Path
) -> None:
    here = place("owner")
    path = here.prepare(tmp_path, iterations=200)
    first = here.submit(path)
    here.iteration(first, 1)
    found = here.cluster.crossfade("doctor", path)

    assert found.code == 1
    assert f"being changed by run {here.name}/{first}" in found.out
    assert here.cluster.crossfade("abort", "-n", here.name, first).code == 0
    assert here.outcome(first)["outcome"] == "cancelled"


@pytest.mark.minutes(3)
def test_a_candidate_that_was_rolled_back_is_tried_again_only_by_force(
    place: Places, tmp_path: Path
) -> None:
    here = place("rejected")
    path = here.prepare(tmp_path, iterations=10, candidate={"REWARD": "0.8", "ERRORS": "0.5"})
    first = here.submit(path)
    assert here.outcome(first)["outcome"] == "rolled-back"

    second = here.submit(path)
    ended = here.outcome(second)
    third = here.submit(path, "--force")

    assert ended["outcome"] == "kept"
    assert f"rolled back by run {first}" in ended["sentence"]
    assert here.outcome(third)["outcome"] == "rolled-back"
