"""How a run on a cluster is ended, by whom, and that nobody of it writes afterwards."""

from __future__ import annotations

from typing import Any

import pytest
from fake_kube import HEAD, WORKFLOW, Cluster, iterating
from rig import VS

from crossfade import record
from crossfade.errors import BackendError
from crossfade.verdict import Outcome
from crossfade_steps.cluster import guard, promotion
from crossfade_steps.cluster.conclude import conclude
from crossfade_steps.cluster.lease import SECONDS, Lease
from crossfade_steps.run import Stopped


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
    assert ender.run.router.write(ender.run.router.read(), {"v1": 100, "v2": 0}).weights


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
    cluster.fake.failing["Lease"] = 3
    begin = cluster.rig.clock.now()

    guard.watch_over(cluster.another())

    assert "timed out" in capsys.readouterr().out
    assert cluster.rig.clock.now() > begin
    assert cluster.weights() == [100, 0]


def test_a_route_that_cannot_be_mended_ends_the_run_with_its_reason() -> None:
    cluster = iterating()
    cluster.fake.patch(VS, [{"op": "remove", "path": "/spec/http/0/route/1"}])
    cluster.fake.delete(WORKFLOW)

    guard.watch_over(cluster.another())

    assert cluster.head()["outcome"] == "failed"
    assert "safe weights NOT restored" in cluster.head()["sentence"]


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
