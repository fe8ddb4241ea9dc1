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

SQUARES, COUNT, FOR, AGAINST, WEIGHT = range(5)
"""Columns, by version: sum of squared residuals, how many, and what is known of its lift: the two
sums of Mantel and Haenszel's estimate of a ratio that every interval has, and its precision."""
LOW = -0.8416
"""The standard normal's 20 % quantile: one estimate in five is too low."""
LOWEST, MANY = -1.645, 6
"""Its 5 % quantile, and residuals: for what ends a run, and may be wrong in one of a hundred."""
HIGHEST = 1.645
"""Its 95 % quantile: rewards that scatter more than that are said to, and count so much less."""
LEAST_VARIANCE = 0.5
"""Rewards so few that an interval's difference says nothing are left out."""
LEAST_COUNT = 2


def unscattered(versions: int) -> Array:
    """Return the table (V, 5) before the first interval."""
    return np.zeros((versions, 5))


def scattered(before: Array, requests: Array, rewards: Array, *, counts: bool) -> Array:
    """Return the table (V, 5) after an interval; ``requests`` and ``rewards`` (V).

    ``counts`` is for rewards that may be several a request: a ratio of rates, shares of Poisson
    counts; else a ratio of odds.  A residual is what a version earned above its share of what it
    and the baseline earned together, by the ratio of the intervals before: so neither rewards that
    drift nor weights that move are scatter, however much better one version is.
    """
    after = before.copy()
    for i in range(1, len(requests)):
        n, m = float(requests[i]), float(requests[0])
        r, q = float(rewards[i]), float(rewards[0])
        if min(n, m) <= 0 or (not counts and (r > n or q > m)):
            continue
        lost, kept = (n, m) if counts else (n - r, m - q)
        after[i] += _residual(before[i], (n, m), r, q, counts=counts)
        after[i, FOR] += r * kept / (n + m)
        after[i, AGAINST] += q * lost / (n + m)
        if _one_sided(before[i]) and not _one_sided(after[i]):
            # what was taken as alike may have been the lull before a burst
            after[i, SQUARES] = after[i, COUNT] = 0.0
    return after


def _one_sided(known: Array) -> bool:
    """Return whether one of two versions has earned nothing so far, or always."""
    return bool(known[FOR] * known[AGAINST] <= 0)


def _residual(
    known: Array, requests: tuple[float, float], r: float, q: float, *, counts: bool
) -> Array:
    """Return what an interval adds to a version's squares, their count and the precision."""
    added = np.zeros_like(known)
    one_sided = _one_sided(known)
    ratio = 1.0 if one_sided else known[FOR] / known[AGAINST]
    mean, variance = _expected(requests, r + q, ratio, counts=counts)
    if variance < LEAST_VARIANCE:
        return added
    if known[WEIGHT]:
        unsure = variance * (1 + variance / known[WEIGHT])
        added[SQUARES] = 1 if one_sided else (r - mean) ** 2 / unsure  # what does not vary is alike
        added[COUNT] = 1
    added[WEIGHT] = variance
    return added


def _expected(
    requests: tuple[float, float], earned: float, ratio: float, *, counts: bool
) -> tuple[float, float]:
    """Return the mean and variance of the first one's part of what two versions earned.

    Given the sum, counts are binomial, and 0s and 1s Fisher's noncentral hypergeometric, here by
    its mode and curvature (Cornfield).
    """
    n, m = requests
    if counts:
        mean = earned * ratio * n / (ratio * n + m)
        return mean, mean * (1 - mean / earned) if earned > 0 else 0.0
    a, b, c = 1 - ratio, m - earned + ratio * (n + earned), ratio * n * earned
    mean = 2 * c / (b + math.sqrt(max(b * b + 4 * a * c, 0.0))) if c > 0 else 0.0
    cells = (mean, earned - mean, n - mean, m - earned + mean)
    return mean, 1 / sum(1 / cell for cell in cells) if min(cells) > 0 else 0.0


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
    """Return the upper end of the design effect where one shows, else 1.

    Rewards that are as alike as they are taken to be lose next to nothing by being watched: an
    upper end from the start takes half as long again.
    """
    return design_effect(table) if scatters(table) else 1.0


def scatters(table: Array) -> bool:
    """Return whether rewards are seen to scatter more than those of unrelated requests would."""
    squares, count = float(table[:, SQUARES].sum()), float(table[:, COUNT].sum())
    return count >= LEAST_COUNT and squares > _chi_square(count, HIGHEST)


def as_alike(table: Array) -> Array:
    """Return the table with the squares that unrelated requests have on average, 1 a residual.

    Counts that are only expected do not scatter, and would make an estimate of it too low.
    """
    after = table.copy()
    after[:, SQUARES] = after[:, COUNT]
    return after


def _chi_square(count: float, normal: float) -> float:
    """Return the chi-square quantile that belongs to one of the normal (Wilson and Hilferty)."""
    part = 2 / (9 * count)
    found: float = count * (1 - part + normal * math.sqrt(part)) ** 3
    return found
