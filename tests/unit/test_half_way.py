"""What a writer left behind that died half-way, and what must not be touched half-way."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from rig import Ready, Rig, bundle, deployment, route, set_weights

from crossfade import record
from crossfade.errors import BackendError, NeverReady
from crossfade.spec.experiment import Experiment
from crossfade.verdict import Outcome
from crossfade_steps import safety
from crossfade_steps.deploy import parse_name, wait_until_ready
from crossfade_steps.embedded.store import Store
from crossfade_steps.freeing import free_candidates
from crossfade_steps.loop import conduct
from crossfade_steps.ports import ObjectKey
from crossfade_steps.routers.spread import SpreadRouter
from crossfade_steps.run import Stopped

CANDIDATE = parse_name("SeldonDeployment/cand/m")


def dying(rig: Rig, kind: str, after: str) -> None:
    """Let the process die (as a signal does) right after a kind of object was applied then."""
    apply = rig.store.apply

    def applied(manifest: Mapping[str, Any]) -> Any:
        stored = apply(manifest)
        phases = [entry["phase"] for entry in record.of_type(rig.record.list, "phase")]
        if manifest["kind"] == kind and phases[-1] == after:
            raise KeyboardInterrupt
        return stored

    rig.store.apply = applied  # type: ignore[method-assign]


def test_a_promotion_that_died_after_its_route_document_is_put_back() -> None:
    """The document has one route only: the winner's own copy had no place in it any more."""
    rig = Rig(bundle(both=False))
    dying(rig, "VirtualService", "promoting")

    ended = conduct(rig.run)

    assert ended.sentence == "interrupted: the winner's own copy serves all traffic"
    assert rig.weights() == [0, 100]
    assert rig.model("cand") == "new"


def test_a_route_document_with_other_destinations_at_the_same_places_is_put_back() -> None:
    whole = bundle()
    document = copy.deepcopy(route("v2"))
    document["spec"]["http"][0]["route"].reverse()
    rig = Rig(whole.model_copy(update={"promote": {"v2": (deployment("base", "new"), document)}}))
    dying(rig, "VirtualService", "promoting")

    conduct(rig.run)

    key = ObjectKey("networking.istio.io", "VirtualService", "default", "route")
    routes = (rig.store.get(key) or {})["spec"]["http"][0]["route"]
    served = {r["destination"]["host"]: r["weight"] for r in routes}
    assert served == {"m-p.base.svc.cluster.local": 0, "m-p.cand.svc.cluster.local": 100}


def spread() -> tuple[Rig, SpreadRouter, Store]:
    """Return a run whose two versions' weights are in two objects, found at 80 and 20."""
    store = Store()
    whole = bundle()
    document = whole.experiment.model_dump(mode="json", by_alias=True, exclude_none=True)
    versions = [document["spec"]["versionInfo"]["baseline"],
                *document["spec"]["versionInfo"]["candidates"]]  # fmt: skip
    for name, version, weight in zip(("one", "two"), versions, (80, 20), strict=True):
        manifest = copy.deepcopy(route())
        manifest["metadata"]["name"] = name
        manifest["spec"]["http"][0]["route"] = [
            {"destination": {"host": name}, "weight": weight},
            {"destination": {"host": "elsewhere"}, "weight": 100 - weight},
        ]
        store.create(manifest)
        version["weightObjRef"].update(name=name, fieldPath=".spec.http[0].route[0].weight")
    router = SpreadRouter(Experiment.model_validate(document), store)
    rig = Rig(whole, router=router, objects=store)
    return rig, router, store


def weight_of(store: Store, name: str) -> int:
    key = ObjectKey("networking.istio.io", "VirtualService", "default", name)
    return int((store.get(key) or {})["spec"]["http"][0]["route"][0]["weight"])


def test_weights_in_two_objects_of_which_one_was_changed_become_safe() -> None:
    rig, router, store = spread()
    assert dict(router.read().weights) == {"v1": 80, "v2": 20}
    key = ObjectKey("networking.istio.io", "VirtualService", "default", "one")
    store.patch(key, [{"op": "add", "path": "/spec/http/0/route/0/weight", "value": 50}])
    rig.record.append(record.phase("iterating", {"v1": 100, "v2": 0}))

    assert safety.settle(rig.run) == {"v1": 100, "v2": 0}
    assert (weight_of(store, "one"), weight_of(store, "two")) == (100, 0)


def replacing(*weights: int) -> Rig:
    """Return a run beside a candidate of an earlier one that has these weights."""
    rig = Rig(bundle())
    for manifest in (deployment("base", "old"), deployment("cand", "serving"), route()):
        rig.store.create(manifest)
    set_weights(rig, *weights)
    return rig


