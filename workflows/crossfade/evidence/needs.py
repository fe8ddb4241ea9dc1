"""How much is still missing: requests until a limit is proven, by F1 solved for them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from crossfade.evidence.increments import ODDS, rate

MOST_REQUESTS = 10**9
DOUBLINGS = 2 ** np.arange(31)
POINTS = np.arange(1, 65)


def requests_needed(bad: float, null: float, threshold: float) -> float:
    """Return how many values in all, ``bad`` of them bad, prove "mean <= null".

    ``threshold`` is ln of the evidence that it takes.  Infinity where no number would do.
    """

    def first_proven(counts: NDArray[np.int64]) -> int:
        """Return the position of the first of ascending counts that proves it."""
        logs = rate(bad, counts[:, None], null, -ODDS)
        return int(np.searchsorted(np.logaddexp.reduce(logs, axis=1), enough))

    enough = threshold + math.log(len(ODDS))
    least = max(1, math.ceil(bad))
    counts = np.minimum(least * DOUBLINGS, MOST_REQUESTS)
    at = first_proven(counts)
    if at == len(counts):
        return math.inf
    low, high = (0 if at == 0 else int(counts[at - 1])), int(counts[at])
    while high - low > 1:
        counts = np.minimum(low + POINTS * -(-(high - low) // len(POINTS)), high)
        at = first_proven(counts)
        low, high = (low if at == 0 else int(counts[at - 1])), int(counts[at])
    return float(high)
