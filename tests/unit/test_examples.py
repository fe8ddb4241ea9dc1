"""The examples are what people start from: they are without findings, and can decide."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossfade import Rollout
from crossfade.cli import plan

EXAMPLES = Path(__file__).resolve().parents[2] / "workflows" / "examples"
ROLLOUTS = sorted(EXAMPLES.glob("*/rollout.yaml"))
USERS = 40
"""Requests a second of the users of an example without a load of its own."""


@pytest.mark.parametrize("path", ROLLOUTS, ids=lambda path: path.parent.name)
def test_an_example_is_without_findings_and_long_enough(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rollout = Rollout.load(path)

    assert rollout.findings == ()
    assert rollout.workflow().to_dict()["kind"] == "Workflow"
    assert Rollout.load(path.parent).yaml(), "the folder alone says it, too"
    rate = None if rollout.bundle.load else USERS
    assert plan.run([path], [], None, rps=rate, reward=0.3, as_json=False) == 0
    assert "long enough" in capsys.readouterr().out


def test_there_is_one_for_a_team_with_plain_deployments() -> None:
    assert [path.parent.name for path in ROLLOUTS] == ["deployments", "iris"]
