"""Whole runs against the object store, with a clock that only moves when somebody sleeps."""

from __future__ import annotations

from typing import Any

import pytest
from rig import VS, Ready, Rig, Server, bundle, deployment, route

from crossfade import record
from crossfade.replay import replay
from crossfade.verdict import Outcome
from crossfade_steps.loop import conduct
from crossfade_steps.run import Stopped


def test_the_better_version_takes_the_baseline_s_place() -> None:
    rig = Rig(bundle())

    ended = conduct(rig.run)

    assert (ended.outcome, ended.winner) == (Outcome.PROMOTED, "v2")
    assert rig.decided() == ["90/10", "80/20", "70/30", "60/40"]
    assert rig.weights() == [100, 0]
    assert (rig.model("base"), rig.model("cand")) == ("new", None)
    assert rig.started == 1
    phases = [e["phase"] for e in record.of_type(rig.record.list, "phase")]
    assert phases == ["starting", "iterating", "promoting", "verified"]


def test_a_route_document_with_one_route_is_applied_as_it_is() -> None:
    rig = Rig(bundle(both=False))

    assert conduct(rig.run).outcome is Outcome.PROMOTED
    assert rig.weights() == [100]


def test_iterations_are_due_at_multiples_of_the_interval() -> None:
    rig = Rig(bundle())
    conduct(rig.run)

    seen = [
        e["observation"]["elapsed_seconds"] for e in record.of_type(rig.record.list, "decision")
    ]

    assert seen == [10, 20, 30, 40]


def test_the_record_replays_to_the_same_decisions() -> None:
    rig = Rig(bundle())
    conduct(rig.run)

    assert [r.difference for r in replay(rig.record.list)] == [None] * 4


def test_without_promote_documents_the_winner_keeps_all_traffic() -> None:
    rig = Rig(bundle(promote=False))

    ended = conduct(rig.run)

    assert ended.outcome is Outcome.PROMOTED
    assert rig.weights() == [0, 100]
    assert rig.model("cand") == "new"


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        pytest.param({"rewards": (2.0, 1.0)}, Outcome.KEPT, id="baseline-better"),
        pytest.param({"rewards": (1.0, 1.0)}, Outcome.INCONCLUSIVE, id="tie"),
        pytest.param({"errors": (0.0, 0.5)}, Outcome.ROLLED_BACK, id="objective-missed"),
        pytest.param({"models": ("same", "same")}, Outcome.KEPT, id="nothing-to-compare"),
    ],
)
def test_every_other_ending_restores_the_baseline_and_removes_the_candidate(
    fields: dict[str, Any], outcome: Outcome
) -> None:
    rig = Rig(bundle(**fields))

    ended = conduct(rig.run)

    assert ended.outcome is outcome
    assert rig.weights() == [100, 0]
    assert (rig.model("base") is None, rig.model("cand")) == (False, None)
    assert rig.record.list[-1]["outcome"] == outcome.value


@pytest.mark.parametrize("seconds", [5.0, 15.0, 35.0])
def test_a_stop_at_any_time_restores_the_safe_weights(seconds: float) -> None:
    rig = Rig(bundle())

    def stop() -> None:
        rig.stop = Stopped(Outcome.CANCELLED, "interrupted")

    rig.at(seconds, stop)
    ended = conduct(rig.run)

    assert ended.outcome is Outcome.CANCELLED
    assert rig.weights() == [100, 0]


def test_a_candidate_that_never_becomes_ready_fails_with_the_reason() -> None:
    rig = Rig(bundle(), readiness=Ready(cand="ImagePullBackOff"))

    ended = conduct(rig.run)

    assert ended.outcome is Outcome.FAILED
    assert "SeldonDeployment cand/m: not ready after 300 s: ImagePullBackOff" in ended.sentence
    assert rig.weights() == [100, 0]
    assert rig.decided() == []


def test_a_promoted_copy_that_does_not_answer_leaves_traffic_on_the_winner_s_own() -> None:
    rig = Rig(bundle())
    broken = Server(rig.store, broken_after="base:new")
    rig = Rig(bundle(), responder=broken)
    broken.store = rig.store

    ended = conduct(rig.run)

    assert ended.outcome is Outcome.PROMOTION_FAILED
    assert "answered 500" in ended.sentence
    assert rig.weights() == [0, 100]
    assert rig.model("cand") == "new"


def test_weights_that_somebody_else_sets_are_put_back_three_times_then_contested() -> None:
    rig = Rig(bundle())

    def meddle() -> None:
        patch = [{"op": "replace", "path": f"/spec/http/0/route/{i}/weight", "value": w}
                 for i, w in enumerate((50, 50))]  # fmt: skip
        rig.store.patch(VS, patch)

    for seconds in (5, 15, 25, 35):
        rig.at(seconds, meddle)
    ended = conduct(rig.run)

    assert ended.outcome is Outcome.CONTESTED
    assert len(rig.decided()) == 3
    seen = [e["observation"] for e in record.of_type(rig.record.list, "decision")]
    assert [each["disturbed"] for each in seen] == [1010.0, 1020.0, 1030.0]
    assert rig.weights() == [100, 0]


def test_an_existing_baseline_is_never_changed() -> None:
    rig = Rig(bundle(rewards=(2.0, 1.0)))
    rig.store.create(deployment("base", "yesterday's winner"))

    conduct(rig.run)

    assert rig.model("base") == "yesterday's winner"
    assert any("left as it is" in note for note in rig.run.notes)


def test_the_second_night_of_a_promoted_candidate_has_nothing_to_compare() -> None:
    rig = Rig(bundle())
    rig.store.create(deployment("base", "new"))
    rig.store.create(route("v2"))

    ended = conduct(rig.run)

    assert ended.outcome is Outcome.KEPT
    assert "nothing to compare" in ended.sentence
    assert rig.model("base") == "new"


def test_a_missing_destination_is_added_to_an_existing_route_at_weight_0() -> None:
    rig = Rig(bundle(rewards=(2.0, 1.0)))
    rig.store.create(route(both=False))

    conduct(rig.run)

    assert rig.weights() == [100, 0]
