"""How much evidence a verdict takes, in nats: every bound of the policy is spent here (F11)."""

from __future__ import annotations

import math

from crossfade.evidence.rules import Design, Rules

BETTER_PART = 0.65
"""The part of alpha that a wrong "better" may cost; the rest is for "the baseline fails itself".

Either lets a candidate win, so together they must stay within alpha: the second one does not come
on top of it.
"""


def promotion_threshold(rules: Rules, design: Design) -> float:
    """Return ln of the evidence that a limit holds: candidates share alpha."""
    return math.log(_candidates(design) / rules.alpha)


def better_threshold(rules: Rules, design: Design) -> float:
    """Return ln of the evidence that a candidate is better: they share this part of alpha."""
    return math.log(_candidates(design) / (BETTER_PART * rules.alpha))


def baseline_threshold(rules: Rules, design: Design) -> float:
    """Return ln of the evidence that the baseline misses a limit, which makes better unneeded."""
    return math.log(max(design.objectives, 1) / ((1 - BETTER_PART) * rules.alpha))


def rollback_threshold(rules: Rules, design: Design) -> float:
    """Return ln of the evidence that an alarm takes: objectives and "worse" share their alpha."""
    return math.log((design.objectives + 1) / rules.alpha_rollback)


def split_threshold(rules: Rules, design: Design) -> float:
    """Return ln of the evidence that a wrong split takes."""
    return math.log(_candidates(design) / rules.alpha_split)


def _candidates(design: Design) -> int:
    return max(design.versions - 1, 1)
