"""Faults that bit users of other tools, each with the input that did it, on the pure parts.

``tests/faults.yaml`` lists all of them, these and those that other suites cover.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from crossfade.evidence.judging import Judged, observe
from crossfade.evidence.limits import Limit
from crossfade.evidence.rules import Design, Interval, Rules
from crossfade.evidence.trial import begin
from crossfade.policies import evidence, iter8
from crossfade.routes import resolve
from crossfade.spec.experiment import Experiment
from crossfade.verdict import Counts, Decision, Judgement, Observation, Outcome, Reading, Shape
from crossfade_steps.answers import prometheus_reading
from crossfade_steps.likeness import identity

EMPTY = {"status": "success", "data": {"resultType": "vector", "result": []}}
ERRORS, REWARD, COUNT, LATENCY = "ns/error-rate", "ns/reward", "ns/requests", "ns/latency"
SHAPES = {ERRORS: Shape("fraction"), REWARD: Shape("fraction"), COUNT: Shape("total")}
POLICIES = pytest.mark.parametrize("policy", [evidence, iter8])


def vector(text: str) -> dict[str, Any]:
    """Return Prometheus' answer of one value."""
    result = [{"metric": {}, "value": [1700000000, text]}]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


def experiment(*objectives: tuple[str, float], iterations: int = 30) -> Experiment:
    """Return an A/B experiment whose objectives have upper limits and roll back."""
    limits = [{"metric": name, "upperLimit": limit, "rollback_on_failure": True}
              for name, limit in objectives or (("error-rate", 0.01),)]  # fmt: skip
    return Experiment.model_validate({
        "apiVersion": "iter8.tools/v2alpha2", "kind": "Experiment",
        "metadata": {"name": "e", "namespace": "ns"},
        "spec": {
            "target": "t", "strategy": {"testingPattern": "A/B"},
            "criteria": {"requestCount": "requests", "objectives": limits,
                         "rewards": [{"metric": "reward", "preferredDirection": "High"}]},
            "duration": {"intervalSeconds": 10, "iterationsPerLoop": iterations},
            "versionInfo": {"baseline": {"name": "v1"}, "candidates": [{"name": "v2"}]},
        },
    })  # fmt: skip


def known(value: float, total: float, count: float) -> Reading:
    """Return a reading with its counts."""
    return Reading(value, counts=Counts(total, count))


def good(n: float, reward: float = 0.3) -> dict[str, Reading]:
    """Return what a version without faults shows for n requests."""
    return {ERRORS: known(0.0, 0, n), REWARD: known(reward, reward * n, n),
            COUNT: Reading(n, counts=Counts(n))}  # fmt: skip


Says = Callable[[int, str, float], dict[str, Reading]]


def play(
    policy: Any, says: Says, spec: Experiment, *, start: int = 10, traffic: float = 500,
    shapes: dict[str, Shape] = SHAPES, **settings: Any,
) -> list[Decision]:  # fmt: skip
    """Return a run's decisions; ``says`` gives iteration, version and requests their readings."""
    rules, state, weights = policy.Settings(**settings), {}, {"v1": 100 - start, "v2": start}
    found: list[Decision] = []
    for k in range(1, spec.iterations + 1):
        own = {v: says(k, v, traffic * w / 100) for v, w in weights.items()}
        keys = dict.fromkeys(key for readings in own.values() for key in readings)
        by_metric = {key: {v: own[v][key] for v in own if key in own[v]} for key in keys}
        seen = Observation(k, 10 * k, dict(weights), by_metric, shapes, float(k))
        decision, state = policy.decide(spec, rules, seen, state)
        found.append(decision)
        weights = dict(decision.weights)
        if decision.outcome is not None:
            break
    return found


def trial(
    *intervals: tuple[Sequence[float], Sequence[int]], bad: Sequence[float] = (0, 0)
) -> Judged:
    """Return what requests of two versions, each time at these weights, come to."""
    from dataclasses import replace

    rules, design = Rules(), Design(2, (0.05,), False, 100)
    state = begin(rules, design)
    judged = None
    for requests, weights in intervals:
        now = (int(weights[0]), int(weights[1]))
        state = replace(state, weights=now, weights_before=now)
        n, b = np.array(requests, float), np.array(bad, float)[:, None]
        judged = observe(state, Interval(n, n[:, None], b, b, None), rules, design)
        state = judged.trial
        if judged.outcome is not None:
            break
    assert judged is not None
    return judged


def test_c1_an_empty_answer_six_times_holds_and_is_said() -> None:
    empty = prometheus_reading(EMPTY)
    spec = experiment(iterations=6)

    found = play(evidence, lambda k, v, n: dict.fromkeys((ERRORS, REWARD, COUNT), empty), spec)

    assert empty.value is None
    assert {d.weights["v2"] for d in found[:-1]} == {10}
    assert found[-1].outcome is Outcome.INCONCLUSIVE
    assert "no data" in found[0].reason


