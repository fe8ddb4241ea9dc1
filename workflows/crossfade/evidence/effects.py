"""Which effects are looked for: chosen once, from what is known before the first comparison.

The choice rests on earlier intervals and on how many there are to come, so the tests that use it
stay valid: a grid of effects may be anything that is known before its data.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from crossfade.evidence.increments import EFFECTS, common_mean
from crossfade.evidence.thresholds import better_threshold

if TYPE_CHECKING:
    from crossfade.evidence.rules import Design, Rules
    from crossfade.evidence.trial import Trial

STEPS = (1.5, 2.2, 2.2, 3.2)
"""Times the smallest effect that can be proven in time; the one in the middle counts twice."""
LEAST, MOST = 0.002, 2.0


def chosen(trial: Trial, rules: Rules, design: Design) -> tuple[float, ...]:
    """Return the grid of log odds ratios (of counts: log ratios of rates), ascending."""
    fixed = tuple(float(effect) for effect in EFFECTS)
    rewarded = float(trial.rewarded.sum())
    if rules.effects == "fixed" or not rewarded:
        return fixed
    mean = float(trial.reward.sum()) / rewarded
    if rules.reward == "fraction":
        mean = common_mean(float(trial.reward.sum()), rewarded)
    if mean <= 0:
        return fixed
    spread = mean * (1 - mean) if rules.reward == "fraction" and not rules.delay else mean
    if rules.effects == "horizon":
        least = _smallest(trial, rules, design, spread)
    else:
        least = math.log1p(rules.effects) * mean / spread
    least = min(max(least, LEAST), MOST)
    return tuple(least * step for step in STEPS)


def _smallest(trial: Trial, rules: Rules, design: Design, spread: float) -> float:
    """Return the smallest effect that can be expected to be proven in the iterations to come.

    At equal shares of n rewarded requests an effect t brings about n / 4 * spread * t^2 / 2 nats.
    """
    part = min(float(trial.rewarded.sum()) / max(float(trial.requests.sum()), 1.0), 1.0)
    left = max((design.horizon or design.iterations) - trial.intervals, 1)
    size = trial.traffic * part / rules.declared_effect * left / 4 * spread
    need = better_threshold(rules, design)
    return math.sqrt(2 * need / size) if size > 0 else MOST
