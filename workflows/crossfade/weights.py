"""Exact arithmetic of weights: fractions in, whole percent out, always 100 in sum."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction


def whole(shares: Sequence[Fraction], total: int) -> tuple[int, ...]:
    """Round exact shares that sum to ``total`` to integers that sum to ``total``.

    Largest remainder; ties go to the lowest index, the baseline first, so that equal input gives
    equal output: the predecessor drew by lot.
    """
    floors = [math.floor(share) for share in shares]
    order = sorted(range(len(shares)), key=lambda i: (floors[i] - shares[i], i))
    for i in order[: total - sum(floors)]:
        floors[i] += 1
    return tuple(floors)


def whole_percent(shares: Sequence[Fraction]) -> tuple[int, ...]:
    """Round exact percentages that sum to 100 to integers that sum to 100 (see ``whole``)."""
    return whole(shares, 100)
