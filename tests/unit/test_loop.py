"""Whole runs against the object store, with a clock that only moves when somebody sleeps."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from crossfade import record
from crossfade.errors import BackendError
from crossfade.replay import replay
from crossfade.spec.experiment import Experiment
from crossfade.spec.metric import Metric
from crossfade.spec.rollout import Bundle, Policy, Verify
from crossfade.verdict import Outcome
from crossfade_steps import metrics
from crossfade_steps.embedded.store import Store
from crossfade_steps.iteration import iterate
from crossfade_steps.loop import conduct
from crossfade_steps.ports import ObjectKey, Response
from crossfade_steps.routers.objects import ObjectRouter
from crossfade_steps.run import Run, Stopped

VS = ObjectKey("networking.istio.io", "VirtualService", "default", "route")


class Clock:
    """Moves when somebody sleeps; ``at`` maps a time to something that happens then."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.events: list[tuple[float, Callable[[], object]]] = []

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        for event in [e for e in self.events if e[0] <= self.time]:
            self.events.remove(event)
            event[1]()


class Memory:
    """A record in memory."""

    def __init__(self) -> None:
        self.list: list[Mapping[str, Any]] = []

    def append(self, entry: Mapping[str, Any]) -> None:
        self.list.append(json.loads(record.canonical(entry)))

    def entries(self) -> Sequence[Mapping[str, Any]]:
        return self.list


class Ready:
    """Everything is ready, but for the names given."""

    def __init__(self, **reasons: str) -> None:
        self.reasons = reasons

    def pending(self, key: ObjectKey) -> str | None:
        return self.reasons.get(key.namespace.replace("-", "_"))


class Server:
    """Answers as the deployed model of the host asked, or of the version with most weight."""

    def __init__(self, store: Store, *, broken_after: str = "") -> None:
        self.store, self.broken_after = store, broken_after

    def send(self, url: str, payload: str | None, headers: Mapping[str, str]) -> Response:
        spec = (self.store.get(VS) or {})["spec"]
        routes = spec["http"][0]["route"]
        route = max(routes, key=lambda r: r.get("weight", 100))
        if "gateway" not in url:
            route = next(r for r in routes if r["destination"]["host"] in url)
        namespace = route["destination"]["host"].split(".")[1]
        key = ObjectKey("machinelearning.seldon.io", "SeldonDeployment", namespace, "m")
        stored = self.store.get(key)
        if stored is None:
            raise BackendError(f"{url}: nobody there")
        model = stored["spec"]["predictors"][0]["graph"]["modelUri"]
        shown = {"version": route["headers"]["response"]["set"]["version"]}
        if self.broken_after and self.broken_after == f"{namespace}:{model}":
            return Response(500, shown, b"broken")
        body = {"meta": {"requestPath": {"c": model}}}
        return Response(200, shown, json.dumps(body).encode())


def deployment(namespace: str, model: str) -> dict[str, Any]:
    return {
        "apiVersion": "machinelearning.seldon.io/v1",
        "kind": "SeldonDeployment",
        "metadata": {"name": "m", "namespace": namespace},
        "spec": {"predictors": [{"name": "p", "graph": {"name": "c", "modelUri": model}}]},
    }


def route(first: str = "v1", *, both: bool = True) -> dict[str, Any]:
    routes = [
        {
            "destination": {"host": f"m-p.{ns}.svc.cluster.local", "port": {"number": 8000}},
            "headers": {"response": {"set": {"version": version}}},
            "weight": weight,
        }
        for ns, version, weight in (("base", first, 100), ("cand", "v2", 0))
    ]
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "route", "namespace": "default"},
        "spec": {"hosts": ["x"], "http": [{"route": routes if both else routes[:1]}]},
    }


def metric(name: str, **levels: float) -> Metric:
    return Metric.model_validate(
        {
            "apiVersion": "iter8.tools/v2alpha2",
            "kind": "Metric",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"mock": [{"name": v, "level": level} for v, level in levels.items()]},
        }
    )


