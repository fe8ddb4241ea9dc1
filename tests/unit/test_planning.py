"""Plans: when the policy itself would know what, on the counts that are expected."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crossfade import Rollout
from crossfade.cli.loading import pins_users, weights_at_start
from crossfade.cli.plan import shapes
from crossfade.evidence.limits import Limit, Plan, design, planned
from crossfade.evidence.needs import requests_needed
from crossfade.evidence.planning import World, forecast, iterations_enough, traffic_enough
from crossfade.evidence.rules import Design, Rules
from crossfade.spec.experiment import Experiment
from crossfade.spec.rollout import Bundle

ROOT = Path(__file__).resolve().parents[2]
LIMITS = (Limit("ns/errors", 0, 0.01, 0.01),)
AB = Design(2, (0.01,), True, 10)


@pytest.mark.parametrize(
    ("limit", "bad", "count"),
    [(0.01, 0, 374), (0.01, 2, 866), (0.001, 0, 3756), (0.05, 1, 126), (0.1, 5, 139)],
)
def test_requests_that_a_limit_takes(limit: float, bad: int, count: int) -> None:
    # the table was made in steps of about 0.1 %; ours is the exact number
    assert requests_needed(bad, limit, math.log(20)) == pytest.approx(count, rel=2e-3)


def test_more_traffic_is_never_slower() -> None:
    plan, rules = Plan(LIMITS, ()), Rules()

    found = [forecast(World(traffic, lift=0.4), plan, AB, rules).promoted
             for traffic in (50.0, 500.0, 5000.0)]  # fmt: skip

    assert None not in found
    assert found == sorted(found, reverse=True)


def test_of_several_candidates_one_is_better() -> None:
    told = forecast(World(500.0, lift=0.4), Plan(LIMITS, ()), replace(AB, versions=3), Rules())

    assert told.promoted is not None


def test_what_is_estimated_of_scatter_takes_as_long_in_the_plan_as_in_a_run() -> None:
    """Expected counts do not scatter: taken for requests that do not, they were won at once."""
    told = {way: forecast(World(500.0, lift=0.2), Plan((), ()), replace(AB, limits=()),
                          Rules(dispersion=way)).won
            for way in (1.0, "watch", "auto")}  # fmt: skip

    assert told[1.0] is not None
    assert told["watch"] is not None
    assert told["auto"] is not None
    assert told[1.0] == told["watch"] < told["auto"], "averages do not scatter more than they do"


@pytest.mark.parametrize("pins", [False, True])
def test_a_route_that_pins_users_is_planned_for_as_one(pins: bool) -> None:
    kind = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute"}
    versions = [
        {"name": name, "weightObjRef": {**kind, "name": "r", "namespace": "ns", "fieldPath":
                                        f".spec.rules[0].backendRefs[{i}].weight"}}
        for i, name in enumerate(("a", "b"))
    ]  # fmt: skip
    spec = {"target": "t", "strategy": {"testingPattern": "A/B"},
            "versionInfo": {"baseline": versions[0], "candidates": versions[1:]}}  # fmt: skip
    rule: dict[str, Any] = {
        "backendRefs": [{"name": "a", "weight": 90}, {"name": "b", "weight": 10}]
    }
    if pins:
        rule["sessionPersistence"] = {"sessionName": "s"}
    route = {**kind, "metadata": {"name": "r", "namespace": "ns"}, "spec": {"rules": [rule]}}
    bundle = Bundle(name="x", deploy=(route,), experiment=Experiment.model_validate(
        {"apiVersion": "iter8.tools/v2alpha2", "kind": "Experiment",
         "metadata": {"name": "e", "namespace": "ns"}, "spec": spec}))  # fmt: skip

    assert pins_users(bundle) is pins
    assert weights_at_start(bundle) == (90, 10)


def test_weights_that_never_move_are_those_of_the_route_or_equal() -> None:
    plan, fixed = Plan(LIMITS, ()), replace(AB, moves=False)
    equal, found = [forecast(World(500.0, lift=0.4, start=start), plan, fixed, Rules())
                    for start in ((), (95, 5))]  # fmt: skip

    assert equal.won is not None
    assert found.won is not None
    assert found.won > equal.won


def test_the_first_weights_are_those_of_the_object_that_is_deployed() -> None:
    bundle = Rollout.load(ROOT / "workflows" / "examples" / "iris").bundle
    elsewhere = bundle.model_copy(update={"deploy": ()})

    assert weights_at_start(bundle) == (100, 0)
    assert weights_at_start(elsewhere) == ()


def test_what_would_be_enough_is_enough_and_little_less_is_not() -> None:
    plan, rules, world = Plan(LIMITS, ()), Rules(), World(100.0, lift=0.4, bad=0.1)
    assert (forecast(world, plan, AB, rules).won or 99) > AB.iterations

    count = iterations_enough(world, plan, AB, rules)
    times = traffic_enough(world, plan, AB, rules)

    assert count is not None
    assert (forecast(world, plan, replace(AB, iterations=count), rules).won or 99) <= count
    assert times is not None
    more, less = (replace(world, traffic=world.traffic * t) for t in (times, times / 1.3))
    assert (forecast(more, plan, AB, rules).won or 99) <= AB.iterations
    assert (forecast(less, plan, AB, rules).won or 99) > AB.iterations
    hasty = replace(AB, iterations=4)
    assert traffic_enough(world, plan, hasty, rules) is None, "the minimums alone take 5"


def test_what_is_exactly_at_its_limit_is_never_proven() -> None:
    told = forecast(World(500.0, lift=0.4, bad=1.0), Plan(LIMITS, ()), AB, Rules())

    assert told.limits == (None,)
    assert told.promoted is None
    assert told.better is not None


def test_the_example_as_written_is_long_enough_for_a_much_better_model() -> None:
    bundle = Rollout.load(ROOT / "workflows" / "examples" / "iris").bundle
    plan = planned(bundle.experiment, shapes(bundle))

    told = forecast(World(500.0, lift=0.4), plan, design(bundle.experiment, plan), Rules())

    assert plan.points == ()
    assert [limit.null for limit in plan.limits] == pytest.approx([0.1, 0.05, 0.01])
    assert told.promoted is not None
    assert told.promoted <= bundle.experiment.iterations
