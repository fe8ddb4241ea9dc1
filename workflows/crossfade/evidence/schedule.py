"""The next interval's weights: raised step by step, as far as the risk allows.

Any rule that only looks back keeps every guarantee.
"""

from __future__ import annotations

import math

import numpy as np

from crossfade.evidence.rules import FIRST, Design, Rules
from crossfade.evidence.trial import Trial

NO_CAP = 100.0


def schedule(trial: Trial, rules: Rules, design: Design) -> tuple[int, ...]:
    """Return whole percents that sum to 100, the baseline first."""
    new = list(trial.weights)
    live = trial.candidates()
    fair = 100 // (1 + len(live))  # equal shares tell most
    for i in range(1, trial.versions):
        if not trial.live[i]:
            new[i] = 0
            continue
        leads = trial.led[i] and trial.versions == 2
        top = min(rules.max_weight, design.ceiling, 100 if leads else fair)
        new[i] = min(_raised(trial.weights[i], top, risk_cap(trial, i, rules, design), rules), top)
    new[0] = 100 - sum(new[1:])
    return tuple(new)


def _raised(weight: int, top: int, cap: float, rules: Rules) -> int:
    """Return the weight raised as far as the cap allows; lowered only when clearly too high."""
    least = max(1, int(cap))
    if cap < weight:
        return least if cap < weight / 2 else weight
    again = max(rules.increment, weight, FIRST - weight)
    step = {"steps": rules.increment, "doubling": again, "risk": 100}
    return max(weight, min(weight + step[rules.ramp], top, least))


def risk_cap(trial: Trial, i: int, rules: Rules, design: Design) -> float:
    """Return the percent at which one interval costs the risk budget, should the worst be true.

    The worst is a plausible upper end of the bad fraction: (b + 2 sqrt(b) + 3) / (n + 3).
    """
    if not trial.traffic or not design.objectives:
        return NO_CAP
    bad = trial.bad[i]
    worst = np.minimum((bad + 2 * np.sqrt(bad) + 3) / (trial.judged[i] + 3), 1.0)
    excess = float(np.max(worst - np.asarray(design.limits), initial=0.0))
    cap = NO_CAP if excess <= 0 else 100.0 * rules.risk_budget / (trial.traffic * excess)
    return min(cap, NO_CAP) if math.isfinite(cap) else NO_CAP
