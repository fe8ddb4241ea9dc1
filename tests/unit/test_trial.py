"""Whole trials against traces of the policy's own simulation."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crossfade.evidence.judging import observe
from crossfade.evidence.rules import Design, Interval, Rules
from crossfade.evidence.schedule import schedule
from crossfade.evidence.storing import restored, stored
from crossfade.evidence.trial import Trial, begin
from crossfade.verdict import Outcome

FILE = Path(__file__).with_name("evidence_vectors.json")
TRACES: dict[str, Any] = json.loads(FILE.read_text())["traces"]
OUTCOMES = {"running": None, "promote": Outcome.PROMOTED, "rollback": Outcome.ROLLED_BACK,
            "inconclusive": Outcome.INCONCLUSIVE, "invalid": Outcome.INVALID}  # fmt: skip


def settings(config: dict[str, Any]) -> tuple[Rules, Design]:
    assurance = "proven" if config.get("proven", True) else "not-refuted"
    rules = Rules(bake=0, assurance=assurance, ramp="steps", effects="fixed", confirm=2)
    return rules, Design(2, tuple(config["limits"]), True, config.get("iterations", 10))


def interval(values: dict[str, Any] | None) -> Interval | None:
    if values is None:
        return None
    n = np.array(values["n"], float)
    low, high = np.array(values["bad_lo"], float), np.array(values["bad_hi"], float)
    judged = np.repeat(n[:, None], low.shape[1], axis=1)
    return Interval(n, judged, low, high, np.array(values["reward"], float))


def started(rules: Rules, design: Design, traffic: float) -> Trial:
    trial = replace(begin(rules, design), traffic=traffic)
    return replace(trial, weights=schedule(trial, rules, design))


@pytest.mark.parametrize("name", TRACES)
def test_a_trial_goes_as_the_trace_says(name: str) -> None:
    trace = TRACES[name]
    rules, design = settings(trace["config"])
    trial = started(rules, design, trace["config"]["traffic"])
    assert list(trial.weights) == trace["first_weights"]

    for values, step in zip(trace["intervals"], trace["steps"], strict=False):
        judged = observe(trial, interval(values), rules, design)
        trial = judged.trial
        assert list(trial.weights) == step["weights"]
        assert judged.outcome == OUTCOMES[step["outcome"]]
        assert judged.winner == step["winner"]
        if "log_e_pass" in step and values is not None:
            near = lambda expected: pytest.approx(expected, abs=1e-5)  # noqa: E731
            assert list(trial.fails.evidence()[1]) == near(step["log_e_fail"][0])
            assert list(trial.passes.evidence()[1]) == near(step["log_e_pass"][0])
            assert trial.better.evidence()[1, 0] == near(step["log_e_better"][0])
            assert trial.worse.evidence()[1] == near(step["log_e_worse"][0])


def test_a_state_from_before_rewards_were_counted_apart_goes_on_where_it_was() -> None:
    """Its rewards were of as many values as there were requests, not of none."""
    rules, design = settings({"limits": [0.01, 0.05]})
    trial = replace(begin(rules, design), weights=(50, 50), weights_before=(50, 50))
    values = {"n": [50, 50], "bad_lo": [[0, 0]] * 2, "bad_hi": [[0, 0]] * 2, "reward": [15, 20]}
    kept = stored(observe(trial, interval(values), rules, design).trial)
    new = restored(kept, rules, design)
    del kept["rewarded"]

    old = restored(kept, rules, design)

    assert (old.rewarded == old.requests).all()
    assert stored(old) == stored(new)
