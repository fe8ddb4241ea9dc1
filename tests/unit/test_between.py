"""The guard between two pods of long intervals."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fake_kube import iterating
from rig import Rig, bundle
from traffic import ERRORS, REWARD, Traffic, counted

from crossfade import record
from crossfade.spec.rollout import Loop
from crossfade_steps.cluster import guard
from crossfade_steps.cluster.between import Between
from crossfade_steps.loop import conduct


@pytest.mark.parametrize("loop", ["nodes", "pod"])
def test_between_two_pods_of_long_intervals_the_guard_looks_for_broken_limits(loop: str) -> None:
    whole = counted(loop=Loop(loop))
    spec = whole.experiment.model_dump(mode="json", by_alias=True)
    spec["spec"]["duration"]["intervalSeconds"] = 120
    experiment = type(whole.experiment).model_validate(spec)
    cluster = iterating(whole.model_copy(update={"experiment": experiment}))
    begin = cluster.rig.clock.now()
    cluster.stage.store.append(record.started(begin))
    stage = cluster.another()
    sources = {key: Traffic(key, broken=begin + 30, shares=lambda: (0.7, 0.3))
               for key in (ERRORS, REWARD)}  # fmt: skip
    stage = replace(stage, run=replace(stage.run, sources=sources))
    cluster.rig.at(100, lambda: cluster.head().get("outcome")
                   or cluster.stage.store.write(outcome="kept"))  # fmt: skip

    guard.watch_over(stage)

    if loop == "pod":  # its own container looks
        assert cluster.head()["outcome"] == "kept"
        return
    assert cluster.head()["outcome"] == "rolled-back"
    assert cluster.rig.clock.now() - begin < 45
    assert cluster.weights() == [100, 0]
    assert record.last(cluster.stage.entries(), "decision") is not None


def test_the_guard_does_not_look_after_the_last_decision() -> None:
    """The winner waits for a person or for capacity: what decides then is another step."""
    cluster = iterating()
    begin = cluster.rig.clock.now()
    conducted = Rig(bundle())
    conduct(conducted.run)
    for entry in conducted.record.list:
        if entry["type"] in ("decision", "applied"):
            cluster.stage.store.append(entry)
    cluster.stage.store.append(record.started(begin))
    stage = cluster.another()

    assert Between(stage)._turn(cluster.head()) == (None, 0.0)
