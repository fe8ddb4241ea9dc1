"""What an abort, the guard and the pod that follows make of the weights in force."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from decisions import OLD, decision
from fake_kube import iterating
from rig import bundle
from traffic import ERRORS, REWARD, Traffic, counted

from crossfade import record
from crossfade.errors import BackendError
from crossfade.verdict import Outcome
from crossfade_steps.applying import resume
from crossfade_steps.cluster import promotion, steps
from crossfade_steps.cluster.between import Between
from crossfade_steps.cluster.store import UID


def test_an_abort_of_a_promotion_under_way_does_not_break_it_off() -> None:
    """A pod that follows a lost one meets the abort with all traffic on the winner."""
    cluster = iterating(bundle(promote=False).model_copy(update={"verify": None}))
    stage = cluster.stage
    won = replace(decision(OLD, OLD), winner="v2", outcome=Outcome.PROMOTED)
    stage.store.append(record.decision(record.Observation(3, 30, OLD), won, {}))
    stage.store.append(record.deployed({"v1": ("SeldonDeployment/base/m",)}, {}))
    stage.store.append(record.phase("promoting", {"v1": 0, "v2": 100}))
    cluster.set_weights(0, 100)
    stage.store.write(**{"control": "abort", "control-by": "ann"})

    promotion.promote_step(cluster.another())
    promotion.verify_step(cluster.another())
    outcome = steps.finish(cluster.another(), cluster.head()[UID])

    assert outcome["outcome"] == "promoted", outcome
    assert "v2 serves all traffic" in outcome["summary"]
    assert cluster.weights() == [0, 100]


def test_an_abort_before_anything_was_moved_says_what_serves() -> None:
    cluster = iterating()
    stage = cluster.stage
    stage.store.append(record.phase("starting", {"v1": 40, "v2": 60}))
    cluster.set_weights(40, 60)
    stage.store.write(**{"control": "abort", "control-by": "ann"})

    outcome = steps.finish(cluster.another(), cluster.head()[UID])

    assert outcome["summary"] == "aborted by ann: weights are as they were found"
    assert cluster.weights() == [40, 60]


@pytest.mark.parametrize(("after", "seen"), [(118, False), (125, False), (155, True)])
def test_the_guard_looks_again_when_the_next_pod_does_not_come(after: int, seen: bool) -> None:
    cluster, stage = long_run(120)
    begin = cluster.rig.clock.now()
    cluster.rig.clock.time = begin + after

    found = Between(stage).broken(cluster.head())

    assert (found is not None) is seen


def long_run(interval: int = 3600) -> tuple[Any, Any]:
    """Return a run of long intervals at 70/30 whose candidate breaks after 30 s, and its guard."""
    whole = counted()
    spec = whole.experiment.model_dump(mode="json", by_alias=True)
    spec["spec"]["duration"]["intervalSeconds"] = interval
    experiment = type(whole.experiment).model_validate(spec)
    cluster = iterating(whole.model_copy(update={"experiment": experiment}))
    begin = cluster.rig.clock.now()
    cluster.stage.store.append(record.started(begin))
    sources = {key: Traffic(key, broken=begin + 30, shares=lambda: (0.7, 0.3))
               for key in (ERRORS, REWARD)}  # fmt: skip
    stage = cluster.another()
    return cluster, replace(stage, run=replace(stage.run, sources=sources))


def test_the_guard_looks_also_while_a_run_is_paused() -> None:
    cluster, stage = long_run()
    cluster.stage.store.write(control="pause")
    cluster.rig.clock.time += 100

    assert Between(stage).broken(cluster.head()) is not None


def test_what_may_have_been_written_is_watched() -> None:
    """The decision was 100/0 -> 70/30 and its write got no answer: 70/30 is in force."""
    cluster, stage = long_run()
    old, new = {"v1": 100, "v2": 0}, {"v1": 70, "v2": 30}
    store = cluster.stage.store
    store.append(record.decision(record.Observation(3, 30, old), decision(old, new), {}))
    store.append(record.not_applied(3, "no answer", None, new))
    cluster.rig.clock.time += 100

    assert Between(stage).broken(cluster.head()) is not None


def test_weights_that_may_have_been_written_are_our_own() -> None:
    """The iteration after such a write decides by the old ones, and is applied in the next pod."""
    cluster = iterating(None, 50, 50)
    old, tried, new = {"v1": 70, "v2": 30}, {"v1": 50, "v2": 50}, {"v1": 100, "v2": 0}
    store = cluster.stage.store
    store.append(record.decision(record.Observation(3, 30, old), decision(old, tried), {}))
    store.append(record.not_applied(3, "no answer", None, tried))
    last = replace(decision(old, new), iteration=4)
    store.append(record.decision(record.Observation(4, 40, old), last, {}))

    assert resume(cluster.another().run).weights == new


def test_a_person_is_waited_for_while_the_api_is_away(capsys: pytest.CaptureFixture[str]) -> None:
    cluster = iterating()
    get, calls = cluster.fake.get, [0]

    def blinking(key: Any) -> Any:
        if key.kind == "Workflow":
            calls[0] += 1
            if calls[0] < 9:
                raise BackendError("503")
        return get(key)

    cluster.fake.get = blinking  # type: ignore[method-assign]
    cluster.rig.at(30, lambda: cluster.stage.store.write(control="abort"))

    assert "aborted" in promotion.watch(cluster.another())["summary"]
    assert calls[0] >= 9
    assert "watch: 503" in capsys.readouterr().out
