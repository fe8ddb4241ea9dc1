"""How much requests belong together, estimated from how rewards scatter from interval to interval.

Where users stay with a version, one user's requests are worth less than as many of different users:
increments are divided by the design effect (F12).  What is estimated here from intervals that are
over is its upper end, since a value that is too low promotes equals: the mean of squared residuals,
about a lift that may be real, over a low quantile of what it would be without clusters.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SQUARES, COUNT, SHIFT, WEIGHT = range(4)
"""Columns, by version: sum of squared residuals, how many, sums of differences and variances."""
LOW = -0.8416
"""The standard normal's 20 % quantile: one estimate in five is too low."""
LOWEST, MANY = -1.645, 6
"""Its 5 % quantile, and residuals: for what ends a run, and may be wrong in one of a hundred."""
HIGHEST = 2.326
"""Its 99 % quantile: rewards that scatter more than that are said to."""
LEAST_VARIANCE = 0.5
"""Rewards so few that an interval's difference says nothing are left out."""
LEAST_COUNT = 2


def unscattered(versions: int) -> Array:
    """Return the table (V, 4) before the first interval."""
    return np.zeros((versions, 4))


def scattered(before: Array, requests: Array, rewards: Array, *, counts: bool) -> Array:
    """Return the table (V, 4) after an interval; ``requests`` and ``rewards`` (V).

    ``counts`` is for rewards that may be several a request: shares of Poisson counts.
    """
    after = before.copy()
    for i in range(1, len(requests)):
        difference, variance = _difference(requests, rewards, i, counts=counts)
        if variance < LEAST_VARIANCE:
            continue
        known = before[i, WEIGHT]
        if known:
            expected = variance * before[i, SHIFT] / known
            unsure = variance * (1 + variance / known)
            after[i, SQUARES] += (difference - expected) ** 2 / unsure
            after[i, COUNT] += 1
        after[i, SHIFT] += difference
        after[i, WEIGHT] += variance
    return after


def _difference(requests: Array, rewards: Array, i: int, *, counts: bool) -> tuple[float, float]:
    """Return a version's rewards above its share, and their variance were all users alike."""
    n, r = float(requests[0] + requests[i]), float(rewards[0] + rewards[i])
    if n <= 1:
        return 0.0, 0.0
    share = float(requests[i]) / n
    difference = float(rewards[i]) - share * r
    spread = share * (1 - share) * r
    return difference, spread if counts else spread * max(n - r, 0.0) / (n - 1)


def design_effect(table: Array, low: float = LOW, least: int = LEAST_COUNT) -> float:
    """Return the upper end of the design effect, at least 1; infinite while nothing is known.

    ``low`` is the normal quantile that says how often it may be too low, ``least`` how many
    residuals it takes.
    """
    squares, count = float(table[:, SQUARES].sum()), float(table[:, COUNT].sum())
    if count < least:
        return math.inf
    return max(1.0, squares / _chi_square(count, low))


def apparent_effect(table: Array) -> float:
    """Return the upper end of the design effect as far as one shows, 1 while nothing is known."""
    found = design_effect(table)
    return 1.0 if math.isinf(found) else found


def scatters(table: Array) -> bool:
    """Return whether rewards are seen to scatter more than those of unrelated requests would."""
    squares, count = float(table[:, SQUARES].sum()), float(table[:, COUNT].sum())
    return count >= LEAST_COUNT and squares > _chi_square(count, HIGHEST)


def as_alike(table: Array, ahead: int = 0) -> Array:
    """Return the table with the squares that unrelated requests have on average, 1 a residual.

    Counts that are only expected do not scatter, and would make an estimate of it too low.
    ``ahead`` is how many more residuals there will be when it is next looked at.
    """
    after = table.copy()
    after[:, SQUARES] = after[:, COUNT] + ahead * (after[:, WEIGHT] > 0)
    return after


def _chi_square(count: float, normal: float) -> float:
    """Return the chi-square quantile that belongs to one of the normal (Wilson and Hilferty)."""
    part = 2 / (9 * count)
    found: float = count * (1 - part + normal * math.sqrt(part)) ** 3
    return found
