"""Exact arithmetic of weights: fractions in, whole percent out, always 100 in sum."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction


def whole_percent(shares: Sequence[Fraction]) -> tuple[int, ...]:
    """Round exact percentages that sum to 100 to integers that sum to 100.

    Largest remainder; ties go to the lowest index, the baseline first, so that equal input gives
    equal output (reference/iter8.md V24).
    """
    floors = [math.floor(share) for share in shares]
    order = sorted(range(len(shares)), key=lambda i: (floors[i] - shares[i], i))
    for i in order[: 100 - sum(floors)]:
        floors[i] += 1
    return tuple(floors)
