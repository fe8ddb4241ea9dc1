"""What holds when a run is cut off, contended for, or ordered about."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from rig import Rig, bundle, resumed, set_weights

from crossfade import record
from crossfade.replay import replay
from crossfade.verdict import Decision, Outcome
from crossfade_steps.applying import apply, recorded, resume
from crossfade_steps.iteration import evaluate, iterate
from crossfade_steps.loop import conduct
from crossfade_steps.ports import ObjectKey
from crossfade_steps.run import Stopped


@pytest.mark.parametrize("applied", [True, False], ids=["applied", "not-yet-applied"])
def test_a_recorded_decision_is_never_made_again(applied: bool) -> None:
    rig = Rig(bundle())
    conduct(rig.run)
    second = next(i for i, e in enumerate(rig.record.list)
                  if e["type"] == "decision" and e["decision"]["iteration"] == 2)  # fmt: skip
    again = resumed(rig, rig.record.list[: second + 1])
    set_weights(again, *((80, 20) if applied else (90, 10)))

    last = iterate(again.run, again.clock.now())

    assert last.outcome is Outcome.PROMOTED
    assert again.decided() == ["90/10", "80/20", "70/30", "60/40"]
    assert [r.difference for r in replay(again.record.list)] == [None] * 4


def test_weights_of_neither_side_of_the_last_decision_are_put_back_and_counted() -> None:
    """Also those that were set while nobody was there to apply the decision."""
    rig = Rig(bundle())
    conduct(rig.run)
    first = next(i for i, e in enumerate(rig.record.list) if e["type"] == "decision")
    again = resumed(rig, rig.record.list[: first + 1])
    set_weights(again, 42, 58)

    progress = resume(again.run)

    assert again.weights() == [90, 10]
    assert (progress.drifts, progress.disturbed) == (1, again.clock.now())
    assert record.of_type(again.record.list, "put-back")[0]["found"] == {"v1": 42, "v2": 58}
    kept, applied = recorded(again.run)
    assert (kept.drifts, kept.disturbed, applied) == (1, again.clock.now(), True)
    evaluate(again.run, progress, 2, again.clock.now())
    decided = record.last(again.record.list, "decision") or {}
    assert decided["observation"]["disturbed"] == progress.disturbed, "no evidence for iteration 2"


def test_who_writes_while_metrics_are_read_is_counted_until_the_run_is_contested() -> None:
    """Between the look at the weights and the write, which is up to a query's budget."""
    rig = Rig(bundle())
    source, read = rig.run.sources["default/r"], rig.run.sources["default/r"].read

    def meddling(request: Any) -> Any:
        set_weights(rig, 50, 50)
        return read(request)

    source.read = meddling  # type: ignore[method-assign]

    ended = conduct(rig.run)

    assert ended.outcome is Outcome.CONTESTED
    assert "{'v1': 50, 'v2': 50} instead of {'v1': 70, 'v2': 30} for the 4th time" in ended.sentence
    assert len(record.of_type(rig.record.list, "put-back")) == 3
    seen = [e["observation"]["disturbed"] for e in record.of_type(rig.record.list, "decision")]
    assert seen == [0.0, 1010.0, 1020.0, 1030.0]
    assert rig.weights() == [100, 0]


def test_a_fault_is_answered_however_often_somebody_else_wrote() -> None:
    rig = Rig(bundle())
    for manifest in rig.run.bundle.deploy:
        rig.store.create(manifest)
    set_weights(rig, 42, 58)
    for _ in range(3):
        rig.record.append(record.put_back({"v1": 50, "v2": 50}, {"v1": 90, "v2": 10}))
    old = {"v1": 90, "v2": 10}
    failed = Decision(iteration=1, old=old, weights={"v1": 100, "v2": 0}, verdicts=(), best=(),
                      winner=None, reason="", outcome=Outcome.ROLLED_BACK)  # fmt: skip

    assert apply(rig.run, failed).weights == rig.run.all_baseline
    set_weights(rig, 42, 58)
    with pytest.raises(Stopped, match="5th time"):
        apply(rig.run, replace(failed, outcome=None))


