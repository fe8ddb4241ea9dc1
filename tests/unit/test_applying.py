"""What is in force after a decision: all of it, the part that took no capacity, or nobody knows."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
from decisions import NEW, OLD, decision
from rig import VS, Ready, Rig, bundle, deployment, route, set_weights

from crossfade import record
from crossfade.errors import BackendError
from crossfade.spec.rollout import Bundle
from crossfade.verdict import Outcome
from crossfade_steps.applying import apply, recorded, resume
from crossfade_steps.loop import conduct
from crossfade_steps.promote import plan_promotion, promote
from crossfade_steps.run import Stopped


def three() -> Bundle:
    """Return a rollout of a baseline and two candidates."""
    whole, routes = bundle(), route()
    spec = whole.experiment.model_dump(mode="json", by_alias=True, exclude_none=True)
    other = copy.deepcopy(spec["spec"]["versionInfo"]["candidates"][0])
    other["name"], other["weightObjRef"]["fieldPath"] = "v3", ".spec.http[0].route[2].weight"
    spec["spec"]["versionInfo"]["candidates"].append(other)
    spec["spec"]["strategy"]["testingPattern"] = "A/B/N"
    third = copy.deepcopy(routes["spec"]["http"][0]["route"][1])
    third["destination"]["host"] = "m-p.third.svc.cluster.local"
    routes["spec"]["http"][0]["route"].append(third)
    experiment = type(whole.experiment).model_validate(spec)
    parts = (*whole.deploy[:2], deployment("third", "x"), routes)
    return whole.model_copy(update={"experiment": experiment, "deploy": parts})


def stored(whole: Bundle, *weights: int, **run: Any) -> Rig:
    rig = Rig(whole, **run)
    for manifest in whole.deploy:
        rig.store.create(manifest)
    set_weights(rig, *weights)
    return rig


def test_who_is_to_lose_traffic_does_not_wait_for_another_one_s_capacity() -> None:
    rig = stored(three(), 60, 20, 20, readiness=Ready(third="1 of 2 available"))
    old = {"v1": 60, "v2": 20, "v3": 20}

    found = apply(rig.run, decision(old, {"v1": 70, "v2": 0, "v3": 30}))

    assert rig.weights() == [80, 0, 20]
    assert found.weights == {"v1": 80, "v2": 0, "v3": 20}
    told = record.last(rig.record.list, "not-applied") or {}
    assert "1 of 2 available" in told["reason"]
    assert told["weights"] == found.weights


class Losing:
    """A router whose answers get lost: ``stored`` tells whether the write was carried out."""

    def __init__(self, router: Any, *, stored: bool, reads: int = 0) -> None:
        self._router, self._stored, self._reads = router, stored, reads
        self._lost = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._router, name)

    def read(self) -> Any:
        if self._lost and self._reads:
            self._reads -= 1
            raise BackendError("no answer")
        return self._router.read()

    def write(self, state: Any, weights: Any) -> Any:
        if self._lost:
            return self._router.write(state, weights)
        self._lost = True
        if self._stored:
            self._router.write(state, weights)
        raise BackendError("no answer")


@pytest.mark.parametrize("stored_", [True, False])
def test_after_a_write_without_an_answer_it_is_looked_what_is_in_force(stored_: bool) -> None:
    rig = stored(bundle(), 90, 10)
    run = replace(rig.run, router=Losing(rig.run.router, stored=stored_))

    found = apply(run, decision(OLD, NEW))

    assert found.weights == (NEW if stored_ else OLD)
    assert rig.record.list[-1]["type"] == ("applied" if stored_ else "not-applied")
    assert rig.record.list[-1]["weights"] == found.weights


def test_a_write_of_our_own_is_no_foreign_writer_s() -> None:
    """Neither in this container nor in the one that follows it."""
    rig = stored(bundle(), 90, 10)
    rig.record.append(record.header("run", rig.run.bundle, rig.clock.now()))
    observed = record.Observation(3, 30, OLD)
    rig.record.append(record.decision(observed, decision(OLD, NEW), {}))
    run = replace(rig.run, router=Losing(rig.run.router, stored=True, reads=1))

    found = apply(run, decision(OLD, NEW))

    assert (found.weights, found.tried) == (OLD, NEW)
    progress, known = recorded(rig.run)
    assert (progress.weights, progress.tried, known) == (OLD, NEW, True)
    ended = conducted_from(rig)
    assert ended == []


def conducted_from(rig: Rig) -> list[Any]:
    """Return what was put back or contested in the rest of a run."""
    from crossfade_steps.iteration import iterate

    iterate(rig.run, rig.clock.now() - 30)
    return record.of_type(rig.record.list, "put-back")


def test_a_run_whose_every_second_write_gets_no_answer_is_not_contested() -> None:
    rig, count = Rig(bundle()), [0]
    patch = rig.store.patch

    def flaky(key: Any, operations: Any) -> Any:
        done = patch(key, operations)
        count[0] += key == VS
        if key == VS and count[0] % 2:
            raise BackendError("no answer")
        return done

    rig.store.patch = flaky  # type: ignore[method-assign]

    conduct(rig.run)

    assert record.of_type(rig.record.list, "put-back") == []
    assert rig.decided() == ["90/10", "80/20", "70/30", "60/40"]


def test_one_failed_look_at_the_routes_ends_no_run() -> None:
    rig, reads = Rig(bundle()), [0]
    read = rig.run.router.read

    def blinking() -> Any:
        reads[0] += 1
        if reads[0] % 3 == 0 and rig.started:
            raise BackendError("503")
        return read()

    rig.run.router.read = blinking  # type: ignore[method-assign]

    assert conduct(rig.run).outcome is Outcome.PROMOTED


def test_a_decision_that_was_written_in_part_is_our_own_after_a_loss() -> None:
    rig = stored(three(), 80, 0, 20, readiness=Ready(third="1 of 2 available"))
    old, new = {"v1": 60, "v2": 20, "v3": 20}, {"v1": 70, "v2": 0, "v3": 30}
    rig.record.append(record.decision(record.Observation(3, 30, old), decision(old, new), {}))

    assert resume(rig.run).weights == {"v1": 80, "v2": 0, "v3": 20}


def test_weights_in_force_in_a_window_are_those_from_before_it_and_all_later_ones() -> None:
    rig = stored(bundle(), 70, 30)
    for at, weights in ((1010.0, OLD), (1020.0, NEW), (1030.0, {"v1": 70, "v2": 30})):
        rig.record.append(record.decision(record.Observation(3, 30, OLD), decision(OLD, NEW), {}))
        rig.record.append(record.at(record.applied(3, weights), at))

    progress, _ = recorded(rig.run)

    assert progress.within(1025.0) == (NEW, {"v1": 70, "v2": 30})
    assert progress.within(1035.0) == ({"v1": 70, "v2": 30},)


def test_a_promotion_that_stands_is_not_done_again() -> None:
    rig = Rig(bundle())
    conduct(rig.run)
    before = list(rig.record.list)
    rig.record.list = [e for e in before if e["type"] not in ("outcome", "settled")]
    weights = rig.store.get(VS)
    rig.stop = Stopped(Outcome.CANCELLED, "aborted by ann")
    hosts = {"v1": ("m-p.base", 80), "v2": ("m-p.cand", 80)}

    told = promote(rig.run, plan_promotion(rig.run, "v2", hosts, {}))

    assert "v2 serves all traffic" in told
    assert rig.store.get(VS) == weights
    assert record.last_phase(rig.record.list) == record.last_phase(before)
