"""How far requests belong together, estimated from intervals."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from crossfade.evidence.clustering import (
    COUNT,
    SQUARES,
    WEIGHT,
    design_effect,
    scattered,
    scatters,
    unscattered,
)
from crossfade.evidence.judging import wrong_split
from crossfade.evidence.rules import Design, Interval, Rules
from crossfade.evidence.trial import Trial, absorb, begin

N, SEED = 400, 20261126


def drawn(users: int, lift: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return requests and rewards of two versions; each user has a rate, of variance p(1-p)/5."""
    n, means = np.array([N, N]), np.array([0.3, 0.3 * (1 + lift)])
    if users > 1:
        count = N // users
        means = np.array([rng.beta(4 * m, 4 * (1 - m), count).mean() for m in means])
    return n.astype(float), rng.binomial(n, means).astype(float)


def estimates(users: int, lift: float = 0.0, intervals: int = 30) -> list[float]:
    rng, found = np.random.default_rng(SEED), []
    for _ in range(60):
        table = unscattered(2)
        for _ in range(intervals):
            table = scattered(table, *drawn(users, lift, rng), counts=False)
        found.append(design_effect(table))
    return found


def test_nothing_is_known_before_two_residuals() -> None:
    table = unscattered(2)
    for expected in (True, True, True):
        assert math.isinf(design_effect(table)) is expected
        table = scattered(table, *drawn(1, 0.0, np.random.default_rng(1)), counts=False)
    assert table[1, COUNT] == 2
    assert design_effect(table) >= 1


@pytest.mark.parametrize("lift", [0.0, 0.4])
def test_alike_requests_count_nearly_in_full_whatever_the_lift(lift: float) -> None:
    assert 1.0 <= float(np.median(estimates(1, lift))) < 1.6


def test_users_of_twenty_requests_are_seen_to_belong_together() -> None:
    """The design effect is 1 + 19 * 0.2 = 4.8; four estimates in five are above it."""
    found = estimates(20)
    assert np.mean(np.array(found) >= 4.8) > 0.65
    assert np.median(found) < 9


def test_requests_that_are_alike_are_hardly_ever_said_to_scatter() -> None:
    rng, said = np.random.default_rng(SEED), 0
    for _ in range(200):
        table = unscattered(2)
        for _ in range(8):
            n = np.array([N, N], float)
            table = scattered(table, n, rng.binomial(N, [0.3, 0.3]).astype(float), counts=False)
        said += scatters(table)
    assert said <= 20
    assert scatters(np.array([[0.0] * 5, [40.0, 6, 1, 1, 9]])), "each of them 6.7 times as much"


@pytest.mark.parametrize("counts", [False, True])
def test_a_much_better_version_does_not_scatter_when_the_weights_move(counts: bool) -> None:
    """Nor do rewards that drift: odds, or rates, that keep their ratio."""
    rng, said = np.random.default_rng(SEED), 0
    for _ in range(60):
        table = unscattered(2)
        for share, level in ((0.04, 0.2), (0.1, 0.3), (0.25, 0.3), (0.5, 0.4), (0.9, 0.3)):
            n = np.array([round(N * (1 - share)), round(N * share)])
            odds = level / (1 - level) * np.array([1, 6])
            draw = (
                rng.poisson(n * level * np.array([1, 2]))
                if counts
                else rng.binomial(n, odds / (1 + odds))
            )
            table = scattered(table, n.astype(float), draw.astype(float), counts=counts)
        said += scatters(table)
    assert said <= 9


def test_a_lull_before_a_burst_is_no_estimate() -> None:
    """Rare rewards of few users: a version without any is taken as alike until it has one."""
    quiet, burst = np.array([20.0, 0.0]), np.array([20.0, 12.0])
    table = unscattered(2)
    for rewards in (quiet, quiet, quiet, quiet):
        table = scattered(table, np.array([940.0, 60.0]), rewards, counts=False)
    assert table[1, COUNT] == 3
    table = scattered(table, np.array([940.0, 60.0]), burst, counts=False)

    assert table[1, COUNT] == 0
    assert design_effect(table) == np.inf


def test_counts_scatter_as_counts_do() -> None:
    rng, table = np.random.default_rng(SEED), unscattered(2)
    for _ in range(40):
        n = np.array([N, N], float)
        table = scattered(table, n, rng.poisson(1.5 * n).astype(float), counts=True)
    assert design_effect(table) < 2


def split_alarms(part: float, dispersion: float | str, runs: int = 60) -> float:
    """Return how many of the runs ring; users of 20 requests each stay with a version."""
    rng, rung = np.random.default_rng(SEED), 0
    rules, design = Rules(dispersion=dispersion, alpha_split=0.01), Design(2, (), False, 30)
    for _ in range(runs):
        trial = replace(begin(rules, design), weights=(50, 50), weights_before=(50, 50))
        for _ in range(25):
            candidate = 20.0 * rng.binomial(25, part)
            n, none = np.array([500 - candidate, candidate]), np.zeros((2, 0))
            trial = absorb(trial, Interval(n, none, none, none, None), rules, design)
            if wrong_split(trial, rules, design):
                rung += 1
                break
    return rung / runs


@pytest.mark.parametrize("dispersion", [20.0, "auto"])
def test_users_of_several_requests_are_no_wrong_split(dispersion: float | str) -> None:
    assert split_alarms(0.5, 1.0) > 0.5, "taken for independent requests they are"
    assert split_alarms(0.5, dispersion) <= 0.05
    assert split_alarms(1 / 3, dispersion) > 0.9, "half of what it should be"


def test_too_few_rewards_say_nothing() -> None:
    table = scattered(unscattered(2), np.array([9.0, 1.0]), np.array([1.0, 0.0]), counts=False)

    assert (table[:, [SQUARES, COUNT, WEIGHT]] == 0).all()


def test_no_evidence_is_taken_from_users_before_anything_is_known_of_them() -> None:
    rules, design = Rules(dispersion="auto"), Design(2, (), True, 30)
    trial: Trial = replace(begin(rules, design), weights=(50, 50))
    seen: list[float] = []
    for _ in range(4):
        n = np.array([500.0, 500.0])
        none = np.zeros((2, 0))
        trial = absorb(trial, Interval(n, none, none, none, n * [0.3, 0.6]), rules, design)
        seen.append(float(trial.better.evidence()[1, 0]))

    assert seen[:3] == [0.0, 0.0, 0.0]
    assert seen[3] > 1
