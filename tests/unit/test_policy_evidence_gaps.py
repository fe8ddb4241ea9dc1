"""Policy ``evidence`` where something could not be read, or is no evidence."""

from __future__ import annotations

from dataclasses import replace

import pytest
from evidence_runs import GOOD, SHAPES, World, experiment, play, readings, steady

from crossfade.policies.evidence import Settings, decide
from crossfade.verdict import Observation, Outcome, Reading


@pytest.mark.parametrize("bake", [1, 3])
@pytest.mark.parametrize("unread", [1, 2, 3, 4])
def test_an_unread_look_of_the_watch_is_made_up_for_but_the_run_has_an_end(
    bake: int, unread: int
) -> None:
    world = steady(GOOD, {**GOOD, "reward": 0.42})
    won = next(d.iteration for d in play(world, experiment()) if d.winner)

    def silent(k: int, v: str, n: float) -> dict[str, Reading]:
        return {} if won < k <= won + unread else world(k, v, n)

    found = play(silent, experiment(iterations=won), bake=bake)

    if unread <= bake:
        assert (found[-1].outcome, found[-1].iteration) == (Outcome.PROMOTED, won + bake + unread)
    else:
        assert (found[-1].outcome, found[-1].iteration) == (Outcome.INCONCLUSIVE, won + 2 * bake)
        assert "v2 has won, but was not watched to the end" in found[-1].reason


def test_no_data_holds_and_then_gives_up() -> None:
    world: World = lambda k, v, n: readings(n, **GOOD) if k < 3 else {}  # noqa: E731

    found = play(world, experiment(), max_blind=6)

    assert [d.weights["v2"] for d in found[2:7]] == [found[1].weights["v2"]] * 5
    assert found[-1].outcome is Outcome.INVALID
    assert found[-1].reason.startswith("no data 6 times in a row")


@pytest.mark.parametrize("lost", ["ns/errors", "ns/reward"])
def test_a_metric_that_is_never_read_never_promotes(lost: str) -> None:
    def world(k: int, version: str, n: float) -> dict[str, Reading]:
        own = readings(n, **(GOOD if version == "v1" else {**GOOD, "reward": 0.6}))
        return {**own, lost: Reading(None, "query failed")} if version == "v2" and n else own

    found = play(world, experiment())

    assert found[-1].outcome in (Outcome.INVALID, Outcome.INCONCLUSIVE)
    assert max(d.weights["v2"] for d in found) <= 4


@pytest.mark.parametrize("lost", ["ns/errors", "ns/reward"])
def test_what_is_unknown_while_a_winner_is_watched_moves_and_promotes_nothing(lost: str) -> None:
    better = {**GOOD, "reward": 0.6}
    won = next(d.iteration for d in play(steady(GOOD, better), experiment()) if d.winner)

    def world(k: int, version: str, n: float) -> dict[str, Reading]:
        own = readings(n, **(GOOD if version == "v1" else better))
        return {**own, lost: Reading(None, "query failed")} if k > won else own

    found = play(world, experiment(), max_blind=6)

    assert found[-1].outcome is Outcome.INVALID
    assert {d.weights["v2"] for d in found[won - 1 : -1]} == {found[won - 1].weights["v2"]}


def test_an_interval_that_is_not_wholly_read_is_read_again_with_the_next_and_counted_once() -> None:
    """Requests are known without the errors: a state that kept them would lose the errors."""
    spec, shapes = experiment(), SHAPES

    def seen(k: int, n: float, until: float, **lost: bool) -> Observation:
        own = {v: readings(n, **GOOD) for v in ("v1", "v2")}
        by_metric = {key: {v: own[v][key] for v in own} for key in shapes}
        if lost:
            by_metric["ns/errors"] = {"v1": own["v1"]["ns/errors"],
                                      "v2": Reading(None, "query failed")}  # fmt: skip
        return Observation(k, 10 * k, {"v1": 50, "v2": 50}, by_metric, shapes, until)

    _, first = decide(spec, Settings(), seen(1, 200, 10.0), {})
    held, second = decide(spec, Settings(), seen(2, 200, 20.0, lost=True), first)
    _, third = decide(spec, Settings(), seen(3, 400, 30.0), second)

    assert "not everything could be read" in held.reason
    assert (first["until"], second["until"], third["until"]) == (10.0, 10.0, 30.0)
    assert second["trial"]["judged"] == first["trial"]["judged"]
    assert [second["trial"][name] for name in ("blind", "intervals", "seen")] == [1, 2, 1]
    assert third["trial"]["judged"][1] == [600, 600]


def test_what_is_known_of_an_interval_that_is_not_wholly_read_still_rings() -> None:
    def world(k: int, version: str, n: float) -> dict[str, Reading]:
        own = readings(n, **({**GOOD, "errors": 0.5} if version == "v2" else GOOD))
        return {**own, "ns/reward": Reading(None, "query failed")} if k > 1 else own

    found = play(world, experiment())

    assert (found[-1].outcome, found[-1].iteration) == (Outcome.ROLLED_BACK, 2)


def test_an_interval_with_somebody_else_s_weights_is_no_evidence() -> None:
    bad = {"v1": readings(250, **GOOD), "v2": readings(250, errors=0.9, slow=0.01, reward=0.3)}
    by_metric = {key: {v: own[key] for v, own in bad.items()} for key in SHAPES}
    seen = Observation(1, 10, {"v1": 100, "v2": 0}, by_metric, SHAPES, until=8.0, disturbed=10.0)

    decision, state = decide(experiment(), Settings(), seen, {})

    assert decision.outcome is None
    assert decision.reason == (
        "somebody else set the weights, so this interval is no evidence; weights stay at 100/0"
    )
    assert state["until"] == 10.0, "the next window begins after it"
    undisturbed, _ = decide(experiment(), Settings(), replace(seen, disturbed=0.0), {})
    assert undisturbed.outcome is Outcome.ROLLED_BACK


def test_ten_minutes_without_a_metric_store_only_hold() -> None:
    """Issue: an outage ends no run, moves nothing, and the next step follows it at once (C14)."""
    better = {**GOOD, "reward": 0.33}

    def world(k: int, version: str, n: float) -> dict[str, Reading]:
        lost = {key: Reading(None, "connection refused") for key in SHAPES}
        return lost if 3 <= k <= 62 else readings(n, **(GOOD if version == "v1" else better))

    spec = experiment(iterations=120)
    spec = spec.model_copy(update={"spec": spec.spec.model_copy(update={
        "duration": spec.spec.duration.model_copy(update={"interval_seconds": 10})})})  # fmt: skip
    found = play(world, spec)

    silent = found[2:62]
    assert {d.outcome for d in silent} == {None}
    assert {d.weights["v2"] for d in silent} == {found[1].weights["v2"]}
    assert found[62].weights["v2"] > found[61].weights["v2"]
    assert found[-1].outcome is Outcome.PROMOTED