def test_a_run_that_has_ended_is_not_continued() -> None:
    rig = Rig(bundle())
    conduct(rig.run)
    decisions = [e for e in rig.record.list if e["type"] in ("run", "decision")]
    again = resumed(rig, decisions)
    set_weights(again, 60, 40)

    assert iterate(again.run, again.clock.now()).iteration == 4
    assert len(again.decided()) == 4


def test_a_run_that_is_stopped_before_anything_was_measured_is_cancelled() -> None:
    """C20: nothing measured is no success."""
    rig = Rig(bundle())
    rig.stop = Stopped(Outcome.CANCELLED, "interrupted")

    assert conduct(rig.run).outcome in (Outcome.CANCELLED, Outcome.FAILED)
    assert rig.decided() == []
    assert rig.weights() == [100, 0]


def test_weight_0_comes_before_anything_is_removed() -> None:
    """C37: whatever scaling or deleting does afterwards, no traffic is left on the candidate."""
    rig = Rig(bundle(rewards=(2.0, 1.0)))
    seen: list[list[int]] = []
    delete = rig.store.delete

    def watched(key: ObjectKey, *, uid: str | None = None) -> None:
        seen.append(rig.weights())
        delete(key, uid=uid)

    rig.store.delete = watched  # type: ignore[method-assign]
    rig.at(35, lambda: set_weights(rig, 70, 30))

    conduct(rig.run)

    assert seen == [[100, 0]]
    assert rig.model("cand") is None


def test_another_run_of_the_same_rollout_decides_anew() -> None:
    """C41: nothing of an earlier run's analysis is taken for this one's."""
    first, second = Rig(bundle()), Rig(bundle(rewards=(2.0, 1.0)))

    assert conduct(first.run).outcome is Outcome.PROMOTED
    assert conduct(second.run).outcome is Outcome.KEPT


def test_a_person_may_order_a_promotion_and_it_replays() -> None:
    orders: list[tuple[str, str]] = []
    rig = Rig(bundle(rewards=(2.0, 1.0)), order=lambda: orders[0] if orders else None)
    rig.at(15, lambda: orders.append(("alice", "v2")))

    ended = conduct(rig.run)

    assert (ended.outcome, ended.winner) == (Outcome.PROMOTED, "v2")
    assert "alice ordered the promotion of v2; by itself: " in ended.sentence
    assert len(rig.decided()) == 2
    assert rig.model("base") == "new"
    assert [r.difference for r in replay(rig.record.list)] == [None] * 2


def test_an_order_does_not_overrule_an_objective_that_is_broken() -> None:
    rig = Rig(bundle(errors=(0.0, 0.5)), order=lambda: ("alice", "v2"))

    assert conduct(rig.run).outcome is Outcome.ROLLED_BACK
    assert rig.weights() == [100, 0]


def test_an_order_is_not_followed_while_that_version_misses_an_objective() -> None:
    """Also where the experiment does not roll back for it."""
    whole = bundle(errors=(0.0, 0.5))
    spec = whole.experiment.model_dump(mode="json", by_alias=True)
    spec["spec"]["criteria"]["objectives"][0]["rollback_on_failure"] = False
    update = {"experiment": type(whole.experiment).model_validate(spec)}
    rig = Rig(whole.model_copy(update=update), order=lambda: ("alice", "v2"))

    ended = conduct(rig.run)

    assert ended.outcome is not Outcome.PROMOTED
    assert (
        "not promoted as alice ordered: default/errors of v2: 0.5 is above the limit"
        in ended.sentence
    )
    assert rig.weights() == [100, 0]
    assert {r.difference for r in replay(rig.record.list)} == {None}
