"""What happens while a run waits for a person: alarms, foreign writers, counts and answers."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from fake_kube import Cluster
from rig import bundle
from traffic import ERRORS, REWARD, Traffic, counted
from waiting import INTERVAL, gated, set_node

from crossfade import record
from crossfade.errors import BackendError, CrossfadeError, SpecError
from crossfade_steps import metrics
from crossfade_steps.cluster import promotion
from crossfade_steps.cluster.awaiting import ANSWERED_SECONDS
from crossfade_steps.cluster.stage import Stage


def answers_after(cluster: Cluster, seconds: float) -> None:
    cluster.rig.at(seconds, lambda: set_node(cluster, "Succeeded"))


class Breaking:
    """Mock metrics of which the candidate's error rate is 0.9 from some time on."""

    def __init__(self, cluster: Cluster, after: float) -> None:
        self._clock, self._at = cluster.rig.clock, cluster.rig.clock.now() + after
        self._good = cluster.rig.run.sources[ERRORS]
        self._bad = metrics.connect(bundle(errors=(0.0, 0.9)).metrics, {})[ERRORS]
        self._metric = bundle(errors=(0.0, 0.9)).metrics[ERRORS]
        self.reads = 0

    def read(self, request: Any) -> Any:
        self.reads += 1
        if self._clock.now() < self._at:
            return self._good.read(request)
        return self._bad.read(replace(request, metric=self._metric))


def with_source(stage: Stage, source: Any) -> Stage:
    return replace(stage, run=replace(stage.run, sources={**stage.run.sources, ERRORS: source}))


@pytest.mark.parametrize("broken", [0.0, 20.0, 500.0])
def test_a_bare_value_that_breaks_is_answered_at_once_or_by_the_interval(broken: float) -> None:
    """One noisy point in forty scrapes ended good runs; in an iteration, too, it is judged once."""
    cluster = gated()
    begin = cluster.rig.clock.now()
    stage = with_source(cluster.another(), Breaking(cluster, broken))
    cluster.rig.at(1000, lambda: cluster.stage.store.write(control="abort"))

    told = promotion.watch(stage)

    assert cluster.head()["outcome"] == "rolled-back"
    assert told["summary"].startswith("default/errors of v2: 0.9 is above the limit 0.1")
    assert cluster.rig.clock.now() - begin <= (INTERVAL + 20 if broken else 20)
    assert cluster.weights() == [100, 0]


def test_what_breaks_right_before_the_answer_is_not_promoted() -> None:
    """Looked at once more after the yes: the last look was before it broke."""
    cluster = gated()
    stage = with_source(cluster.another(), Breaking(cluster, 9))
    answers_after(cluster, 10)

    promotion.watch(stage)

    assert cluster.head()["outcome"] == "rolled-back"


def test_an_answer_is_let_through_after_one_more_look() -> None:
    cluster = gated()
    source = Breaking(cluster, 1e6)
    answers_after(cluster, 4)

    told = promotion.watch(with_source(cluster.another(), source))

    assert told["summary"] == "approval was answered, no alarm"
    assert "outcome" not in cluster.head()
    assert source.reads == 4, "both versions, when the waiting begins and after the answer"
    assert cluster.weights() == [40, 60]


def test_an_answer_waits_for_a_look_at_the_weights(capsys: pytest.CaptureFixture[str]) -> None:
    cluster = gated()
    answers_after(cluster, 0)
    stage, begin = cluster.another(), cluster.rig.clock.now()
    read = stage.run.router.read

    def away() -> Any:
        if cluster.rig.clock.now() < begin + 60:
            raise BackendError("503")
        return read()

    stage.run.router.read = away  # type: ignore[method-assign]

    promotion.watch(stage)

    assert cluster.rig.clock.now() >= begin + 60
    assert "watch: 503" in capsys.readouterr().out


def test_weights_that_somebody_else_sets_at_the_gate_are_put_back_until_it_is_no_use() -> None:
    cluster = gated()
    for k in range(5):
        cluster.rig.at(k * INTERVAL + 30, lambda: cluster.set_weights(0, 100))

    told = promotion.watch(cluster.another())

    assert len(record.of_type(cluster.stage.entries(), "put-back")) == 3
    assert cluster.head()["outcome"] == "contested"
    assert "for the 4th time" in told["summary"]


