"""Evidence as it grows: a mixture over a grid, for alarms also over the time a fault began."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

SLACK = 1.0
"""Nats by which evidence may fall back before what it has proven is in doubt again."""


@dataclass(frozen=True, slots=True)
class Process:
    """Log evidence of many tests at once, the grid in the last axis, after ``looks`` intervals.

    A plain process is a product of all increments.  An alarm (``restarts``) also weighs every
    interval as the one in which a fault began, interval k by 1/(k(k+1)), which sums to 1: it
    notices a change in interval 20 although 19 good ones precede, and Ville's inequality still
    holds for the whole run (F3; Shin, Ramdas and Rinaldo, e-detectors).  ``most`` is the most
    evidence that there has been at any look: of an alarm, and before the first look, None.
    """

    log: Array
    looks: int = 0
    restarts: bool = False
    most: Array | None = None

    @classmethod
    def fresh(cls, *shape: int, restarts: bool = False) -> Process:
        """Return a process that has seen nothing."""
        return cls(np.zeros(shape), 0, restarts)

    def updated(self, increments: ArrayLike) -> Process:
        """Return the process after one more interval."""
        looks, log = self.looks + 1, self.log
        if self.restarts:
            prior = -np.log(looks * (looks + 1.0))
            log = np.logaddexp(log, prior) if self.looks else np.full_like(log, prior)
        grown = Process(log + np.asarray(increments, float), looks, self.restarts)
        if self.restarts:  # an alarm is answered at the look it rings
            return grown
        now = grown.evidence()
        return replace(grown, most=now if self.most is None else np.maximum(self.most, now))

    def weakened(self, factor: float) -> Process:
        """Return the process with all of its evidence divided, the most there was included.

        A power below 1 of what is at most 1 on average is so itself (Jensen).
        """
        most = None if self.most is None else self.most / factor
        return replace(self, log=self.log / factor, most=most)

    def evidence(self) -> Array:
        """Return ln of the evidence ratio of every test (F2): its null is rejected at ln(1/alpha).

        An alarm that has seen nothing has no evidence: minus infinity.
        """
        if self.restarts and not self.looks:
            return np.full(self.log.shape[:-1], -np.inf)
        found: Array = np.logaddexp.reduce(self.log, axis=-1) - np.log(self.log.shape[-1])
        return found

    def proven(self, threshold: float) -> NDArray[np.bool_]:
        """Return which tests have reached the threshold (nats) at some look, and nearly hold it.

        Ville's inequality bounds the most there has ever been, so a proof does not lapse when the
        next interval takes a little of it back; one that loses more than ``SLACK`` does.
        """
        most = self.evidence() if self.most is None else self.most
        found: NDArray[np.bool_] = (most >= threshold) & (self.evidence() >= threshold - SLACK)
        return found

    def shown(self, threshold: float) -> Array:
        """Return the evidence to tell of: of what is proven the most, of all else what it is."""
        now = self.evidence()
        most = now if self.most is None else self.most
        return np.where(self.proven(threshold), most, now)
