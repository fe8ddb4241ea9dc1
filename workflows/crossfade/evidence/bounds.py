"""Numbers for people: bounds of a mean that hold at every look, and the lift (F10)."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from crossfade.evidence.increments import ODDS, rate

TOLERANCE = 1e-7
PRECISION = 100.0
"""rho of the lift's interval: narrowest for about as many effective requests."""


def upper_bound(total: float, count: float, alpha: float) -> float:
    """Return the least mean that the data refute as too high, 1 when they refute none.

    At or below a limit exactly when "mean <= limit" is proven at ``alpha``.
    """
    return _bound(total, count, alpha, upper=True)


def lower_bound(total: float, count: float, alpha: float) -> float:
    """Return the greatest mean that the data refute as too low, 0 when they refute none."""
    return _bound(total, count, alpha, upper=False)


def _bound(total: float, count: float, alpha: float, *, upper: bool) -> float:
    """Bisect: the evidence is monotone in the null mean."""
    end = 1.0 if upper else 0.0
    if count <= 0:
        return end
    tilts = -ODDS if upper else ODDS

    def refuted(mean: float) -> bool:
        log = np.logaddexp.reduce(rate(total, count, mean, tilts)) - math.log(len(tilts))
        return bool(log >= -math.log(alpha))

    inside = min(max(total / count, 1e-9), 1 - 1e-9)
    outside = 1 - 1e-9 if upper else 1e-9
    if not refuted(outside):
        return end
    while abs(outside - inside) > TOLERANCE:
        middle = (inside + outside) / 2
        inside, outside = (inside, middle) if refuted(middle) else (middle, outside)
    return (inside + outside) / 2


def lift(
    intervals: Iterable[tuple[float, float, float, float]], alpha: float
) -> tuple[float, float, float]:
    """Return the difference of means and its interval, stratified by interval; to show, not decide.

    ``intervals`` are (requests, reward) of the baseline and of the candidate.  Asymptotic
    (arXiv:2103.06476).
    """
    size = score = variance = 0.0
    for n0, r0, n1, r1 in intervals:
        weight, mean = n0 * n1 / (n0 + n1), (r0 + r1) / (n0 + n1)
        size += weight
        score += weight * (r1 / n1 - r0 / n0)
        variance += weight * mean * (1 - mean)
    spread = variance + PRECISION
    half = math.sqrt(spread * math.log(spread / (PRECISION * alpha**2))) / size
    return score / size, score / size - half, score / size + half
