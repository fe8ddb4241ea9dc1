"""Policy ``evidence``: other shapes of counts, several candidates, and what comes late."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from traffic import QPS, counted, rig

from crossfade import record
from crossfade.counting import Counting, counting
from crossfade.evidence.intervals import comparable
from crossfade.evidence.limits import Limit
from crossfade.policies.evidence import Settings, decide
from crossfade.spec.experiment import Experiment
from crossfade.verdict import Counts, Decision, Observation, Outcome, Reading, Shape
from crossfade_steps.iteration import iterate

TRAFFIC = 500.0
Rewards = Callable[[int, str, float], Counts | None]


def experiment(*candidates: str, direction: str = "High", iterations: int = 30) -> Experiment:
    document = {
        "apiVersion": "iter8.tools/v2alpha2", "kind": "Experiment",
        "metadata": {"name": "e", "namespace": "ns"},
        "spec": {
            "target": "t",
            "strategy": {"testingPattern": "A/B" if len(candidates) == 1 else "A/B/N"},
            "criteria": {
                "requestCount": "count",
                "rewards": [{"metric": "reward", "preferredDirection": direction}],
                "objectives": [{"metric": "errors", "upperLimit": "0.01"}],
            },
            "duration": {"iterationsPerLoop": iterations},
            "versionInfo": {"baseline": {"name": "v1"},
                            "candidates": [{"name": name} for name in candidates]},
        },
    }  # fmt: skip
    return Experiment.model_validate(document)


def play(
    spec: Experiment, rewards: Rewards, shape: Shape, *, errors: Mapping[str, float] | None = None,
    requests: Callable[[str, float], float] = lambda version, n: n, **settings: Any,
) -> list[Decision]:  # fmt: skip
    """Return the decisions of a run; ``rewards`` counts by iteration, version and requests."""
    names = [version.name for version in spec.versions]
    shapes = {"ns/errors": Shape("fraction"), "ns/count": Shape("total"), "ns/reward": shape}
    state: Mapping[str, Any] = {}
    weights = {name: 100 if name == "v1" else 0 for name in names}
    found: list[Decision] = []
    for k in itertools.count(1):
        read: dict[str, dict[str, Reading]] = {key: {} for key in shapes}
        for name in names:
            n = requests(name, TRAFFIC * weights[name] / 100)
            bad = n * (errors or {}).get(name, 0.0)
            read["ns/errors"][name] = Reading(0.0, counts=Counts(bad, n))
            read["ns/count"][name] = Reading(n, counts=Counts(n))
            read["ns/reward"][name] = Reading(0.5, counts=rewards(k, name, n))
        seen = Observation(k, 10 * k, dict(weights), read, shapes, float(k))
        decision, after = decide(spec, Settings(**settings), seen, state)
        state, weights = json.loads(json.dumps(after)), dict(decision.weights)
        found.append(decision)
        if decision.outcome is not None:
            break
    return found


def means(**levels: float) -> Rewards:
    return lambda k, version, n: Counts(n * levels[version], n)


MEAN, FRACTION = Shape("mean"), Shape("fraction")


@pytest.mark.parametrize("shape", [MEAN, Shape("quantile", quantile=0.95)])
def test_what_has_no_known_range_is_not_compared(shape: Shape) -> None:
    """A mean of which one value in fifty is twenty times as large is no fraction of requests."""
    found = play(experiment("v2"), means(v1=0.4, v2=0.6), shape)

    assert all(decision.winner is None for decision in found)
    assert found[-1].outcome in (Outcome.INVALID, Outcome.INCONCLUSIVE)


def test_a_mean_reward_is_compared_within_its_range() -> None:
    found = play(experiment("v2"), means(v1=8.0, v2=14.0), MEAN, reward_range=[0, 20])
    same = play(experiment("v2"), means(v1=8.0, v2=8.0), MEAN, reward_range=[0, 20])

    assert (found[-1].outcome, found[-1].winner) == (Outcome.PROMOTED, "v2")
    assert same[-1].outcome is Outcome.INCONCLUSIVE


def test_more_rewards_than_requests_are_no_fraction_of_them() -> None:
    found = play(experiment("v2"), means(v1=2.0, v2=3.0), FRACTION)

    assert all(decision.winner is None for decision in found)


def test_a_sum_of_values_is_no_number_of_events() -> None:
    assert counting("sum(increase(revenue_sum[1m]))") is None


def test_a_sum_of_values_by_request_is_a_mean_and_no_number_of_events() -> None:
    found = counting("sum(rate(revenue_sum[1m])) / sum(rate(requests_total[1m]))")

    assert found is not None
    assert found.shape == Shape("mean")
    assert not comparable(found.shape, Settings(reward="count"))


@pytest.mark.parametrize("ends", [[1, 1], [2, 1], [0, float("inf")], [0, float("nan")]])
def test_a_range_has_two_ends(ends: list[float]) -> None:
    with pytest.raises(ValidationError, match="expected"):
        Settings(reward_range=ends)


@pytest.mark.parametrize("dispersion", [0.99, 0, -1, float("nan"), float("inf")])
def test_a_design_effect_below_one_would_multiply_evidence(dispersion: float) -> None:
    with pytest.raises(ValidationError, match="dispersion"):
        Settings(dispersion=dispersion)


@pytest.mark.parametrize("name", ["risk_budget", "min_requests", "doubt", "effects", "alpha"])
@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_a_setting_is_a_finite_number(name: str, value: float) -> None:
    with pytest.raises(ValidationError, match=name):
        Settings.model_validate({name: value})


def test_events_that_come_several_a_request_are_counted_as_they_are() -> None:
    found = play(experiment("v2"), means(v1=2.0, v2=3.0), FRACTION, reward="count")

    assert (found[-1].outcome, found[-1].winner) == (Outcome.PROMOTED, "v2")


def test_a_percentile_in_another_unit_is_judged_in_that_unit() -> None:
    text = "histogram_quantile(0.95, sum by (le) (rate(latency_bucket[1m]))) * 1000"
    found = counting(text)
    limit = Limit("ns/latency", 0, 500.0, 0.05)
    slow = Counts(100.0, None, (0.5, 5.0), (0.0, 100.0, 100.0))

    assert isinstance(found, Counting)
    assert limit.tally(found.shape, slow) == (100.0, 100.0, 100.0), "each took more than 500 ms"


def test_a_histogram_without_any_value_counts_nothing() -> None:
    limit = Limit("ns/latency", 0, 0.5, 0.05)

    assert limit.tally(Shape("quantile", quantile=0.95), Counts(0.0)) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("direction", "levels"),
    [("Low", {"v1": 0.6, "v2": 0.44, "v3": 0.4}), ("High", {"v1": 0.4, "v2": 0.56, "v3": 0.6})],
)
def test_of_several_good_candidates_the_best_is_promoted(
    direction: str, levels: dict[str, float]
) -> None:
    spec = experiment("v2", "v3", direction=direction, iterations=14)

    found = play(spec, means(**levels), FRACTION)

    assert (found[-1].outcome, found[-1].winner) == (Outcome.PROMOTED, "v3")


@pytest.mark.parametrize("bake", [0, 3, 6])
def test_rewards_that_come_late_do_not_undo_a_winner(bake: int) -> None:
    """They belong to the split that was in force when they were earned."""
    served: dict[str, list[float]] = {"v1": [], "v2": []}

    def late(k: int, version: str, n: float) -> Counts:
        served[version].append(n)
        then = served[version][-3] if len(served[version]) > 2 else 0.0
        return Counts(then * (0.3 if version == "v1" else 0.42), None)

    found = play(experiment("v2"), late, Shape("total"), delay=2, bake=bake)

    assert (found[-1].outcome, found[-1].winner) == (Outcome.PROMOTED, "v2")


@pytest.mark.parametrize("settings", [{}, {"delay": 1}])
def test_what_is_earned_without_a_weight_is_no_evidence(settings: dict[str, Any]) -> None:
    """A smoke test before the start, and feedback of an earlier run that comes late."""

    def earned(k: int, version: str, n: float) -> Counts:
        return Counts(30.0 if version == "v2" and not n else 0.3 * n)

    found = play(experiment("v2"), earned, Shape("total"), **settings)

    assert all(decision.winner is None for decision in found)
    assert found[-1].outcome is Outcome.INCONCLUSIVE


def test_probes_before_the_first_weight_are_no_part_of_a_fraction() -> None:
    """A window may begin before the weight was set: in iteration 2 some are in it."""

    def probed(k: int, version: str, n: float) -> Counts:
        probes = 60.0 if version == "v2" and k < 3 else 0.0
        return Counts(0.3 * n + probes, n + probes)

    found = play(experiment("v2"), probed, FRACTION)

    assert all(decision.winner is None for decision in found)
    assert found[-1].outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("part", [{"v1": 0.4, "v2": 0.6}, {"v1": 0.5, "v2": 0.25}])
def test_feedback_of_some_requests_only_is_no_wrong_split(part: dict[str, float]) -> None:
    def given(k: int, version: str, n: float) -> Counts:
        rewarded = n * part[version]
        return Counts(rewarded * (0.3 if version == "v1" else 0.45), rewarded)

    found = play(experiment("v2"), given, FRACTION)

    assert (found[-1].outcome, found[-1].winner) == (Outcome.PROMOTED, "v2")


@pytest.mark.parametrize(("value", "chance"), [(1.0, 0.3), (5.0, 0.06), (20.0, 0.015)])
def test_rewards_of_several_a_request_promote_no_equal(value: float, chance: float) -> None:
    """Of counters whose names say nothing, how far their growth scatters tells."""
    rng, promoted = np.random.default_rng(20261126), 0

    def earned(k: int, version: str, n: float) -> Counts:
        return Counts(value * rng.binomial(int(n), chance), n)

    for _ in range(20):
        found = play(
                experiment("v2"), earned, Shape("fraction", guessed=True), bake=0,
                dispersion="watch",
            )  # fmt: skip
        promoted += found[-1].outcome is Outcome.PROMOTED

    assert promoted <= 2


def test_people_who_try_a_dropped_candidate_are_no_wrong_split() -> None:
    probes = {"v1": 0.0, "v2": 0.0, "v3": 3.0}
    found = play(experiment("v2", "v3"), means(v1=0.3, v2=0.5, v3=0.3), FRACTION,
                 errors={"v3": 0.5}, requests=lambda v, n: n or probes[v])  # fmt: skip

    assert (found[-1].outcome, found[-1].winner) == (Outcome.PROMOTED, "v2")


def test_one_reading_that_fails_does_not_mix_two_ways_of_counting() -> None:
    """The reward counts 30 % of the requests; without one, both versions are counted elsewhere."""

    def sampled(k: int, version: str, n: float) -> Counts | None:
        if k % 4 == 3 and version == "v1":
            return None
        return Counts(0.3 * n * (0.3 if version == "v1" else 0.5), 0.3 * n)

    found = play(experiment("v2"), sampled, FRACTION)

    assert (found[-1].outcome, found[-1].winner) == (Outcome.PROMOTED, "v2")


def test_iterations_that_nobody_was_there_for_are_not_made_up_at_once() -> None:
    """A pod was evicted for a while: the schedule moves, and each window is an interval."""
    run = rig(counted())
    away = [300.0]
    wait, begin = run.clock.sleep, run.clock.now()

    def sleep(seconds: float) -> None:
        wait(seconds)
        if away and run.clock.now() >= begin + 15:
            run.clock.time += away.pop()

    run.clock.sleep = sleep  # type: ignore[method-assign]
    for manifest in run.run.bundle.deploy:
        run.store.create(manifest)

    iterate(run.run, begin)

    [late] = record.of_type(run.record.list, "late")
    times = [e["at"] - begin for e in record.of_type(run.record.list, "decision")]
    gaps = [round(b - a) for a, b in itertools.pairwise(times)]
    assert 290 <= late["seconds"] <= 300
    assert gaps[1:] == [10] * (len(gaps) - 1), (QPS, times)
