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
from crossfade.evidence.judging import observe
from crossfade.evidence.rules import Design, Interval, Rules
from crossfade.evidence.schedule import schedule
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

    expected = math.sqrt(2 * math.log(20) / (500 * 29 / 4 * 0.3 * 0.7))
    assert found[0] == pytest.approx(expected, rel=0.01)
    assert [each / found[0] for each in found] == pytest.approx(STEPS)


@given(some.integers(2, 2000), some.floats(5, 1e5), some.floats(0.001, 0.999))
def test_more_iterations_look_for_smaller_effects(k: int, requests: float, mean: float) -> None:
    short, long = (Design(2, (0.01,), True, n) for n in (k, 2 * k))
    trial = after_first(requests=requests, mean=mean)

    assert chosen(trial, Rules(), long)[0] <= chosen(trial, Rules(), short)[0]


def test_a_declared_lift_is_looked_for_whatever_the_iterations() -> None:
    found = chosen(after_first(), Rules(effects=0.1), DESIGN)

    assert found[0] == pytest.approx(math.log(1.1) / 0.7, rel=0.01), "of means to of odds"
    assert found == chosen(after_first(), Rules(effects=0.1), replace(DESIGN, iterations=900))


def test_nothing_known_before_the_first_comparison_looks_for_what_was_designed() -> None:
    assert chosen(begin(Rules(), DESIGN), Rules(), DESIGN) == tuple(EFFECTS)
    assert chosen(after_first(), Rules(effects="fixed"), DESIGN) == tuple(EFFECTS)


def test_effects_are_chosen_once_and_before_what_they_judge() -> None:
    trial = replace(after_first(), weights=(50, 50))
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
