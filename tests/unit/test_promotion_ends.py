"""A promotion that fails, wherever it does: traffic is on a copy that was seen to be good."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from fake_kube import WORKFLOW, Cluster, iterating
from rig import VS, Rig, Server, bundle

from crossfade import record
from crossfade.errors import BackendError, SpecError
from crossfade.verdict import Decision, Observation, Outcome
from crossfade_steps import promote
from crossfade_steps.cluster import guard, promotion, steps
from crossfade_steps.cluster.conclude import conclude
from crossfade_steps.cluster.lease import Lease
from crossfade_steps.cluster.verified import look_once_more, plan_of
from crossfade_steps.deploy import parse_name, uid
from crossfade_steps.loop import conduct
from crossfade_steps.ports import Response
from crossfade_steps.run import StepFailed, Stopped

OWN = "SeldonDeployment/cand/m"
HOSTS = {f"v{i}": (f"m-p.{ns}.svc.cluster.local", 8000) for i, ns in ((1, "base"), (2, "cand"))}


class Broken:
    """Users' way in answers 500."""

    def send(self, *request: Any) -> Response:
        return Response(500, {}, b"broken")


class Raising:
    """Cannot ask at all."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def send(self, *request: Any) -> Response:
        raise self._error


def won() -> Cluster:
    """Return a run that has decided for v2, whose copy it made."""
    cluster = iterating()
    server = cluster.rig.run.responder
    assert isinstance(server, Server)
    server.store = cluster.fake
    decided = Decision(
        iteration=4, old={"v1": 70, "v2": 30}, weights={"v1": 70, "v2": 30}, winner="v2",
        best=("v2",), outcome=Outcome.PROMOTED, reason="v2 is best", verdicts=(),
    )  # fmt: skip
    store, made = cluster.stage.store, cluster.fake.get(parse_name(OWN)) or {}
    store.append(record.created(OWN, uid(made)))
    store.append(record.deployed({"v1": ["SeldonDeployment/base/m"], "v2": [OWN]}, HOSTS))
    store.append(record.decision(Observation(4, 40, decided.old), decided, {}))
    return cluster


def promoted() -> Cluster:
    """Return a run whose promotion was carried out, before the last look."""
    cluster = won()
    promotion.promote_step(cluster.another())
    assert (cluster.weights(), cluster.head()["phase"]) == ([100, 0], "verified")
    return cluster


def break_gateway(cluster: Cluster) -> None:
    cluster.rig.run = replace(cluster.rig.run, responder=Broken())


def serves(cluster: Cluster) -> tuple[list[int], str, bool]:
    """Return the weights, which version the first route names, and whether the copy is there."""
    route = (cluster.fake.get(VS) or {})["spec"]["http"][0]["route"][0]
    own = cluster.fake.get(parse_name(OWN)) is not None
    return cluster.weights(), route["headers"]["response"]["set"]["version"], own


BACK = ([0, 100], "v1", True)
"""The winner's own copy has all traffic, and the routes are those from before."""
DONE = ([100, 0], "v2", False)


def test_a_last_look_that_fails_goes_back_and_keeps_the_winner_s_copy() -> None:
    cluster = promoted()
    break_gateway(cluster)

    with pytest.raises(StepFailed, match=r"promotion-failed: .*answered 500"):
        promotion.verify_step(cluster.another())
    assert serves(cluster) == BACK, "at once, not when the run is ended"
    ended = conclude(cluster.another())

    assert ended.outcome is Outcome.PROMOTION_FAILED
    assert ended.sentence.endswith("its own copy serves all traffic")
    assert serves(cluster) == BACK


def test_a_last_look_that_cannot_be_taken_is_none() -> None:
    cluster = promoted()
    refused = SpecError("secret shop/keys does not exist")
    cluster.rig.run = replace(cluster.rig.run, responder=Raising(refused))

    with pytest.raises(StepFailed, match="not verified: secret shop/keys"):
        promotion.verify_step(cluster.another())

    assert serves(cluster) == BACK


def by_guard(cluster: Cluster) -> None:
    guard.watch_over(cluster.another())


def by_finish(cluster: Cluster) -> None:
    steps.finish(cluster.another(), cluster.head()["workflow-uid"])


def by_both(cluster: Cluster) -> None:
    by_finish(cluster)
    conclude(cluster.another())


@pytest.mark.parametrize("end", [by_guard, by_finish, by_both])
@pytest.mark.parametrize("good", [True, False], ids=["good", "broken"])
def test_whoever_ends_a_run_takes_the_last_look_of_a_step_that_was_killed(
    end: Callable[[Cluster], None], good: bool
) -> None:
    """A kill proves nothing; that users get an error from the promoted copy does."""
    cluster = promoted()
    cluster.fake.merge(WORKFLOW, {"spec": {"shutdown": "Terminate"}, "status": {"phase": "Failed"}})
    if not good:
        break_gateway(cluster)

    end(cluster)

    outcome = Outcome.PROMOTED if good else Outcome.PROMOTION_FAILED
    assert (cluster.head()["outcome"], serves(cluster)) == (outcome, DONE if good else BACK)


