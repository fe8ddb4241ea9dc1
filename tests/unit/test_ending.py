"""How a run on a cluster is ended, by whom, and that nobody of it writes afterwards."""

from __future__ import annotations

from typing import Any

import pytest
from fake_kube import HEAD, WORKFLOW, Cluster, iterating
from rig import VS

from crossfade import record
from crossfade.errors import BackendError
from crossfade.verdict import Outcome
from crossfade_steps import promote, safety
from crossfade_steps.cluster import guard, promotion, steps
from crossfade_steps.cluster.conclude import conclude
from crossfade_steps.cluster.lease import SECONDS, Lease, Leases
from crossfade_steps.deploy import parse_name, uid
from crossfade_steps.ports import ObjectKey
from crossfade_steps.run import EndedElsewhere, Stopped


def outcomes(cluster: Cluster) -> list[str]:
    entries = cluster.stage.entries()
    return [str(entry["outcome"]) for entry in record.of_type(entries, "outcome")]


def test_the_guard_ends_a_run_whose_workflow_is_gone() -> None:
    cluster = iterating()
    cluster.fake.delete(WORKFLOW)

    guard.watch_over(cluster.another())

    assert cluster.weights() == [100, 0]
    assert (outcomes(cluster), cluster.head()["outcome"]) == (["cancelled"], "cancelled")


def test_nobody_of_a_run_writes_after_who_ends_it() -> None:
    """A step that had read its metrics when the Workflow was deleted is not heard any more."""
    cluster = iterating()
    late = cluster.another()
    before = late.run.router.read()
    cluster.fake.delete(WORKFLOW)
    ender = cluster.another()
    ender.lease.take(ending=True)

    with pytest.raises(Stopped, match="is being ended already"):
        late.run.router.write(before, {"v1": 50, "v2": 50})
    written = ender.run.router.write(ender.run.router.read(), {"v1": 100, "v2": 0})
    assert dict(written.weights) == {"v1": 100, "v2": 0}


def test_a_write_that_slipped_through_is_taken_back_before_the_outcome() -> None:
    cluster = iterating()
    cluster.set_weights(100, 0)
    deleted = cluster.fake.delete

    def slips_through(key: Any, **more: Any) -> None:
        if key.kind == "SeldonDeployment":
            cluster.set_weights(60, 40)
        deleted(key, **more)

    cluster.fake.delete = slips_through  # type: ignore[method-assign]
    cluster.stage.store.append(record.created("SeldonDeployment/cand/m", "1"))
    cluster.fake.patch(WORKFLOW, [{"op": "add", "path": "/spec/shutdown", "value": "Stop"}])

    conclude(cluster.another())

    assert cluster.weights() == [100, 0]


def test_an_outcome_that_only_the_record_has_is_told_to_everybody() -> None:
    """Its recorder died between the two writes: nobody would ever see that the run has ended."""
    cluster = iterating()
    entry = record.outcome(Outcome.ROLLED_BACK, "error-rate is broken", None)
    stage = cluster.stage
    summarize, stage.store.summarize = stage.store.summarize, lambda entry: None  # type: ignore[method-assign]
    stage.store.append(entry)
    stage.store.summarize = summarize  # type: ignore[method-assign]
    assert "outcome" not in cluster.head()

    ended = conclude(cluster.another())

    assert ended.outcome is Outcome.ROLLED_BACK
    assert cluster.head()["outcome"] == "rolled-back"
    assert cluster.stage.lease.owner() is None
    assert outcomes(cluster) == ["rolled-back"]


def test_the_guard_rests_between_two_tries(capsys: pytest.CaptureFixture[str]) -> None:
    cluster = iterating()
    cluster.fake.delete(WORKFLOW)
    stage = cluster.another()
    cluster.rig.at(60, lambda: setattr(cluster, "healed", True))
    summarize = stage.store.summarize

    def refused(entry: Any) -> None:
        if entry["type"] == "outcome" and not cluster.healed:
            raise BackendError("timed out")
        summarize(entry)

    stage.store.summarize = refused  # type: ignore[method-assign]

    guard.watch_over(stage)

    told = capsys.readouterr().out.count("guard: timed out")
    assert 25 <= told <= 31, "every 2 s for a minute"
    assert (outcomes(cluster), cluster.head()["outcome"]) == (["cancelled"], "cancelled")


