"""Which version earns more, interval by interval, and how far that counts as evidence.

Only rewards of traffic that the weights brought say anything: what a version earns without a weight
is a smoke test's, somebody's who tried it, or late feedback of an earlier run.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from crossfade.evidence.clustering import apparent_effect, design_effect, scattered
from crossfade.evidence.effects import chosen
from crossfade.evidence.increments import EFFECTS, TINY, common_mean, pair, rate
from crossfade.evidence.rules import Array, Design, Interval, Rules

if TYPE_CHECKING:
    from crossfade.evidence.trial import Trial


@dataclass(frozen=True, slots=True)
class Earned:
    """An interval's ``rewards`` of how many values (``rewarded``), and what shares them (V).

    ``guess`` is of the mean reward, from earlier intervals; ``counts`` where several may come a
    request.
    """

    rewards: Array
    rewarded: Array
    share: Array
    guess: float
    counts: bool

    def above(self, others: slice, tilts: Array) -> Array:
        """Return what every version (rows) adds above each of the others (columns), in nats."""
        own, n, s = (x[:, None, None] for x in (self.rewards, self.rewarded, self.share))
        other, m, t = (x[None, others, None] for x in (self.rewards, self.rewarded, self.share))
        if self.counts:
            found = rate(own, own + other, s / np.maximum(s + t, TINY), tilts)
        else:
            found = pair(own, n, other, m, guess=self.guess, tilt=tilts)
        return np.where(s * t > 0, found, 0.0)


def compared(trial: Trial, interval: Interval, rules: Rules, design: Design) -> Trial:
    """Return the trial with its rewards compared, unless they belong to an older split (F6)."""
    if interval.reward is None or (rules.delay and trial.steady <= rules.delay):
        return trial
    earned = _earned(trial, interval, rules)
    tilts = trial.tilts
    if not tilts and earned.rewarded[0] and earned.rewarded[1:].any():
        tilts = chosen(trial, rules, design)
    grid = np.asarray(tilts or EFFECTS)
    up = -grid if design.lower_is_better else grid
    known = earned.share if earned.counts else earned.rewarded
    scatter = scattered(trial.scatter, known, earned.rewards, counts=earned.counts)
    effect = design_effect(trial.scatter) if rules.dispersion == "auto" else 1.0
    return replace(
        trial,
        better=trial.better.updated(earned.above(slice(None), up) / effect),
        worse=trial.worse.updated(earned.above(slice(1), -up)[:, 0] / effect),
        scatter=scatter,
        effect=apparent_effect(scatter) if rules.dispersion == "watch" else 1.0,
        tilts=tilts,
    )


def served(trial: Trial) -> Array:
    """Return 1 for each version that had a weight in all of the interval, else 0.

    A window may begin before the weights were changed.
    """
    before = trial.weights_before if trial.seen > 1 else trial.weights
    return (np.minimum(trial.weights, before) > 0).astype(float)


def values(interval: Interval) -> Array:
    """Return of how many values each version's rewards are."""
    return interval.requests if interval.rewarded is None else interval.rewarded


def _earned(trial: Trial, interval: Interval, rules: Rules) -> Earned:
    assert interval.reward is not None, "compared only with rewards"
    part = served(trial) / rules.declared_effect
    rewards, rewarded = interval.reward * part, values(interval) * part
    share = np.asarray(trial.weights) * served(trial) if rules.delay else rewarded
    guess = common_mean(float(trial.reward.sum()), float(trial.rewarded.sum()))
    return Earned(rewards, rewarded, share, guess, rules.reward == "count" or rules.delay > 0)