@POLICIES
def test_c2_nan_neither_passes_nor_fails(policy: Any) -> None:
    nan = prometheus_reading(vector("NaN"))

    found = play(policy, lambda k, v, n: {**good(n), ERRORS: nan}, experiment(iterations=2))

    assert {v.judgement for v in found[0].verdicts} == {Judgement.UNKNOWN}
    assert found[0].outcome is None


def test_c3_weights_wait_for_a_missing_value_and_go_on_when_it_is_back() -> None:
    lost = prometheus_reading(EMPTY)
    says: Says = lambda k, v, n: {**good(n), ERRORS: lost} if k in (2, 3) else good(n)  # noqa: E731

    found = play(evidence, says, experiment(), ramp="steps", increment=10)

    assert [d.weights["v2"] for d in found[:4]] == [20, 20, 20, 30]


def test_c4_an_idle_service_is_not_a_bad_one() -> None:
    idle = {ERRORS: prometheus_reading(vector("NaN")), REWARD: prometheus_reading(vector("NaN")),
            COUNT: Reading(0.0, counts=Counts(0.0))}  # fmt: skip

    found = play(evidence, lambda k, v, n: idle, experiment(iterations=10))

    assert {d.weights["v2"] for d in found[:-1]} == {10}
    assert found[-1].outcome is Outcome.INCONCLUSIVE


def test_c7_and_c8_what_has_no_data_on_either_side_is_never_a_pass() -> None:
    spec = experiment(("error-rate", 0.01), ("latency", 0.5))
    lost = Reading(None, "no data: the query matches no series")
    shapes = {**SHAPES, LATENCY: Shape("fraction")}

    found = play(evidence, lambda k, v, n: {**good(n, 0.9 if v == "v2" else 0.3), LATENCY: lost},
                 spec, shapes=shapes)  # fmt: skip

    assert found[-1].outcome is not Outcome.PROMOTED
    assert max(d.weights["v2"] for d in found) == 10


def test_c11_less_than_a_millisecond_is_not_zero() -> None:
    reading = prometheus_reading(vector("0.0008"))
    seen = Observation(1, 10, {"v1": 90, "v2": 10}, {"ns/latency": {"v1": reading, "v2": reading}})

    decision, _ = iter8.decide(experiment(("latency", 0.0005)), iter8.Settings(), seen, {})

    assert [v.judgement for v in decision.verdicts] == [Judgement.MISSED] * 2


def test_c17_failures_and_errors_in_turn_never_age_into_success() -> None:
    lost = Reading(None, "query failed")
    says: Says = lambda k, v, n: (  # noqa: E731
        {**good(n, 0.9), ERRORS: known(0.2, 0.2 * n, n) if k % 2 else lost}
        if v == "v2"
        else good(n)
    )

    for policy in (evidence, iter8):
        assert play(policy, says, experiment())[-1].outcome is Outcome.ROLLED_BACK


def test_c19_the_first_proof_of_harm_acts_whatever_another_metric_does() -> None:
    spec = experiment(("error-rate", 0.01), ("latency", 0.5))
    hangs = Reading(None, "no answer within 8 s")
    says: Says = lambda k, v, n: {  # noqa: E731
        **good(n), LATENCY: hangs, **({ERRORS: known(0.2, 0.2 * n, n)} if v == "v2" else {}),
    }  # fmt: skip

    found = play(evidence, says, spec, start=50, shapes={**SHAPES, LATENCY: Shape("fraction")})

    assert len(found) == 1
    assert found[0].outcome is Outcome.ROLLED_BACK
    assert found[0].weights == {"v1": 100, "v2": 0}


def test_c29_a_second_canary_has_two_targets_and_not_the_first_one_s_share() -> None:
    service: dict[str, Any] = {
        "apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService",
        "metadata": {"name": "m", "namespace": "ns"},
        "spec": {"predictor": {"canaryTrafficPercent": 20, "model": {}}},
    }  # fmt: skip
    references = {"v1": None, "v2": ".spec.predictor.canaryTrafficPercent"}
    for percent in (20, 0, 10):
        service["spec"]["predictor"]["canaryTrafficPercent"] = percent

        assert resolve(service, references).percent() == {"v1": 100 - percent, "v2": percent}