def test_a_route_that_cannot_be_mended_ends_the_run_with_its_reason() -> None:
    cluster = iterating()
    cluster.fake.patch(VS, [{"op": "remove", "path": "/spec/http/0/route/1"}])
    cluster.fake.delete(WORKFLOW)

    guard.watch_over(cluster.another())

    assert cluster.head()["outcome"] == "failed"
    assert (
        "cancelled as far as it went, but safe weights are NOT restored"
        in cluster.head()["sentence"]
    )


def test_weights_that_somebody_set_to_0_are_restored_too() -> None:
    """No split can be read there, and every request is answered by an error."""
    cluster = iterating()
    cluster.set_weights(0, 0)
    cluster.fake.delete(WORKFLOW)

    guard.watch_over(cluster.another())

    assert cluster.weights() == [100, 0]
    assert cluster.head()["outcome"] == "cancelled"


def test_the_guard_keeps_the_lease_while_no_weight_changes() -> None:
    cluster = iterating()
    other = Lease(cluster.stage.kube, VS, "shop/other-1", cluster.rig.clock)
    cluster.rig.at(SECONDS + 60, lambda: cluster.stage.store.write(outcome="kept"))

    guard.watch_over(cluster.another())

    assert cluster.rig.clock.now() > 1000 + SECONDS
    with pytest.raises(BackendError, match="is being changed by run default/web-1"):
        other.take()


def test_an_abort_that_no_step_hears_is_heard_by_the_guard() -> None:
    """Between two pods of long intervals, or at a gate, no step is awake."""
    cluster = iterating()
    cluster.stage.store.write(**{"control": "abort", "control-by": "alice"})

    guard.watch_over(cluster.another())

    assert guard.PATIENCE_SECONDS <= cluster.rig.clock.now() - 1000 < 40
    assert cluster.weights() == [100, 0]
    assert cluster.head()["sentence"] == "aborted by alice: the baseline serves all traffic"
    assert outcomes(cluster) == ["cancelled"]


def test_an_abort_does_not_break_a_promotion_off() -> None:
    cluster = iterating()
    cluster.stage.store.append(record.phase("promoting", {"v1": 0, "v2": 100}))
    cluster.set_weights(0, 100)
    cluster.stage.store.write(control="abort")
    cluster.rig.at(60, lambda: cluster.stage.store.write(outcome="promoted"))

    guard.watch_over(cluster.another())

    assert (cluster.weights(), cluster.head()["outcome"]) == ([0, 100], "promoted")


def test_an_abort_while_approval_is_awaited_ends_the_run_at_once() -> None:
    cluster = iterating()
    cluster.set_weights(5, 95)
    cluster.stage.store.write(**{"control": "abort", "control-by": "alice"})

    told = promotion.watch(cluster.another())

    assert told["summary"] == "aborted by alice: the baseline serves all traffic"
    assert cluster.weights() == [100, 0]
    assert cluster.head()["outcome"] == "cancelled"
    assert (cluster.fake.get(HEAD) or {})["data"]["phase"] == "iterating"


def test_a_promotion_that_begins_while_the_run_is_ended_moves_nobody() -> None:
    """The ender goes by the record that it read: the candidate's copy is removed meanwhile."""
    cluster = iterating()
    stored = cluster.fake.get(parse_name("SeldonDeployment/cand/m")) or {}
    cluster.stage.store.append(record.created("SeldonDeployment/cand/m", uid(stored)))
    cluster.fake.delete(WORKFLOW)
    late, deleted = cluster.another(), cluster.fake.delete

    def begins(key: Any, **more: Any) -> None:
        if key.kind == "SeldonDeployment":
            safety.enter(late.run, safety.Phase.PROMOTING, {"v1": 0, "v2": 100})
        deleted(key, **more)

    cluster.fake.delete = begins  # type: ignore[method-assign]

    conclude(cluster.another())

    assert cluster.weights() == [100, 0]


