"""The formulas of docs/policies.md against their golden vectors, and their laws."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.evidence.increments import EFFECTS, ODDS, above, common_mean, pair, rate
from crossfade.evidence.process import Process

VECTORS: dict[str, Any] = json.loads(Path(__file__).with_name("evidence_vectors.json").read_text())
near = lambda value: pytest.approx(value, abs=1e-5)  # noqa: E731
counts = st.integers(0, 500)


def mixed(increments: Any) -> float:
    return float(Process.fresh(len(increments)).updated(increments).evidence())


def test_the_grids() -> None:
    assert list(ODDS) == near(VECTORS["grids"]["ODDS"])
    assert list(EFFECTS) == near(VECTORS["grids"]["EFFECTS"])


@pytest.mark.parametrize("row", VECTORS["llr_rate"])
def test_one_sample(row: dict[str, Any]) -> None:
    sign = 1 if row["direction"] == "fail" else -1

    found = rate(row["s"], row["n"], row["x"], sign * ODDS)

    assert list(found) == near(row["increments"])
    assert mixed(found) == near(row["log_e"])


def test_an_alarm_restarts() -> None:
    process = Process.fresh(4, restarts=True)
    assert process.evidence() == -math.inf
    for row in VECTORS["restart_alarm_x_0.01"]:
        process = process.updated(rate(row["s"], row["n"], 0.01, ODDS))
        assert float(process.evidence()) == near(row["log_e"])


@pytest.mark.parametrize("row", VECTORS["llr_pair"])
def test_two_samples(row: dict[str, Any]) -> None:
    given_ = (row["r1"], row["n1"], row["r0"], row["n0"])

    found = pair(*given_, guess=row["p"], tilt=EFFECTS)

    assert list(found) == near(row["increments"])
    assert mixed(found) == near(row["log_e"])
    assert mixed(pair(*given_, guess=row["p"], tilt=-EFFECTS)) == near(row["log_e_worse"])


def test_a_sequence_of_intervals_guesses_from_the_past_only() -> None:
    process, rewards, requests = Process.fresh(4), 0.0, 0.0
    for row in VECTORS["pair_sequence"]:
        guess = common_mean(rewards, requests)
        assert guess == near(row["p"])
        process = process.updated(
            pair(row["r1"], row["n1"], row["r0"], row["n0"], guess=guess, tilt=EFFECTS)
        )
        rewards, requests = rewards + row["r1"] + row["r0"], requests + row["n1"] + row["n0"]
        assert float(process.evidence()) == near(row["log_e"])


@pytest.mark.parametrize("row", VECTORS["count"])
def test_counts(row: dict[str, Any]) -> None:
    found = rate(row["r1"], row["r1"] + row["r0"], row["share"], EFFECTS)

    assert list(found) == near(row["increments"])


@pytest.mark.parametrize("row", VECTORS["split_theta_up_down"])
def test_the_split(row: dict[str, Any]) -> None:
    assert list(rate(row["n1"], row["N"], row["w"], EFFECTS)) == near(row["up"])
    assert list(rate(row["n1"], row["N"], row["w"], -EFFECTS)) == near(row["down"])


@pytest.mark.parametrize("row", VECTORS["buckets"])
def test_buckets(row: dict[str, Any]) -> None:
    edges = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, math.inf]
    cumulative = [0, 2, 10, 60, 140, 300, 800, 930, 960, 975, 990, 996, 998, 999, 1000]

    assert list(above(edges, cumulative, row["limit"])) == row["certain_possible"]


@given(counts, counts, st.floats(0.001, 0.5))
def test_more_bad_events_never_help_a_version_to_pass(bad: int, good: int, limit: float) -> None:
    count = bad + good + 1

    less, more = (mixed(rate(b, count, limit, -ODDS)) for b in (bad, bad + 1))

    assert more < less


@given(counts, counts, counts, counts, st.floats(0.01, 0.99))
def test_both_directions_of_a_reward_mirror_each_other(
    r1: int, r0: int, more1: int, more0: int, guess: float
) -> None:
    n1, n0 = r1 + more1, r0 + more0

    high = pair(r1, n1, r0, n0, guess=guess, tilt=EFFECTS)
    low = pair(n1 - r1, n1, n0 - r0, n0, guess=1 - guess, tilt=-EFFECTS)

    assert np.allclose(high, low, atol=1e-8)


@given(counts, st.integers(1, 500), st.floats(0.01, 0.99))
def test_versions_that_answer_alike_prove_nothing(reward: int, more: int, guess: float) -> None:
    count = reward + more

    assert mixed(pair(reward, count, reward, count, guess=guess, tilt=EFFECTS)) <= 1e-9