def bundle(
    *,
    rewards: tuple[float, float] = (1.0, 2.0),
    errors: tuple[float, float] = (0.0, 0.0),
    models: tuple[str, str] = ("old", "new"),
    promote: bool = True,
    both: bool = True,
) -> Bundle:
    def ref(i: int) -> dict[str, str]:
        return {
            "apiVersion": "networking.istio.io/v1",
            "kind": "VirtualService",
            "name": "route",
            "namespace": "default",
            "fieldPath": f".spec.http[0].route[{i}].weight",
        }

    document = {
        "apiVersion": "iter8.tools/v2alpha2",
        "kind": "Experiment",
        "metadata": {"name": "e"},
        "spec": {
            "target": "t",
            "strategy": {"testingPattern": "A/B"},
            "criteria": {
                "rewards": [{"metric": "r", "preferredDirection": "High"}],
                "objectives": [
                    {"metric": "errors", "upperLimit": 0.1, "rollback_on_failure": True}
                ],
            },
            "duration": {"intervalSeconds": 10, "iterationsPerLoop": 4},
            "versionInfo": {
                "baseline": {"name": "v1", "weightObjRef": ref(0)},
                "candidates": [{"name": "v2", "weightObjRef": ref(1)}],
            },
        },
    }
    values = {"default/r": metric("r", v1=rewards[0], v2=rewards[1]),
              "default/errors": metric("errors", v1=errors[0], v2=errors[1])}  # fmt: skip
    winner = (deployment("base", models[1]), route("v2", both=both))
    return Bundle(
        name="x",
        experiment=Experiment.model_validate(document),
        metrics=values,
        deploy=(deployment("base", models[0]), deployment("cand", models[1]), route()),
        promote={"v2": winner} if promote else {},
        verify=Verify(url="http://gateway/predict", payload="{}"),
        policy=Policy(name="iter8"),
    )


class Rig:
    """A run with everything around it, to be changed before it is conducted."""

    def __init__(self, whole: Bundle, **run: Any) -> None:
        self.store, self.clock, self.record = Store(), Clock(), Memory()
        self.stop: Stopped | None = None
        self.started = 0
        fields: dict[str, Any] = {
            "name": "run", "bundle": whole, "objects": self.store,
            "router": ObjectRouter(whole.experiment, self.store),
            "sources": metrics.connect(whole.metrics, {}), "readiness": Ready(),
            "responder": Server(self.store), "clock": self.clock, "record": self.record,
            "alarm": lambda: self.stop, "start_load": self._start,
        }  # fmt: skip
        self.run = Run(**{**fields, **run})

    def _start(self) -> None:
        self.started += 1

    def at(self, seconds: float, event: Callable[[], object]) -> None:
        self.clock.events.append((self.clock.time + seconds, event))

    def weights(self) -> list[int]:
        routes = (self.store.get(VS) or {})["spec"]["http"][0]["route"]
        return [r["weight"] for r in routes]

    def model(self, namespace: str) -> str | None:
        key = ObjectKey("machinelearning.seldon.io", "SeldonDeployment", namespace, "m")
        stored = self.store.get(key)
        return stored and stored["spec"]["predictors"][0]["graph"]["modelUri"]

    def decided(self) -> list[str]:
        entries = record.of_type(self.record.list, "decision")
        return ["/".join(map(str, e["decision"]["weights"].values())) for e in entries]


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


def resumed(rig: Rig, entries: Sequence[Mapping[str, Any]]) -> Rig:
    """Return a rig whose run was cut off after these entries, with its objects as they were."""
    again = Rig(rig.run.bundle)
    for manifest in rig.run.bundle.deploy:
        again.store.create(manifest)
    again.record.list = list(entries)
    return again


