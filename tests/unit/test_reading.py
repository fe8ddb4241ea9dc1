from __future__ import annotations

import threading
from typing import Any

import pytest

from crossfade.errors import SpecError
from crossfade.spec.experiment import Experiment
from crossfade.spec.metric import Metric
from crossfade.verdict import Observation, Reading
from crossfade_steps.ports import MetricRequest
from crossfade_steps.reading import observe, shapes_of


def experiment() -> Experiment:
    spec: dict[str, Any] = {
        "target": "t",
        "strategy": {"testingPattern": "Canary"},
        "criteria": {"objectives": [{"metric": "fast"}, {"metric": "slow"}]},
        "versionInfo": {"baseline": {"name": "a"}, "candidates": [{"name": "b"}]},
    }
    document = {"apiVersion": "iter8.tools/v2alpha2", "kind": "Experiment", "spec": spec}
    return Experiment.model_validate(document)


def metric(name: str, **spec: Any) -> Metric:
    return Metric.model_validate(
        {"apiVersion": "iter8.tools/v2alpha2", "kind": "Metric", "metadata": {"name": name},
         "spec": spec}
    )  # fmt: skip


class Source:
    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.requests: list[MetricRequest] = []

    def read(self, request: MetricRequest) -> Reading:
        self.requests.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        if isinstance(self.answer, threading.Event):
            self.answer.wait()
        return Reading(1.0)


def observed(slow: Source, fast: Source, budget: float = 5.0) -> Observation:
    metrics = {"default/fast": metric("fast", sampleSize="count"), "default/slow": metric("slow"),
               "default/count": metric("count")}  # fmt: skip
    sources = {"default/fast": fast, "default/slow": slow, "default/count": fast}
    return observe(experiment(), metrics, sources, iteration=1, elapsed_seconds=7,
                   weights={"a": 100, "b": 0}, budget_seconds=budget)  # fmt: skip


def test_every_metric_is_read_for_every_version_at_one_elapsed_time() -> None:
    fast, slow = Source(None), Source(None)

    seen = observed(slow, fast)

    assert set(seen.readings) == {"default/fast", "default/slow", "default/count"}
    assert {r.elapsed_seconds for r in [*fast.requests, *slow.requests]} == {7}
    assert seen.value("default/count", "b") == 1.0


def test_one_that_hangs_is_unknown_and_keeps_no_other() -> None:
    event = threading.Event()

    seen = observed(Source(event), Source(None), budget=0.05)
    event.set()

    assert seen.value("default/fast", "a") == 1.0
    assert seen.reason("default/slow", "a") == "no answer within 0.05 s"


SIMPLE = ".data.result[0].value[1] | tonumber"


@pytest.mark.parametrize(
    ("spec", "known"),
    [
        ({}, True),
        ({"jqExpression": SIMPLE}, True),
        ({"jqExpression": '(.["data"].result.[0] | .value[1])'}, True),
        ({"jqExpression": f"({SIMPLE}) * 1000"}, False),
        ({"jqExpression": f"{SIMPLE} // 0"}, False),
        ({"provider": "newrelic"}, False),
        ({"mock": [{"name": "a", "level": 1}]}, False),
    ],
)
def test_what_jq_changes_is_not_judged_by_the_query_s_counts(
    spec: dict[str, Any], known: bool
) -> None:
    """A limit of 200 ms is in the unit of jq, the buckets are in seconds."""
    query = {"name": "query", "value": 'sum(rate(a_total{v="$name"}[1m]))'}
    asked = metric("m", **{"provider": "prometheus", "params": [query], **spec})

    assert bool(shapes_of([MetricRequest(asked, "ns/m", "a", {}, 1, (0.0, 1.0))])) is known


def test_a_source_s_bug_is_one_unknown_reading() -> None:
    seen = observed(Source(RuntimeError("oops")), Source(None))

    assert seen.reason("default/slow", "b") == "reading failed: RuntimeError: oops"
    assert seen.value("default/fast", "b") == 1.0


def test_what_no_retry_can_mend_ends_the_reading() -> None:
    with pytest.raises(SpecError, match="no such variable"):
        observed(Source(SpecError("no such variable")), Source(None))


@pytest.mark.parametrize(
    ("slow", "fast", "silent"),
    [
        ("request failed: connection refused", "query failed: no answer", True),
        ("request failed: HTTP 503, busy", "x is built into Iter8", True),
        ("request failed: timed out", "no data: the query matches no series", False),
        ("request failed: timed out", None, False),
        ("no data: value is NaN (a division by zero?)", "no data", False),
        ("x is built into Iter8", "x is built into Iter8", False),
    ],
)
def test_a_store_is_silent_when_nobody_answers_and_not_when_there_is_no_data(
    slow: str, fast: str | None, silent: bool
) -> None:
    def source(reason: str | None) -> Any:
        made = Source(None)
        reading = Reading(1.0) if reason is None else Reading(None, reason)
        made.read = lambda request: reading  # type: ignore[method-assign]
        return made

    assert observed(source(slow), source(fast)).silent is silent
