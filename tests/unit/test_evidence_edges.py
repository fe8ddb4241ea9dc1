"""Where evidence is easily taken for more than it is: less than a request, points, fallen sums."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from crossfade.errors import BackendError
from crossfade.evidence.increments import EFFECTS, pair
from crossfade.evidence.judging import findings, observe
from crossfade.evidence.rules import Design, Interval, Rules
from crossfade.evidence.storing import restored, stored
from crossfade.evidence.trial import begin
from crossfade.verdict import Outcome
from crossfade_steps.window import read_counts

NOTHING = np.zeros((2, 0))


def test_less_than_one_request_of_one_version_alone_proves_nothing() -> None:
    """A declared design effect divides the counts: there are fewer than one often."""
    for sign in (1, -1):
        found = pair(0.41, 0.468, 0.0, 0.0, guess=0.001, tilt=sign * EFFECTS)
        assert found == pytest.approx(np.zeros(4), abs=1e-12)

    shares = pair(0.3, 0.4, 0.1, 0.4, guess=0.3, tilt=EFFECTS)
    assert 10 * shares == pytest.approx(pair(3, 4, 1, 4, guess=0.3, tilt=EFFECTS))


def test_points_that_miss_a_limit_prove_nothing_of_the_baseline() -> None:
    """They stop a version; in the place of a better reward they would be three draws of luck."""
    design = Design(2, (), True, 30)
    seen = Interval(np.array([500.0, 500.0]), NOTHING, NOTHING, NOTHING, np.array([150.0, 150.0]))

    found = findings(begin(Rules(), design), replace(seen, broken=(True, False)), Rules(), design)

    assert found.fails(0)
    assert not found.unfit


@pytest.mark.parametrize("ends", [(-1.0, 1.0), (-5.0, 0.0)])
def test_values_below_zero_make_a_counter_fall(ends: tuple[float, float]) -> None:
    with pytest.raises(ValidationError, match="count gains and losses apart"):
        Rules(reward_range=ends)


def profit(sums: list[float], counts: list[float]) -> Any:
    """Return a store with one pod's summary, scraped every 5 s from 100 on."""
    series = {"profit_sum": sums, "profit_count": counts}

    def ask(selector: str, at: float, back: float) -> dict[str, Any]:
        name = selector.partition("{")[0]
        points = [[100.0 + 5 * i, str(value)] for i, value in enumerate(series[name])]
        near = [point for point in points if at - back <= float(point[0]) <= at + 5]
        metric = {"__name__": name, "pod": "p"}
        return {"data": {"resultType": "matrix", "result": [{"metric": metric, "values": near}]}}

    return ask


MEAN = "sum(increase(profit_sum[20s])) / sum(increase(profit_count[20s]))"


def test_a_sum_that_falls_while_its_count_goes_on_is_unknown() -> None:
    """Read as a restart it was +570: from 300 to 290 and 280, with 200 values of -0.1 each."""
    store = profit([300, 290, 280, 280], [1000, 1100, 1200, 1200])

    with pytest.raises(BackendError, match="profit_sum: it fell while its count went on"):
        read_counts(store, MEAN, 100.0, 110.0)


@pytest.mark.parametrize("sums", [[-1, -3, -5, -7], [5, 3, 1, 2]])
def test_a_young_pod_s_losses_are_unknown_too(sums: list[float]) -> None:
    with pytest.raises(BackendError, match="by values below 0"):
        read_counts(profit([*sums], [10, 20, 30, 40]), MEAN, 100.0, 115.0)


def test_a_process_that_soon_counts_more_than_before_was_restarted() -> None:
    """After few slow requests it was restarted, and served more before the next scrape."""
    found = read_counts(profit([29.0, 30.0, 1.0, 2.0], [2, 3, 5, 9]), MEAN, 100.0, 115.0)

    assert found is not None
    assert (found.total, found.count) == (3.0, 7.0)


def test_a_sum_of_floating_point_values_does_not_fall_by_a_rounding() -> None:
    store = profit([1243.0, 1243.0 - 2e-13, 1244.0, 1244.0], [1000, 1000, 1001, 1001])

    found = read_counts(store, MEAN, 100.0, 110.0)

    assert found is not None
    assert found.total == pytest.approx(1.0)


def test_a_state_of_an_older_release_learns_anew_how_far_rewards_scatter() -> None:
    design = Design(2, (), True, 30)
    old = {**stored(begin(Rules(), design)), "scatter": [[0.0] * 4] * 2}

    assert restored(old, Rules(), design).scatter.shape == (2, 5)


def test_a_version_that_earns_nothing_is_no_unknown_scatter() -> None:
    """Where users are pinned nothing is evidence before it is known how far they scatter."""
    rules, design = Rules(dispersion="auto"), Design(2, (), True, 40)
    trial, outcome = begin(rules, design), None
    rng = np.random.default_rng(3)
    while outcome is None:
        n = rng.multinomial(2000, np.array(trial.weights) / 100).astype(float)
        rewards = rng.binomial(n.astype(int), [0.05, 0.0]).astype(float)
        judged = observe(trial, Interval(n, NOTHING, NOTHING, NOTHING, rewards), rules, design)
        trial, outcome = judged.trial, judged.outcome

    assert outcome is Outcome.ROLLED_BACK
    assert trial.intervals <= 15


def test_a_sum_that_falls_with_its_count_was_restarted() -> None:
    found = read_counts(profit([300, 310, 5, 5], [1000, 1100, 50, 50]), MEAN, 100.0, 110.0)

    assert found is not None
    assert (found.total, found.count) == (15.0, 150.0)
