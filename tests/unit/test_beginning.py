"""What a run knows before its first iteration: the traffic that the baseline serves already."""

from __future__ import annotations

from typing import Any

import pytest
from rig import Rig, route
from traffic import counted, rig

from crossfade import record
from crossfade.spec.rollout import Bundle, Policy
from crossfade_steps.beginning import beginning
from crossfade_steps.loop import conduct

DELAY = 2


def begun(whole: Bundle, **traffic: Any) -> float:
    found: Rig = rig(whole, **traffic)
    found.store.create(route())
    return beginning(found.run) - found.clock.now()


def test_what_the_baseline_served_before_the_start_is_the_first_interval() -> None:
    assert begun(counted()) == -10


def test_a_run_that_brings_its_own_load_begins_now() -> None:
    assert begun(counted(load=({"name": "fortio"},))) == 0


@pytest.mark.parametrize(
    "traffic",
    [{"since": 1000.0}, {"shares": lambda: (0.9, 0.1)}, {"shares": lambda: (0.0, 0.0)}],
    ids=["no-data", "the-candidate-served-too", "nobody-served"],
)
def test_a_past_that_tells_nothing_of_the_baseline_alone_does_not_count(traffic: Any) -> None:
    assert begun(counted(), **traffic) == 0


def test_a_policy_that_reads_values_since_the_start_begins_now() -> None:
    assert begun(counted(policy=Policy(name="iter8"))) == 0


def test_weights_move_at_once_where_the_traffic_is_known() -> None:
    found = rig(counted())
    seen: list[list[int]] = []
    found.at(1, lambda: seen.append(found.weights()))

    conduct(found.run)

    assert seen == [[96, 4]], "20 requests of 500 an interval, known before any was sent"
    first = record.of_type(found.record.list, "decision")[0]
    assert (first["decision"]["iteration"], first["at"]) == (1, 1000.0)