def test_weights_set_while_nobody_looked_are_put_back_before_the_promotion() -> None:
    cluster = gated()
    cluster.rig.at(5, lambda: cluster.set_weights(50, 50))
    answers_after(cluster, 6)

    promotion.watch(cluster.another())

    assert cluster.weights() == [40, 60]
    assert record.of_type(cluster.stage.entries(), "put-back")[0]["found"] == {"v1": 50, "v2": 50}


@pytest.mark.parametrize("error", [BackendError("the API is away"), SpecError("secret k is gone")])
def test_an_answer_does_not_wait_for_ever_for_a_look_that_fails(error: CrossfadeError) -> None:
    cluster = gated()
    answers_after(cluster, 100)
    stage, begin = cluster.another(), cluster.rig.clock.now()
    read = stage.run.router.read

    def away() -> Any:
        if record.last(stage.entries(), "concluded") is None:
            raise error
        return read()

    stage.run.router.read = away  # type: ignore[method-assign]
    promotion.watch(stage)

    assert cluster.head()["outcome"] == "failed"
    assert f"no last look before the promotion: {error}" in cluster.head()["sentence"]
    assert cluster.rig.clock.now() - begin < 100 + 3 * ANSWERED_SECONDS
    assert cluster.weights() == [100, 0]


def test_objectives_are_looked_at_while_the_route_cannot_be_read() -> None:
    """Somebody took the destination away, hours before the candidate broke."""
    cluster = gated()
    stage = with_source(cluster.another(), Breaking(cluster, 700))
    read = stage.run.router.read

    def gone() -> Any:
        if cluster.rig.clock.now() > 1300 and record.last(stage.entries(), "concluded") is None:
            raise SpecError("v2 has no destination")
        return read()

    stage.run.router.read = gone  # type: ignore[method-assign]
    cluster.rig.at(5000, lambda: cluster.stage.store.write(control="abort"))
    promotion.watch(stage)

    assert cluster.head()["outcome"] == "rolled-back"


def test_a_no_waits_for_no_look() -> None:
    cluster = gated()
    stage, begin = cluster.another(), cluster.rig.clock.now()
    cluster.rig.at(10, lambda: set_node(cluster, "Succeeded", said="no"))

    def away() -> Any:
        raise BackendError("the API is away")

    stage.run.router.read = away  # type: ignore[method-assign]

    assert "no alarm" in promotion.watch(stage)["summary"]
    assert cluster.rig.clock.now() - begin < 60
    assert "outcome" not in cluster.head(), "the step that restores keeps the baseline"


def test_counts_at_the_gate_go_on_in_the_pod_that_follows() -> None:
    cluster = gated(counted())
    begin = cluster.rig.clock.now()
    sources = {key: Traffic(key, shares=lambda: (0.4, 0.6)) for key in (ERRORS, REWARD)}
    stage = cluster.another()
    stage = replace(stage, run=replace(stage.run, sources=sources))

    def die() -> None:
        raise KeyboardInterrupt

    cluster.rig.at(INTERVAL + 100, die)
    with pytest.raises(KeyboardInterrupt):
        promotion.watch(stage)
    kept = json.loads(cluster.head()["gate"])
    assert kept["iteration"] == 4
    assert begin + INTERVAL - 30 < kept["state"]["until"] <= begin + INTERVAL + 5

    sources[ERRORS].reads.clear()
    answers_after(cluster, 10)
    promotion.watch(stage)

    assert {since for since, _ in sources[ERRORS].reads} == {kept["state"]["until"]}


def test_counts_that_prove_a_broken_limit_between_two_intervals_end_the_run() -> None:
    cluster = gated(counted())
    begin = cluster.rig.clock.now()
    sources = {key: Traffic(key, broken=begin + 100, shares=lambda: (0.4, 0.6))
               for key in (ERRORS, REWARD)}  # fmt: skip
    stage = cluster.another()

    told = promotion.watch(replace(stage, run=replace(stage.run, sources=sources)))

    assert cluster.head()["outcome"] == "rolled-back"
    assert "proven not" in told["summary"]
    assert cluster.rig.clock.now() - begin < 300
