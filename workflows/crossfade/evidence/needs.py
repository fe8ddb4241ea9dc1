"""How much is still missing: requests until a limit is proven (decision.md section 6, F1)."""

from __future__ import annotations

import math

import numpy as np

from crossfade.evidence.increments import ODDS, rate

MOST_REQUESTS = 10**9


def requests_needed(bad: float, null: float, threshold: float) -> float:
    """Return how many values in all, ``bad`` of them bad, prove "mean <= null".

    ``threshold`` is ln of the evidence that it takes.  Infinity where no number would do.
    """

    def proven(count: float) -> bool:
        log = np.logaddexp.reduce(rate(bad, count, null, -ODDS)) - math.log(len(ODDS))
        return bool(log >= threshold)

    low, high = 0, max(1, math.ceil(bad))
    while not proven(high):
        low, high = high, 2 * high
        if high > MOST_REQUESTS:
            return math.inf
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if proven(middle) else (middle, high)
    return float(high)