def set_weights(rig: Rig, *weights: int) -> None:
    rig.store.patch(VS, [{"op": "add", "path": f"/spec/http/0/route/{i}/weight", "value": w}
                         for i, w in enumerate(weights)])  # fmt: skip


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


def test_weights_of_neither_side_of_the_last_decision_are_somebody_else_s() -> None:
    rig = Rig(bundle())
    conduct(rig.run)
    first = next(i for i, e in enumerate(rig.record.list) if e["type"] == "decision")
    again = resumed(rig, rig.record.list[: first + 1])
    set_weights(again, 42, 58)

    with pytest.raises(Stopped, match="neither") as stop:
        iterate(again.run, again.clock.now())

    assert stop.value.outcome is Outcome.CONTESTED


def test_a_run_that_has_ended_is_not_continued() -> None:
    rig = Rig(bundle())
    conduct(rig.run)
    decisions = [e for e in rig.record.list if e["type"] in ("run", "decision")]
    again = resumed(rig, decisions)
    set_weights(again, 60, 40)

    assert iterate(again.run, again.clock.now()).iteration == 4
    assert len(again.decided()) == 4


def test_no_weight_is_raised_for_a_candidate_that_is_not_ready() -> None:
    """Capacity comes before weight (C39, C47)."""
    ready = Ready()
    rig = Rig(bundle(), readiness=ready)
    rig.at(15, lambda: ready.reasons.update(cand="0 of 1 pods available"))
    rig.at(25, ready.reasons.clear)
    seen: list[list[int]] = []
    for seconds in (12, 22, 32):
        rig.at(seconds, lambda: seen.append(rig.weights()))

    conduct(rig.run)

    assert seen == [[90, 10], [90, 10], [80, 20]]
    held = record.of_type(rig.record.list, "not-applied")
    assert [entry["iteration"] for entry in held] == [2]
    assert held[0]["reason"] == (
        "SeldonDeployment/cand/m is not ready for more traffic: 0 of 1 pods available"
    )


def test_traffic_goes_back_to_the_baseline_whoever_is_ready() -> None:
    ready = Ready()
    rig = Rig(bundle(errors=(0.0, 0.5)), readiness=ready)
    rig.at(5, lambda: ready.reasons.update(cand="gone", base="gone"))

    assert conduct(rig.run).outcome is Outcome.ROLLED_BACK
    assert rig.weights() == [100, 0]


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


def test_a_promotion_has_a_deadline() -> None:
    """C45: a copy that never becomes ready ends the promotion, and not never."""
    ready = Ready()
    rig = Rig(bundle(), readiness=ready)
    rig.at(25, lambda: ready.reasons.update(base="ImagePullBackOff"))

    ended = conduct(rig.run)

    assert ended.outcome is Outcome.PROMOTION_FAILED
    assert "not ready after 300 s: ImagePullBackOff; its own copy serves all" in ended.sentence
    assert rig.weights() == [0, 100]


def test_a_winner_that_cannot_take_all_traffic_is_not_given_it() -> None:
    ready = Ready()
    rig = Rig(bundle(), readiness=ready)
    rig.at(39.5, lambda: ready.reasons.update(cand="0 of 2 pods available"))

    ended = conduct(rig.run)

    assert ended.outcome is Outcome.PROMOTION_FAILED
    assert "the baseline serves all traffic" in ended.sentence
    assert rig.weights() == [100, 0]


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


def test_the_old_copy_is_replaced_only_when_no_traffic_needs_it() -> None:
    """C46: a slow start of the new one costs no request."""
    rig = Rig(bundle())
    seen: list[list[int]] = []
    apply = rig.store.apply

    def watched(manifest: Mapping[str, Any]) -> Any:
        if rig.started and manifest["kind"] == "SeldonDeployment":
            seen.append(rig.weights())
        return apply(manifest)

    rig.store.apply = watched  # type: ignore[method-assign]

    assert conduct(rig.run).outcome is Outcome.PROMOTED
    assert seen == [[0, 100]]
