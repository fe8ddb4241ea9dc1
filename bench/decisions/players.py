"""The policies that are compared: ours as it is, and three rules of the field emulated.

``Iter8``: point estimates since the start, its 90/10 rule.  ``Flagger``: +10 an interval to 50 %,
at most 4 failed checks.  ``ArgoRollouts``: +10 to 90 %, at most 3 failed checks, and the
candidate's reward of the interval must not be below the baseline's (decision.md section 4).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from worlds import LIMITS, Read, World

from crossfade.evidence.judging import observe
from crossfade.evidence.rules import Design, Interval, Rules
from crossfade.evidence.trial import begin
from crossfade.verdict import Outcome

X = np.array(LIMITS)


class Player:
    """A policy in a run: its candidate's ``weight``, and ``promoted`` or ``stopped`` at the end."""

    weight = 0
    promoted = stopped = False

    def __init__(self, world: World, iterations: int) -> None:
        raise NotImplementedError

    def step(self, k: int, read: Read | None) -> None:
        """Take what an interval brought."""
        raise NotImplementedError


class Evidence(Player):
    """The product's own policy, without the bake: its verdict is what is compared."""

    def __init__(self, world: World, iterations: int) -> None:
        self._rules = Rules(bake=0, **world.rules)
        self._design = Design(2, LIMITS, True, iterations)
        self._trial = begin(self._rules, self._design)

    def step(self, k: int, read: Read | None) -> None:
        """Take what an interval brought."""
        judged = observe(self._trial, _interval(read), self._rules, self._design)
        self._trial, self.weight = judged.trial, judged.trial.weights[1]
        self.promoted = judged.outcome is Outcome.PROMOTED
        self.stopped = judged.outcome is not None and not self.promoted


def _interval(read: Read | None) -> Interval | None:
    if read is None:
        return None
    judged = np.repeat(read.requests[:, None], len(LIMITS), axis=1)
    return Interval(read.requests, judged, read.bad, read.bad, read.reward)


class Iter8(Player):
    """The predecessor's rule on means since the start."""

    def __init__(self, world: World, iterations: int) -> None:
        self._last = iterations
        self._n, self._bad, self._reward = np.zeros(2), np.zeros((2, 3)), np.zeros(2)

    def step(self, k: int, read: Read | None) -> None:
        """Take what an interval brought."""
        known = read is not None
        if read is not None:
            self._n, self._bad = self._n + read.requests, self._bad + read.bad
            self._reward = self._reward + read.reward
        fine = [known and self._n[i] > 0 and bool((self._bad[i] / self._n[i] <= X).all())
                for i in (0, 1)]  # fmt: skip
        means = [self._reward[i] / self._n[i] if fine[i] else -np.inf for i in (0, 1)]
        best = [i for i in (0, 1) if fine[i] and means[i] == max(means)]
        target = 95 if best == [1] else 50 if len(best) == 2 else 5
        self.weight = min(target, self.weight + 10)
        self.promoted = k == self._last and best == [1]
        self.stopped = k == self._last and not self.promoted


class Stepper(Player):
    """Raise by ten while the checks of the last interval pass."""

    top, limit, compares = 50, 4, False
    weight = 10

    def __init__(self, world: World, iterations: int) -> None:
        self._failed = 0

    def step(self, k: int, read: Read | None) -> None:
        """Take what an interval brought."""
        good = read is not None and self._good(read)
        if not good:
            self._failed += 1
            self.stopped = self._failed > self.limit
            self.weight = 0 if self.stopped else self.weight
        elif self.weight >= self.top:
            self.promoted, self.weight = True, 100
        else:
            self.weight = min(self.weight + 10, self.top)

    def _good(self, read: Read) -> bool:
        if not read.requests[1]:
            return False
        good = bool((read.bad[1] / read.requests[1] <= X).all())
        if self.compares:
            means: Any = read.reward / np.maximum(read.requests, 1)
            good = good and bool(means[1] >= means[0])
        return good


class Flagger(Stepper):
    """Checks of objectives only."""


class ArgoRollouts(Stepper):
    """With an analysis of the reward."""

    top, limit, compares = 90, 3, True


PLAYERS = (Evidence, Iter8, Flagger, ArgoRollouts)