def test_the_winner_s_copy_goes_only_after_the_last_look_is_recorded() -> None:
    cluster, known = promoted(), list[bool]()
    deleted = cluster.fake.delete

    def watched(key: Any, **more: Any) -> None:
        if key == parse_name(OWN):
            concluded = record.last(cluster.stage.entries(), "concluded")
            known.append(concluded is not None and concluded["outcome"] == "promoted")
        deleted(key, **more)

    cluster.fake.delete = watched  # type: ignore[method-assign]
    conclude(cluster.another())

    assert known == [True]


def test_a_step_that_died_between_its_finding_and_its_way_back_is_finished() -> None:
    cluster = promoted()
    text = "v2 won but its promotion was not verified"
    cluster.stage.store.append(record.concluded(Outcome.PROMOTION_FAILED, text, "v2"))

    assert conclude(cluster.another()).outcome is Outcome.PROMOTION_FAILED
    assert conclude(cluster.another()).outcome is Outcome.PROMOTION_FAILED
    assert serves(cluster) == BACK


def test_of_two_last_looks_the_one_that_was_recorded_first_counts() -> None:
    cluster = promoted()
    break_gateway(cluster)
    late = cluster.another()
    passed = record.concluded(Outcome.PROMOTED, "v2 serves all traffic", "v2")
    cluster.rig.at(30, lambda: cluster.stage.store.append(passed))

    entries = look_once_more(late, plan_of(late, late.entries()))

    assert record.last(entries, "concluded") == passed
    assert record.last_phase(entries) == ("verified", {})


@pytest.mark.parametrize("error", [BackendError("forbidden"), SpecError("no such kind")], ids=str)
@pytest.mark.parametrize("kind", ["SeldonDeployment", "VirtualService"])
def test_a_promote_document_that_is_refused_leaves_traffic_on_the_winner_s_copy(
    kind: str, error: Exception
) -> None:
    cluster = won()
    applied = cluster.fake.apply

    def refuses(manifest: Any) -> Any:
        if manifest["kind"] == kind:
            raise error
        return applied(manifest)

    cluster.fake.apply = refuses  # type: ignore[method-assign]
    told = promotion.promote_step(cluster.another())

    assert "the winner's own copy serves all traffic" in told["summary"]
    assert serves(cluster) == BACK, "at once, not when the run is ended"
    with pytest.raises(StepFailed, match="promotion-failed"):
        promotion.verify_step(cluster.another())
    assert conclude(cluster.another()).outcome is Outcome.PROMOTION_FAILED
    assert serves(cluster) == BACK


@pytest.mark.parametrize("error", [BackendError("forbidden"), SpecError("no such kind")], ids=str)
@pytest.mark.parametrize("kind", ["SeldonDeployment", "VirtualService"])
def test_in_one_process_a_refused_document_is_a_promotion_that_failed_too(
    kind: str, error: Exception
) -> None:
    rig = Rig(bundle())
    applied = rig.store.apply

    def refuses(manifest: Any) -> Any:
        if manifest["kind"] == kind and rig.decided():
            raise error
        return applied(manifest)

    rig.store.apply = refuses  # type: ignore[method-assign]
    ended = conduct(rig.run)

    assert ended.outcome is Outcome.PROMOTION_FAILED, ended
    assert ended.sentence.endswith("the winner's own copy serves all traffic")
    assert (rig.weights(), rig.model("cand")) == ([0, 100], "new")


def test_a_lease_that_is_lost_inside_the_shift_leaves_the_routes_and_both_copies() -> None:
    """The object is another run's: nothing is written there, and nothing is proven yet."""
    cluster = won()
    late, applied = cluster.another(), cluster.fake.apply
    lease = Lease(late.kube, VS, "shop/other-1", cluster.rig.clock)

    def taken(manifest: Any) -> Any:
        if manifest["kind"] == "SeldonDeployment":
            late.lease.release()
            lease.take()
        return applied(manifest)

    cluster.fake.apply = taken  # type: ignore[method-assign]
    with pytest.raises(Stopped, match="belongs to run shop/other-1") as stop:
        promotion.promote_step(late)
    steps.stopped(late, "promote", stop.value)
    before = cluster.weights()
    ended = conclude(cluster.another())

    assert ended.outcome is Outcome.CONTESTED
    assert cluster.weights() == before
    assert cluster.fake.get(parse_name(OWN)) is not None
    assert lease.owner() is None, "it stays the other run's"


def test_a_lease_that_is_lost_before_the_route_document_keeps_the_winner_s_copy() -> None:
    """Weights are on the promoted copy by then, which no answer has proven at users' way in."""
    cluster = won()
    late, patched = cluster.another(), cluster.fake.patch
    lease = Lease(late.kube, VS, "shop/other-1", cluster.rig.clock)

    def taken(changed: Any, operations: Any) -> Any:
        answer = patched(changed, operations)
        if changed == VS and cluster.weights() == [100, 0]:
            late.lease.release()
            lease.take()
        return answer

    cluster.fake.patch = taken  # type: ignore[method-assign]
    with pytest.raises(Stopped) as stop:
        promote.promote(late.run, plan_of(late, late.entries()))
    steps.stopped(late, "promote", stop.value)

    assert conclude(cluster.another()).outcome is Outcome.CONTESTED
    assert serves(cluster) == ([100, 0], "v1", True)
