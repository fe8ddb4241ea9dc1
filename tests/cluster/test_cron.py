"""A rollout started by a clock: one at a time, and yesterday's loser does not come back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cluster import Place, until

Places = Callable[[str], Place]
MINUTE = "* * * * *"


@pytest.mark.minutes(4)
def test_a_cron_workflow_forbids_overlap_and_never_un_promotes(
    place: Places, tmp_path: Path
) -> None:
    here = place("cron")
    path = here.prepare(tmp_path, iterations=20)
    result = here.cluster.crossfade("submit", "--kind", "cron", "--schedule", MINUTE, path)
    assert result.code == 0, result.text

    until(lambda: here.runs() or None, "the first run", 150)
    first = here.runs()[0]
    assert here.outcome(first)["outcome"] == "promoted"
    workflows = here.names("workflows")
    second = until(
        lambda: next((run for run in here.runs() if run != first), None), "the second run", 150
    )

    assert workflows == [first], "no second run beside the first"
    ended = here.outcome(second)
    assert ended["outcome"] == "kept"
    assert "nothing to compare" in ended["sentence"]
    assert here.weights() == (100, 0)
