from __future__ import annotations

import json
from typing import Any

import pytest
from rich.console import Console

from crossfade import policies, record
from crossfade.policies.iter8 import decide
from crossfade.report.describe import describe
from crossfade.report.facts import facts
from crossfade.report.live import line, table
from crossfade.spec.experiment import Experiment
from crossfade.spec.metric import Metric
from crossfade.spec.rollout import Bundle
from crossfade.verdict import Observation, Outcome, Reading


def bundle() -> Bundle:
    spec: dict[str, Any] = {
        "target": "iris",
        "strategy": {"testingPattern": "A/B"},
        "criteria": {
            "requestCount": "count",
            "rewards": [{"metric": "engagement", "preferredDirection": "High"}],
            "objectives": [{"metric": "latency", "upperLimit": 0.5}],
        },
        "duration": {"iterationsPerLoop": 2},
        "versionInfo": {"baseline": {"name": "iris-v1"}, "candidates": [{"name": "iris-v2"}]},
    }
    metadata = {"name": "quickstart", "namespace": "seldon"}
    document = {"apiVersion": "iter8.tools/v2alpha2", "kind": "Experiment", "metadata": metadata,
                "spec": spec}  # fmt: skip
    latency = Metric.model_validate(
        {"apiVersion": "iter8.tools/v2alpha2", "kind": "Metric", "metadata": {"name": "latency"},
         "spec": {"units": "seconds"}}
    )  # fmt: skip
    experiment = Experiment.model_validate(document)
    return Bundle(name="x", experiment=experiment, metrics={"seldon/latency": latency})


def entries(*, known: bool = True) -> list[dict[str, Any]]:
    whole = bundle()
    value = Reading(0.0123, warnings=("two series",)) if known else Reading(None, "no data")
    readings = {
        "seldon/latency": {"iris-v1": Reading(0.25), "iris-v2": value},
        "seldon/engagement": {"iris-v1": Reading(0.7), "iris-v2": Reading(1.0)},
        "seldon/count": {"iris-v1": Reading(412.0), "iris-v2": Reading(41.0)},
    }
    seen = Observation(1, 10, {"iris-v1": 100, "iris-v2": 0}, readings)
    decided, state = decide(whole.experiment, policies.load("iter8").Settings(), seen, {})
    return [
        record.header("run-1", whole, 1.0),
        record.phase("iterating", {"iris-v1": 100, "iris-v2": 0}),
        record.decision(seen, decided, state),
        record.applied(1, decided.weights),
        record.outcome(Outcome.CANCELLED, "interrupted", None),
    ]


def shown(renderable: Any, width: int = 80) -> str:
    console = Console(width=width, no_color=True, highlight=False)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


def test_everything_that_the_predecessor_told_is_told() -> None:
    text = shown(describe(entries()))

    for expected in (
        "Experiment name: quickstart", "Experiment namespace: seldon", "Target: iris",
        "Testing pattern: A/B", "Deployment pattern: Progressive", "Experiment stage: Completed",
        "Number of completed iterations: 1 of 2",
        "App versions in this experiment: [iris-v1 iris-v2]",
        "Winning version: iris-v2", "Version recommended for promotion: iris-v2",
        "engagement (higher better)", "latency <= 0.5", "seldon/latency (seconds)",
    ):  # fmt: skip
        assert expected in " ".join(text.split()) or expected in text


def test_the_star_marks_the_best_version_and_no_other() -> None:
    [row] = [r for r in shown(describe(entries()), 120).splitlines() if "higher better" in r]

    assert "0.7 " in row
    assert "1 *" in row
    assert row.count("*") == 1


def test_small_values_are_not_rounded_away_and_samples_are_shown() -> None:
    text = shown(describe(entries()), 120)

    assert "0.0123" in text
    assert "true (n=41)" in text


def test_an_unknown_value_is_said_with_its_reason() -> None:
    text = shown(describe(entries(known=False)), 120)

    assert "unavailable: no data" in text
    assert "unknown (n=41)" in text


def test_weights_reasons_warnings_and_the_outcome_are_told() -> None:
    text = shown(describe(entries()), 120)

    assert "100/0 -> 90/10" in text
    assert "two series" in text
    assert "Outcome: cancelled" in text
    assert "Reason: interrupted" in text


def test_a_run_that_has_not_decided_yet_is_described() -> None:
    text = shown(describe(entries()[:1]))

    assert "Number of completed iterations: 0 of 2" in text
    assert "Weights: not set yet" in text


def test_the_live_table_has_a_row_an_iteration() -> None:
    text = shown(table(entries()), 120)

    assert "quickstart: iterating, iteration 1/2" in text
    assert "90/10" in text
    assert "latency 0.0123 ok" in text
    assert "reward 1 *" in text


def test_a_log_has_a_line_for_what_is_news() -> None:
    whole = entries()

    lines = [line(whole[: i + 1]) for i in range(len(whole))]

    assert lines[0] is None
    assert lines[1] == "phase iterating: safe weights 100/0"
    assert lines[2] is not None
    assert lines[2].startswith("iteration 1/2: iris-v2 is best by engagement")


def test_facts_for_programs_hold_what_a_person_is_told() -> None:
    told = json.loads(json.dumps(facts(entries()), allow_nan=False))

    assert [told[key] for key in ("run", "target", "policy")] == ["run-1", "iris", "evidence"]
    assert (told["phase"], told["completed"], told["iterations"]) == ("iterating", True, 1)
    assert (told["outcome"], told["winner"], told["sentence"]) == ("cancelled", None, "interrupted")
    assert told["weights"] == {"iris-v1": 90, "iris-v2": 10}
    assert told["reward"]["best"] == ["iris-v2"]
    [objective] = told["objectives"]
    assert objective["upper_limit"] == 0.5
    assert objective["verdicts"]["iris-v2"]["judgement"] == "met"
    assert told["metrics"]["seldon/latency"]["units"] == "seconds"
    assert told["metrics"]["seldon/latency"]["values"]["iris-v1"] == {"value": 0.25, "reason": None}
    assert told["history"][0]["old_weights"] == {"iris-v1": 100, "iris-v2": 0}
    assert "seldon/latency of iris-v2: two series" in told["warnings"]


@pytest.mark.parametrize("count", [1, 2])
def test_what_is_not_known_is_null_and_every_key_is_there(count: int) -> None:
    whole, told = facts(entries()), facts(entries()[:count])

    assert told.keys() == whole.keys()
    for key in ("outcome", "winner", "sentence", "weights", "elapsed_seconds"):
        assert told[key] is None, key
    assert told["reward"]["values"] == {"iris-v1": None, "iris-v2": None}
    [objective] = told["objectives"]
    verdict = objective["verdicts"]["iris-v2"]
    assert (verdict["judgement"], verdict["value"], verdict["sample_size"]) == (
        "unknown",
        None,
        None,
    )
    assert verdict.keys() == whole["objectives"][0]["verdicts"]["iris-v2"].keys()


def test_an_unknown_value_is_null_with_its_reason() -> None:
    values = facts(entries(known=False))["metrics"]["seldon/latency"]["values"]

    assert values["iris-v2"] == {"value": None, "reason": "no data"}
