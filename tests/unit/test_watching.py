"""What happens between iterations: a broken limit does not wait for the interval's end."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest
from rig import Rig, bundle
from traffic import ERRORS, REWARD, Traffic, counted, rig

from crossfade import record
from crossfade.counting import LATENCY_SECONDS
from crossfade.replay import replay
from crossfade.spec.experiment import Experiment
from crossfade.spec.rollout import Bundle, Policy
from crossfade.verdict import Outcome, Reading
from crossfade_steps import metrics
from crossfade_steps.loop import conduct

SCRAPE, INTERVAL = 2, 60


def long_intervals(**changes: Any) -> Bundle:
    whole = counted(**changes)
    document = whole.experiment.model_dump(by_alias=True, mode="json")
    document["spec"]["duration"]["intervalSeconds"] = INTERVAL
    return whole.model_copy(update={"experiment": Experiment.model_validate(document)})


def last(found: Rig) -> Any:
    return record.of_type(found.record.list, "decision")[-1]


@pytest.mark.parametrize("broken", [70.0, 100.0, 131.5])
def test_a_broken_limit_is_answered_within_a_few_scrapes(broken: float) -> None:
    found = rig(long_intervals(), broken=1000.0 + broken)

    ended = conduct(found.run)

    assert ended.outcome is Outcome.ROLLED_BACK
    assert found.weights() == [100, 0]
    assert last(found)["at"] - (1000.0 + broken) <= 6 * SCRAPE + LATENCY_SECONDS
    assert "errors <= 0.1 is broken" in ended.sentence


def test_a_decision_ahead_of_its_time_replays() -> None:
    found = rig(long_intervals(), broken=1100.0)
    conduct(found.run)

    assert [r.difference for r in replay(found.record.list)] == [None] * 3
    assert last(found)["decision"]["iteration"] == 3


@pytest.mark.parametrize("settings", [{}, {"latency": 5.0}, {"latency": 0}])
def test_windows_follow_each_other_and_end_when_the_next_scrape_is_answered_with(
    settings: dict[str, float],
) -> None:
    found = rig(counted(prometheus={"scrape_interval": SCRAPE, **settings}))
    source = found.run.sources[REWARD]
    assert isinstance(source, Traffic)

    conduct(found.run)

    newest = SCRAPE + settings.get("latency", LATENCY_SECONDS)
    decided = record.of_type(found.record.list, "decision")
    ends = [entry["observation"]["until"] for entry in decided]
    assert ends == [entry["at"] - newest for entry in decided]
    assert set(itertools.pairwise(ends)) <= set(source.reads)


def test_looks_decide_nothing_while_limits_hold() -> None:
    found = rig(long_intervals())
    source = found.run.sources[ERRORS]
    assert isinstance(source, Traffic)

    conduct(found.run)

    decided = record.of_type(found.record.list, "decision")
    assert [e["at"] for e in decided] == [1000.0 + INTERVAL * k for k in range(4)]
    assert len({end for _, end in source.reads}) > 3 * INTERVAL / SCRAPE - 6, "once a scrape"


def test_a_paused_run_still_answers_a_broken_limit() -> None:
    paused = [False]
    found = rig(long_intervals(), paused=lambda: paused[0], broken=1200.0)
    found.at(70, lambda: paused.__setitem__(0, True))

    assert conduct(found.run).outcome is Outcome.ROLLED_BACK
    assert 1200.0 < last(found)["at"] <= 1230.0, "before a paused run would have gone on"


def test_the_predecessor_s_rule_answers_a_broken_objective_of_a_paused_run() -> None:
    """Once an interval, as if the run went on; nothing else is decided meanwhile."""
    paused = [False]
    found = Rig(bundle(), paused=lambda: paused[0])
    bad, asked = metrics.connect(bundle(errors=(0.0, 0.9)).metrics, {})[ERRORS], list[float]()
    broken = bundle(errors=(0.0, 0.9)).metrics[ERRORS]

    def read(request: Any) -> Reading:
        asked.append(found.clock.now())
        late = found.clock.now() >= 1200.0
        return bad.read(replace(request, metric=broken) if late else request)

    found.run.sources[ERRORS].read = read  # type: ignore[method-assign]
    found.at(15, lambda: paused.__setitem__(0, True))
    found.at(3600, lambda: paused.__setitem__(0, False))

    assert conduct(found.run).outcome is Outcome.ROLLED_BACK
    assert found.decided() == ["90/10", "100/0"]
    assert 1200.0 <= last(found)["at"] <= 1210.0
    assert sorted(set(asked)) == [1010.0 + 10 * k for k in range(20)]
    assert [r.difference for r in replay(found.record.list)] == [None] * 2


def test_the_predecessor_s_rule_looks_when_it_decides_only() -> None:
    found = rig(long_intervals(policy=Policy(name="iter8")))
    asked: list[Any] = []
    found.run.sources[ERRORS].read = lambda request: asked.append(request) or Reading(0.0)  # type: ignore[method-assign,func-returns-value]

    conduct(found.run)

    assert [request.window for request in asked] == [None] * 8, "two versions, four iterations"