def test_a_promotion_does_not_begin_once_the_run_is_ended_elsewhere() -> None:
    cluster = iterating()
    late = cluster.another()
    cluster.another().lease.take(ending=True)

    with pytest.raises(EndedElsewhere):
        promote.promote(late.run, promote.plan_promotion(late.run, "v2", {}, {}))
    assert [e["phase"] for e in record.of_type(late.entries(), "phase")] == ["iterating"]


def test_a_part_that_is_not_asked_any_more_has_no_word_in_the_outcome() -> None:
    cluster = iterating()
    stop = EndedElsewhere(Outcome.CANCELLED, "run default/web-1 is being ended already")

    steps.stopped(cluster.stage, "restore", stop)

    assert record.last(cluster.stage.entries(), "concluded") is None


def test_what_is_concluded_first_counts() -> None:
    """An alarm's rollback stays one, though somebody aborts before it is carried out."""
    cluster = iterating()
    cluster.stage.store.append(record.concluded(Outcome.ROLLED_BACK, "error-rate is broken", None))
    cluster.stage.store.write(control="abort")
    steps.stopped(cluster.another(), "watch", Stopped(Outcome.CANCELLED, "aborted"))

    guard.watch_over(cluster.another())

    assert outcomes(cluster) == ["rolled-back"]
    assert len(record.of_type(cluster.stage.entries(), "concluded")) == 1


def test_two_that_end_a_run_at_once_record_one_outcome() -> None:
    cluster = iterating()
    cluster.fake.delete(WORKFLOW)
    second, deleted = cluster.another(), cluster.fake.delete

    def meanwhile(key: Any, **more: Any) -> None:
        cluster.fake.delete = deleted  # type: ignore[method-assign]
        conclude(second)
        deleted(key, **more)

    stored = cluster.fake.get(parse_name("SeldonDeployment/cand/m")) or {}
    cluster.stage.store.append(record.created("SeldonDeployment/cand/m", uid(stored)))
    cluster.stage.store.append(record.deployed({"v2": ["SeldonDeployment/cand/m"]}, {}))
    cluster.fake.delete = meanwhile  # type: ignore[method-assign]

    assert conclude(cluster.another()).outcome is Outcome.CANCELLED
    assert outcomes(cluster) == ["cancelled"]


def test_the_guard_keeps_a_lease_that_is_marked() -> None:
    cluster = iterating()
    cluster.another().lease.take(ending=True)
    cluster.rig.at(SECONDS + 60, lambda: cluster.stage.store.write(outcome="kept"))

    guard.watch_over(cluster.another())

    other = Lease(cluster.stage.kube, VS, "shop/other-1", cluster.rig.clock)
    with pytest.raises(BackendError, match="is being changed by run default/web-1"):
        other.take()


def test_who_fails_to_take_every_lease_gives_up_none_that_was_its_own() -> None:
    cluster = iterating()
    kube, clock = cluster.stage.kube, cluster.rig.clock
    second = ObjectKey(VS.group, VS.kind, VS.namespace, "zz")
    mine = [Lease(kube, key, "default/web-1", clock) for key in (VS, second)]
    Lease(kube, second, "shop/other-1", clock).take()

    with pytest.raises(BackendError, match="shop/other-1"):
        Leases(mine).take()

    mine[0].hold()


def test_no_load_is_started_for_a_run_that_is_over() -> None:
    cluster = iterating()
    cluster.stage.store.append(record.concluded(Outcome.CANCELLED, "aborted by alice", None))

    told = steps.start_load(cluster.another())

    assert told["summary"] == "aborted by alice"
    assert record.last(cluster.stage.entries(), "started") is None
