"""A trial's state, and how one interval of counts changes it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from crossfade.evidence.clustering import design_effect, scattered, unscattered
from crossfade.evidence.effects import chosen
from crossfade.evidence.increments import EFFECTS, ODDS, common_mean, pair, rate
from crossfade.evidence.process import Process
from crossfade.evidence.rules import Design, Interval, Rules

Array = NDArray[np.float64]
SPLIT = np.concatenate([EFFECTS, ODDS])
TINY = 1e-300


@dataclass(frozen=True, slots=True)
class Trial:
    """Everything that a decision rests on; V versions, J objectives.

    Evidence: ``fails`` and ``passes`` (V, J), ``better`` (V, V: row better than column), ``worse``
    than the baseline (V), ``split`` (V, 2).  Totals: ``requests`` and ``reward`` (V), ``judged``
    and ``bad`` (V, J); ``scatter`` (V, 4) is of module ``clustering``.  ``live`` candidates may
    still win, ``led`` ones are proven better already; ``winner`` is baking for ``left`` more
    intervals.  ``tilts`` are the effects looked for, none before the first comparison.
    """

    fails: Process
    passes: Process
    better: Process
    worse: Process
    split: Process
    requests: Array
    judged: Array
    bad: Array
    reward: Array
    scatter: Array
    live: tuple[bool, ...]
    led: tuple[bool, ...]
    weights: tuple[int, ...]
    weights_before: tuple[int, ...]
    traffic: float = 0.0
    intervals: int = 0
    seen: int = 0
    blind: int = 0
    steady: int = 0
    agreed: int = 0
    winner: int | None = None
    left: int = 0
    tilts: tuple[float, ...] = ()

    @property
    def versions(self) -> int:
        """Return how many versions there are, the baseline included."""
        return len(self.weights)

    def candidates(self) -> list[int]:
        """Return the candidates that may still win."""
        return [i for i in range(1, self.versions) if self.live[i]]


def begin(rules: Rules, design: Design) -> Trial:
    """Return the trial before its first interval: all traffic is on the baseline."""
    v, j, grid = design.versions, design.objectives, len(ODDS)
    weights = (100, *[0] * (v - 1))
    return Trial(
        fails=Process.fresh(v, j, grid, restarts=True),
        passes=Process.fresh(v, j, grid),
        better=Process.fresh(v, v, len(EFFECTS)),
        worse=Process.fresh(v, len(EFFECTS), restarts=True),
        split=Process.fresh(v, 2, len(SPLIT), restarts=True),
        requests=np.zeros(v),
        judged=np.zeros((v, j)),
        bad=np.zeros((v, j)),
        reward=np.zeros(v),
        scatter=unscattered(v),
        live=(False, *[True] * (v - 1)),
        led=tuple([not design.rewarded] * v),
        weights=weights,
        weights_before=weights,
        left=rules.bake,
    )


def blind(trial: Trial) -> Trial:
    """Return the trial after an interval of which nothing is known."""
    return replace(trial, intervals=trial.intervals + 1, blind=trial.blind + 1, agreed=0)


def absorb(trial: Trial, interval: Interval, rules: Rules, design: Design) -> Trial:
    """Return the trial with an interval's evidence and counts; nothing is decided yet."""
    effect = 1.0 if rules.dispersion == "auto" else float(rules.dispersion)
    limits = np.asarray(design.limits)[:, None]
    judged = (interval.judged / effect)[:, :, None]
    fails = rate((interval.bad_low / effect)[:, :, None], judged, limits, ODDS)
    passes = rate((interval.bad_high / effect)[:, :, None], judged, limits, -ODDS)
    trial = replace(
        trial,
        fails=trial.fails.updated(fails),
        passes=trial.passes.updated(passes),
        intervals=trial.intervals + 1,
        seen=trial.seen + 1,
        blind=0 if interval.complete else trial.blind + 1,
        steady=trial.steady + 1,
    )
    if trial.versions > 1:
        trial = _compared(trial, interval, rules, design, effect)
        trial = replace(trial, split=trial.split.updated(_split(trial, interval)),
                        weights_before=trial.weights)  # fmt: skip
    reward = interval.reward if interval.reward is not None else np.zeros(trial.versions)
    return replace(
        trial,
        requests=trial.requests + interval.requests,
        judged=trial.judged + interval.judged,
        bad=trial.bad + interval.bad_high,
        reward=trial.reward + reward,
        traffic=float(interval.requests.sum()),
    )


def _split(trial: Trial, interval: Interval) -> Array:
    """Return F7: just after a change every share between the old and the new one is legal.

    What a version answers that has no weight are probes and people trying it: it is left out.
    """
    if not any((*trial.weights[1:], *trial.weights_before[1:])):
        return np.zeros((trial.versions, 2, len(SPLIT)))
    now, old = np.asarray(trial.weights) / 100, np.asarray(trial.weights_before) / 100
    share = np.stack([np.maximum(now, old), np.minimum(now, old)], axis=1)[:, :, None]
    tilts = np.stack([SPLIT, -SPLIT])
    requests = np.where(np.maximum(now, old) > 0, interval.requests, 0.0)
    return rate(requests[:, None, None], requests.sum(), share, tilts)


def _compared(
    trial: Trial, interval: Interval, rules: Rules, design: Design, effect: float
) -> Trial:
    """Return the trial with its rewards compared, unless they belong to an older split (F6)."""
    if interval.reward is None or (rules.delay and trial.steady <= rules.delay):
        return trial
    rewards, requests = interval.reward / effect, interval.requests / effect
    guess = common_mean(float(trial.reward.sum()), float(trial.requests.sum()))
    spread = design_effect(trial.scatter) if rules.dispersion == "auto" else 1.0
    share = np.asarray(trial.weights, float) if rules.delay else requests
    tilts = trial.tilts
    if not tilts and requests[0] and requests[1:].any():
        tilts = chosen(trial, rules, design)
    grid, counts = np.asarray(tilts or EFFECTS), rules.reward == "count" or rules.delay > 0

    def increments(others: slice, tilts: Array) -> Array:
        """Return what every version (rows) adds above each of the others (columns)."""
        own, n, s = (x[:, None, None] for x in (rewards, requests, share))
        other, m, t = (x[None, others, None] for x in (rewards, requests, share))
        if counts:
            found = rate(own, own + other, s / np.maximum(s + t, TINY), tilts)
        else:
            found = pair(own, n, other, m, guess=guess, tilt=tilts)
        return np.where((n + m == 0) | (s + t == 0), 0.0, found)

    up = -grid if design.lower_is_better else grid
    better = increments(slice(None), up)
    worse = increments(slice(1), -up)[:, 0]
    return replace(
        trial,
        better=trial.better.updated(better / spread),
        worse=trial.worse.updated(worse / spread),
        scatter=scattered(trial.scatter, requests, rewards, counts=counts),
        tilts=tilts,
    )