def test_a_candidate_that_serves_is_replaced_only_when_its_traffic_is_gone() -> None:
    rig, seen = replacing(60, 40), []
    apply = rig.store.apply

    def watched(manifest: Mapping[str, Any]) -> Any:
        seen.append(rig.weights())
        return apply(manifest)

    rig.store.apply = watched  # type: ignore[method-assign]

    assert conduct(rig.run).outcome is Outcome.PROMOTED
    assert seen[0] == [100, 0]
    assert any("v2 serves 40 % of the traffic and is replaced" in note for note in rig.run.notes)


def test_a_candidate_that_serves_everybody_is_not_replaced() -> None:
    rig = replacing(0, 100)

    ended = conduct(rig.run)

    assert ended.outcome is Outcome.FAILED
    assert "v2 serves 100 % of the traffic" in ended.sentence
    assert (rig.weights(), rig.model("cand")) == ([0, 100], "serving")


def test_a_candidate_that_serves_and_stays_as_it_is_moves_nothing() -> None:
    """Also when somebody has scaled it."""
    rig = replacing(60, 40)
    path = "/spec/predictors/0/replicas"
    rig.store.patch(CANDIDATE, [{"op": "add", "path": path, "value": 3}])
    same = deployment("cand", "serving")
    same["spec"]["predictors"][0]["replicas"] = 1
    deploy = (deployment("base", "old"), same, route())
    rig.run = replace(rig.run, bundle=rig.run.bundle.model_copy(update={"deploy": deploy}))

    assert free_candidates(rig.run) == []
    assert rig.weights() == [60, 40]


def test_a_candidate_of_which_nobody_can_tell_whether_it_serves_is_not_replaced() -> None:
    rig = replacing(60, 40)
    down = replace(rig.run, router=Down(rig.run.router))

    with pytest.raises(BackendError, match="timed out"):
        free_candidates(down)


class Down:
    """A router whose object cannot be read now."""

    def __init__(self, router: Any) -> None:
        self.keys, self.hosts = router.keys, router.hosts

    def read(self) -> Any:
        raise BackendError("timed out")


class Blinking(Ready):
    """Readiness that cannot be asked now and then."""

    def __init__(self, trouble: list[BackendError]) -> None:
        super().__init__()
        self.trouble = trouble

    def pending(self, key: ObjectKey) -> str | None:
        if self.trouble:
            raise self.trouble.pop()
        return None


def test_one_failed_look_is_no_reason_to_give_up() -> None:
    blinking = Blinking([BackendError("timed out")] * 3)
    rig = Rig(bundle(), readiness=blinking)
    rig.at(45, lambda: blinking.trouble.extend([BackendError("timed out")] * 3))

    assert conduct(rig.run).outcome is Outcome.PROMOTED


def test_what_can_never_be_ready_is_not_waited_for() -> None:
    rig = Rig(bundle(), readiness=Blinking([NeverReady("InvalidImageName")]))
    begin = rig.clock.now()

    ended = conduct(rig.run)

    assert (ended.outcome, ended.sentence) == (Outcome.FAILED, "InvalidImageName")
    assert rig.clock.now() - begin < 1


def test_an_abort_while_models_start_is_a_cancelled_run() -> None:
    rig = Rig(bundle(), readiness=Ready(cand="starting"))
    rig.at(5, lambda: setattr(rig, "stop", Stopped(Outcome.CANCELLED, "aborted by alice")))

    ended = conduct(rig.run)

    assert (ended.outcome, ended.sentence) == (Outcome.CANCELLED, "aborted by alice")


def test_an_abort_after_the_last_decision_is_heard_before_anything_is_promoted() -> None:
    rig = Rig(bundle())
    append = rig.record.append

    def appended(entry: Mapping[str, Any]) -> None:
        append(entry)
        if entry["type"] == "applied" and entry["iteration"] == 4:
            rig.stop = Stopped(Outcome.CANCELLED, "aborted by alice")

    rig.record.append = appended  # type: ignore[method-assign]

    assert conduct(rig.run).outcome is Outcome.CANCELLED
    assert (rig.weights(), rig.model("base")) == ([100, 0], "old")


def test_waiting_for_what_cannot_be_asked_ends_in_time() -> None:
    rig = Rig(bundle())
    blinking = Blinking([BackendError("no route to host")] * 1000)

    with pytest.raises(BackendError, match="not ready after 9 s: not known: no route to host"):
        wait_until_ready([ObjectKey("", "X", "a", "b")], blinking, rig.clock, timeout_seconds=9)


def test_one_failed_look_at_the_lease_loses_no_promotion() -> None:
    failing = [BackendError("GET Lease: HTTP 503")] * 2

    def hold() -> None:
        if failing:
            raise failing.pop()

    assert conduct(Rig(bundle(), hold=hold).run).outcome is Outcome.PROMOTED
