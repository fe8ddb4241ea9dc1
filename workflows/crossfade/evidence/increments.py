"""What one interval adds to the evidence, in nats (F1, F4 to F8 of docs/policies.md).

Every function broadcasts; the grid of tilts (log odds ratios) is the last axis.  Counts are real
numbers: what a metric store extrapolates is fine.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

import numpy as np
from numpy.typing import ArrayLike, NDArray

TINY = 1e-300
Array = NDArray[np.float64]

ODDS: Array = np.log(np.array([1.5, 3.0, 8.0, 30.0]))
"""Odds ratios by which a proportion is looked for above or below a limit."""
EFFECTS: Array = np.array([0.03, 0.08, 0.2, 0.5])
"""Log odds ratios by which one version is looked for above another (about 2 % to 60 %)."""
LEAST_MEAN, MOST_MEAN = 0.001, 0.999


def rate(total: ArrayLike, count: ArrayLike, null: ArrayLike, tilt: ArrayLike) -> Array:
    """Return F1 for a total of ``count`` values in [0, 1] whose mean is ``null`` at most or least.

    ``total * tilt - count * ln(1 + null * (e^tilt - 1))``.  A positive tilt tests "mean <= null", a
    negative one "mean >= null".  For values in [0, 1] the expected factor of a request is at most
    1 under either null (convexity), so the product exceeds 1/alpha with probability alpha at most,
    ever (Ville; Howard et al., arXiv:1810.08240; Waudby-Smith and Ramdas, arXiv:2010.09686).
    """
    tilts = np.asarray(tilt, float)
    per_request = np.log1p(np.asarray(null, float) * np.expm1(tilts))
    found: Array = np.asarray(total, float) * tilts - np.asarray(count, float) * per_request
    return found


def pair(
    reward: ArrayLike, count: ArrayLike, other_reward: ArrayLike, other_count: ArrayLike, *,
    guess: float, tilt: ArrayLike,
) -> Array:  # fmt: skip
    """Return F4: this version's mean above the other's, from one interval of values in [0, 1].

    ``guess`` of the common mean comes from earlier intervals: it changes the power, never the
    guarantee (Turner, Ly and Gruenwald, arXiv:2106.02693; here stratified by interval, so that a
    drifting reward or moving weights prove nothing).  Without requests on either side it is 0.
    """
    r1, n1 = np.asarray(reward, float), np.asarray(count, float)
    r0, n0 = np.asarray(other_reward, float), np.asarray(other_count, float)
    tilts = np.asarray(tilt, float)
    share = n1 / np.maximum(n1 + n0, TINY)  # below 1 where users' requests are divided
    centre = np.log(guess / (1 - guess))
    p1 = _logistic(centre + (1 - share) * tilts)
    p0 = _logistic(centre - share * tilts)
    mean = share * p1 + (1 - share) * p0
    found: Array = (
        r1 * np.log(p1 / mean) + (n1 - r1) * np.log((1 - p1) / (1 - mean))
        + r0 * np.log(p0 / mean) + (n0 - r0) * np.log((1 - p0) / (1 - mean))
    )  # fmt: skip
    return found


def _logistic(value: ArrayLike) -> Array:
    found: Array = 1 / (1 + np.exp(-np.asarray(value, float)))
    return found


def common_mean(rewards: float, requests: float) -> float:
    """Return the guess that ``pair`` takes, from everything before this interval; 0.5 at first."""
    return min(max((rewards + 0.5) / (requests + 1), LEAST_MEAN), MOST_MEAN)


def above(edges: Sequence[float], cumulative: Sequence[float], limit: float) -> tuple[float, float]:
    """Return how many values are certainly, and how many possibly, above a limit (F8).

    ``edges`` ascend and end with infinity, ``cumulative`` counts values up to each edge.  A limit
    between two edges costs power, never truth: failing uses the first number, passing the second.
    """
    total = cumulative[-1]
    reached = [c for edge, c in zip(edges, cumulative, strict=True) if edge >= limit and edge < inf]
    below = [c for edge, c in zip(edges, cumulative, strict=True) if edge <= limit]
    certain = total - reached[0] if reached else 0.0
    return certain, total - max(below, default=0.0)
