"""What brings a verdict sooner: which effects are looked for, how fast weights rise, how far."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from crossfade.evidence.effects import STEPS, chosen
from crossfade.evidence.increments import EFFECTS
from crossfade.evidence.judging import findings, observe
from crossfade.evidence.process import Process
from crossfade.evidence.rules import Design, Interval, Rules
from crossfade.evidence.schedule import schedule
from crossfade.evidence.thresholds import (
    baseline_threshold,
    better_threshold,
    rollback_threshold,
)
from crossfade.evidence.trial import Trial, absorb, begin

DESIGN = Design(2, (0.01,), True, 30)


def after_first(design: Design = DESIGN, *, requests: float = 500, mean: float = 0.3) -> Trial:
    """Return the trial after an interval in which only the baseline served."""
    fresh = begin(Rules(), design)
    others = np.zeros(design.versions - 1)
    n = np.array([requests, *others])
    zero = np.zeros((design.versions, design.objectives))
    judged = np.repeat(n[:, None], design.objectives, axis=1)
    return absorb(fresh, Interval(n, judged, zero, zero, n * mean), Rules(), design)


def test_effects_are_those_that_the_iterations_can_prove() -> None:
    found = chosen(after_first(), Rules(), DESIGN)

    smallest = math.sqrt(2 * math.log(1 / 0.0325) / (500 * 29 / 4 * 0.3 * 0.7))
    assert [each / smallest for each in found] == pytest.approx(STEPS, rel=0.01)


@given(some.integers(2, 2000), some.floats(5, 1e5), some.floats(0.001, 0.999))
def test_more_iterations_look_for_smaller_effects(k: int, requests: float, mean: float) -> None:
    short, long = (Design(2, (0.01,), True, n) for n in (k, 2 * k))
    trial = after_first(requests=requests, mean=mean)

    assert chosen(trial, Rules(), long)[0] <= chosen(trial, Rules(), short)[0]


def test_a_declared_lift_is_looked_for_whatever_the_iterations() -> None:
    found = chosen(after_first(), Rules(effects=0.1), DESIGN)

    of_odds = math.log(1.1) / 0.7  # the lift is of means
    assert found[0] == pytest.approx(STEPS[0] * of_odds, rel=0.01)
    assert found == chosen(after_first(), Rules(effects=0.1), replace(DESIGN, iterations=900))


def test_nothing_known_before_the_first_comparison_looks_for_what_was_designed() -> None:
    assert chosen(begin(Rules(), DESIGN), Rules(), DESIGN) == tuple(EFFECTS)
    assert chosen(after_first(), Rules(effects="fixed"), DESIGN) == tuple(EFFECTS)


def test_effects_are_chosen_once_and_before_what_they_judge() -> None:
    trial = replace(after_first(), weights=(50, 50), weights_before=(50, 50))
    n, zero = np.array([250.0, 250.0]), np.zeros((2, 1))
    seen = Interval(n, np.repeat(n[:, None], 1, axis=1), zero, zero, n * np.array([0.1, 0.9]))

    once = absorb(trial, seen, Rules(), DESIGN)
    twice = absorb(once, seen, Rules(), DESIGN)

    assert once.tilts == chosen(replace(trial, intervals=2), Rules(), DESIGN)
    assert twice.tilts == once.tilts


@pytest.mark.parametrize(("ramp", "expected"), [("steps", 30), ("doubling", 40), ("risk", 50)])
def test_a_ramp_rises_as_it_says(ramp: str, expected: int) -> None:
    trial = replace(after_first(), weights=(80, 20), judged=np.array([[0.0], [900.0]]))

    assert schedule(trial, Rules.model_validate({"ramp": ramp}), DESIGN) == (
        100 - expected,
        expected,
    )


@given(some.permutations([1, 2, 3]), some.integers(0, 2**32 - 1))
def test_the_order_of_candidates_changes_nothing(order: list[int], seed: int) -> None:
    """Every version keeps its weight, wherever it is listed; ties cannot tell them apart."""
    design, rules = Design(4, (0.01, 0.05), True, 12), Rules(bake=0)
    rng = np.random.default_rng(seed)
    to = [0, *order]
    one, other = begin(rules, design), begin(rules, design)
    for _ in range(12):
        n = np.round(400 * np.asarray(one.weights) / 100)
        bad = rng.binomial(n.astype(int)[:, None], 0.004, (4, 2)).astype(float)
        gain = rng.binomial(n.astype(int), [0.2, 0.25, 0.4, 0.6]).astype(float)
        judged = np.repeat(n[:, None], 2, axis=1)
        here = observe(one, Interval(n, judged, bad, bad, gain), rules, design)
        there = observe(other, Interval(n[to], judged[to], bad[to], bad[to], gain[to]), rules,
                        design)  # fmt: skip
        one, other = here.trial, there.trial
        assert [one.weights[i] for i in to] == list(other.weights)
        assert here.outcome == there.outcome
        assert to[there.winner] == here.winner
        if here.outcome is not None:
            break


def test_a_raise_goes_to_a_quarter_where_the_risk_budget_allows_it() -> None:
    quiet, busy = (replace(after_first(requests=n), weights=(100, 0)) for n in (50, 500))
    known = replace(busy, weights=(96, 4), judged=np.array([[0.0], [900.0]]))

    assert schedule(quiet, Rules(), DESIGN) == (75, 25)
    assert schedule(busy, Rules(), DESIGN) == (96, 4), "20 requests an interval"
    assert schedule(known, Rules(), DESIGN) == (75, 25)


def test_a_proof_stands_when_a_little_is_taken_back_but_not_when_much_is() -> None:
    grown = Process.fresh(1, 4).updated(np.full((1, 4), 3.1))
    little, much = grown.updated(np.full((1, 4), -0.9)), grown.updated(np.full((1, 4), -1.2))

    assert [p.proven(3.0)[0] for p in (grown, little, much)] == [True, True, False]
    assert little.shown(3.0)[0] == pytest.approx(3.1)
    assert much.shown(3.0)[0] == pytest.approx(1.9)
    assert not Process.fresh(1, 4).updated(np.full((1, 4), 2.9)).proven(3.0)[0]


@given(some.integers(2, 9), some.integers(1, 20), some.floats(0.001, 0.49))
def test_everything_that_lets_a_candidate_win_wrongly_stays_within_alpha(
    versions: int, objectives: int, alpha: float
) -> None:
    rules, design = Rules(alpha=alpha), Design(versions, (0.01,) * objectives, True, 30)
    better = (versions - 1) * math.exp(-better_threshold(rules, design))
    unfit = objectives * math.exp(-baseline_threshold(rules, design))

    assert better + unfit <= alpha * (1 + 1e-9)


def test_a_baseline_that_is_nearly_proven_to_fail_excuses_no_candidate() -> None:
    rules = Rules(bake=0)
    trial = replace(after_first(), seen=9, requests=np.array([900.0, 900.0]))
    alarm, excuse = rollback_threshold(rules, DESIGN), baseline_threshold(rules, DESIGN)
    fails = replace(trial.fails, log=np.full(trial.fails.log.shape, -9.0))
    fails.log[0] = (alarm + excuse) / 2
    proven = replace(trial.passes, log=np.full(trial.passes.log.shape, 9.0), most=None)
    seen = Interval(*[np.zeros(2), *[np.zeros((2, 1))] * 3], reward=None)

    found = findings(replace(trial, fails=fails, passes=proven), seen, rules, DESIGN)

    assert found.fails(0)
    assert not found.unfit