def test_c32_hosts_that_differ_only_in_the_namespace_are_two() -> None:
    hosts = [f"iris.{ns}.svc.cluster.local" for ns in ("ns-baseline", "ns-candidate")]
    routes = [{"destination": {"host": h}, "weight": w} for h, w in zip(hosts, (90, 10),
                                                                        strict=True)]  # fmt: skip
    service = {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
               "metadata": {"name": "vs"}, "spec": {"http": [{"route": routes}]}}  # fmt: skip
    rule = resolve(service, {f"v{i}": f".spec.http[0].route[{i}].weight" for i in (0, 1)})

    assert rule.percent() == {"v0": 90, "v1": 10}
    assert [host for host, _ in rule.hosts().values()] == hosts
    tested = [op["value"]["host"] for op in rule.patch(None, {"v0": 50, "v1": 50})
              if op["op"] == "test"]  # fmt: skip
    assert tested == hosts


def test_c38_both_versions_bad_ends_with_the_baseline_and_says_so() -> None:
    says: Says = lambda k, v, n: {**good(n), ERRORS: known(0.2, 0.2 * n, n)}  # noqa: E731

    found = play(evidence, says, experiment(), start=50)

    assert found[-1].outcome is Outcome.ROLLED_BACK
    assert "v1 misses its own objectives" in found[-1].reason


def test_c51_one_bad_window_of_few_requests_is_not_the_end_and_two_of_many_are() -> None:
    rates = [0.004, 0.005, 0.06, 0.004, 0.005]
    few: Says = lambda k, v, n: {**good(n), ERRORS: known(rates[k - 1], rates[k - 1] * 50, 50)}  # noqa: E731
    many: Says = lambda k, v, n: {**good(n), ERRORS: known(0.06, 0.06 * 250, 250)}  # noqa: E731

    once = play(evidence, few, experiment(iterations=5), start=50)
    twice = play(evidence, many, experiment(iterations=5), start=50)

    assert {d.outcome for d in once[:-1]} == {None}
    assert once[-1].outcome is Outcome.INCONCLUSIVE
    assert twice[-1].outcome is Outcome.ROLLED_BACK
    assert len(twice) <= 2


def test_c53_what_scales_or_labels_a_workload_is_not_what_it_is() -> None:
    def workload(image: str, replicas: int, note: str) -> dict[str, Any]:
        container = {"name": "c", "image": image}
        template = {
            "metadata": {"annotations": {"note": note}},
            "spec": {"containers": [container]},
        }
        return {"kind": "Deployment", "metadata": {"name": "w", "annotations": {"note": note}},
                "spec": {"replicas": replicas, "template": template}}  # fmt: skip

    assert identity(workload("a", 1, "x")) == identity(workload("a", 5, "y"))
    assert identity(workload("a", 1, "x")) != identity(workload("b", 1, "x"))


def test_c56_one_error_of_three_decides_nothing_and_two_of_400_do_not_fail() -> None:
    three: Says = lambda k, v, n: {**good(3), ERRORS: known(1 / 3, 1, 3)}  # noqa: E731
    four_hundred: Says = lambda k, v, n: {**good(400), ERRORS: known(0.005, 2, 400)}  # noqa: E731

    assert play(evidence, three, experiment(iterations=2), start=50)[0].outcome is None
    assert play(evidence, four_hundred, experiment(iterations=2), start=50)[0].outcome is None


def test_c58_no_error_is_ever_trimmed_away() -> None:
    limit = Limit("ns/error-rate", 0, 0.01, 0.01)

    assert limit.tally(Shape("fraction"), Counts(3.0, 358.0)) == (358.0, 3.0, 3.0)


def test_c59_a_version_without_a_single_request_is_a_wrong_split() -> None:
    assert trial(((1000, 0), (50, 50))).outcome is Outcome.INVALID


def test_c61_the_split_is_held_to_the_weights_of_its_time() -> None:
    phases = [((905, 95), (90, 10)), ((798, 202), (80, 20)), ((489, 511), (50, 50))]

    assert trial(*phases).outcome is None
    assert trial(*[((960, 40), (90, 10))] * 2).outcome is Outcome.INVALID


def test_c80_a_verdict_says_metric_version_value_limit_requests_and_what_is_done() -> None:
    says: Says = lambda k, v, n: {  # noqa: E731
        **good(412), **({ERRORS: known(0.06, 0.06 * 412, 412)} if v == "v2" else {}),
    }  # fmt: skip

    found = play(evidence, says, experiment(), start=50)[-1]

    assert "v2: error-rate <= 0.01 is broken" in found.reason
    assert "all traffic back to the baseline" in found.reason
    verdict = found.verdicts[1]
    assert (verdict.value, verdict.upper, verdict.sample_size) == (0.06, 0.01, 412)
    assert "ns/error-rate of v2: proven not <= 0.01" in verdict.sentence
    assert "n=412" in verdict.sentence
