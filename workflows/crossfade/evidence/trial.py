"""A trial's state, and how one interval of counts changes it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from crossfade.evidence.clustering import LOWEST, MANY, design_effect, scattered, unscattered
from crossfade.evidence.comparing import compared, served, values
from crossfade.evidence.increments import EFFECTS, ODDS, rate
from crossfade.evidence.process import Process
from crossfade.evidence.rules import Design, Interval, Rules

Array = NDArray[np.float64]
SPLIT = np.concatenate([EFFECTS, ODDS])


@dataclass(frozen=True, slots=True)
class Trial:
    """Everything that a decision rests on; V versions, J objectives.

    Evidence: ``fails`` and ``passes`` (V, J), ``better`` (V, V: row better than column), ``worse``
    than the baseline (V), ``split`` (V, 2).  Totals: ``requests``, ``rewarded`` and ``reward`` (V),
    ``judged`` and ``bad`` (V, J); ``scatter`` and ``crowding`` (V, 5) are of module ``clustering``,
    of rewards and of requests; ``effect`` is what rewards scatter by, where that is watched: it
    divides all that is compared.  ``live`` candidates may
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
    rewarded: Array
    reward: Array
    scatter: Array
    crowding: Array
    live: tuple[bool, ...]
    led: tuple[bool, ...]
    weights: tuple[int, ...]
    weights_before: tuple[int, ...]
    effect: float = 1.0
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

    @property
    def bettered(self) -> Process:
        """Return ``better`` for as much as it counts by now."""
        return self.better.weakened(self.effect)

    @property
    def worsened(self) -> Process:
        """Return ``worse`` for as much as it counts by now."""
        return self.worse.weakened(self.effect)

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
        rewarded=np.zeros(v),
        reward=np.zeros(v),
        scatter=unscattered(v),
        crowding=unscattered(v),
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
    effect = rules.declared_effect
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
        blind=0,
        steady=trial.steady + 1,
    )
    if trial.versions > 1:
        trial = _earned(compared(trial, interval, rules, design), interval)
        trial = _shared(trial, interval, rules)
    return replace(
        trial,
        requests=trial.requests + interval.requests,
        judged=trial.judged + interval.judged,
        bad=trial.bad + interval.bad_high,
        traffic=float(interval.requests.sum()),
    )


def _earned(trial: Trial, interval: Interval) -> Trial:
    """Return the trial with the rewards that the weights brought added to its totals."""
    if interval.reward is None:
        return trial
    part = served(trial)
    return replace(trial, rewarded=trial.rewarded + part * values(interval),
                   reward=trial.reward + part * interval.reward)  # fmt: skip


def _shared(trial: Trial, interval: Interval, rules: Rules) -> Trial:
    """Return the trial with its split looked at; users of several requests are worth less (F12).

    How much less is estimated from how shares scatter about their own level while weights stand
    still: a wrong split is no scatter.
    """
    effect, crowding = rules.declared_effect, trial.crowding
    if rules.dispersion == "auto":
        effect = design_effect(crowding, LOWEST, MANY)
    if trial.weights == trial.weights_before:
        weights = np.asarray(trial.weights, float)
        crowding = scattered(crowding, weights, interval.requests, counts=True)
    split = trial.split.updated(_split(trial, interval) / effect)
    return replace(trial, split=split, crowding=crowding, weights_before=trial.weights)


def _split(trial: Trial, interval: Interval) -> Array:
    """Return F7: just after a change every share between the old and the new one is legal.

    What a version answers that has no weight are probes and people trying it: it is left out.
    """
    legal = np.asarray([trial.weights, trial.weights_before, *interval.also]) / 100
    most, least = legal.max(axis=0), legal.min(axis=0)
    if not most[1:].any():
        return np.zeros((trial.versions, 2, len(SPLIT)))
    share, tilts = np.stack([most, least], axis=1)[:, :, None], np.stack([SPLIT, -SPLIT])
    requests = np.where(most > 0, interval.requests, 0.0)
    return rate(requests[:, None, None], requests.sum(), share, tilts)
