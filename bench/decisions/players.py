"""The policies that are compared: ours as it is, and three rules of the field emulated.

``Iter8``: point estimates since the start, its 90/10 rule, here as ``policy: iter8`` has it.
``Flagger``: +10 an interval to 50 %, at most 4 failed checks.  ``ArgoRollouts``: +10 to 90 %, at
most 3 failed checks, and the candidate's reward of the interval must not be below the baseline's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from worlds import LIMITS, Read, World

from crossfade.evidence.judging import observe
from crossfade.evidence.rules import Design, Interval, Rules
from crossfade.evidence.trial import begin
from crossfade.policies.iter8 import best_versions, target_weights
from crossfade.spec.experiment import Direction, TestingPattern
from crossfade.verdict import Outcome
from crossfade.weights import whole_percent

X = np.array(LIMITS)


class Player:
    """A policy in a run: the ``weights`` it sets, and ``winner`` or ``stopped`` at the end.

    ``most`` is how many versions it can compare.
    """

    weights: tuple[int, ...] = (100, 0)
    winner: int | None = None
    stopped = False
    most = 9

    def __init__(self, world: World, iterations: int) -> None:
        raise NotImplementedError

    def step(self, k: int, read: Read | None) -> None:
        """Take what an interval brought."""
        raise NotImplementedError


class Evidence(Player):
    """The product's own policy, without the bake: its verdict is what is compared."""

    def __init__(self, world: World, iterations: int) -> None:
        self._rules = Rules(bake=0, **world.rules)
        self._design = Design(world.versions, LIMITS, True, iterations)
        self._trial = begin(self._rules, self._design)
        self.weights = self._trial.weights

    def step(self, k: int, read: Read | None) -> None:
        """Take what an interval brought."""
        judged = observe(self._trial, _interval(read), self._rules, self._design)
        self._trial, self.weights = judged.trial, judged.trial.weights
        if judged.outcome is Outcome.PROMOTED:
            self.winner = judged.winner
        self.stopped = judged.outcome is not None and self.winner is None


def _interval(read: Read | None) -> Interval | None:
    if read is None:
        return None
    judged = np.repeat(read.requests[:, None], len(LIMITS), axis=1)
    return Interval(read.requests, judged, read.bad, read.bad, read.reward)


class Iter8(Player):
    """The predecessor's rule on means since the start, as ``policy: iter8`` has it."""

    by_request = True

    def __init__(self, world: World, iterations: int) -> None:
        v, self._last = world.versions, iterations
        self._n, self._bad, self._reward = np.zeros(v), np.zeros((v, 3)), np.zeros(v)
        self.weights = (100, *[0] * (v - 1))

    def step(self, k: int, read: Read | None) -> None:
        """Take what an interval brought."""
        if read is not None:
            self._n, self._bad = self._n + read.requests, self._bad + read.bad
            self._reward = self._reward + read.reward
        n = np.maximum(self._n, 1)
        fine = (self._bad / n[:, None] <= X).all(axis=1) & (self._n > 0) & (read is not None)
        rewards = self._reward / n if self.by_request else self._reward
        best = best_versions(TestingPattern.AB, fine.tolist(), rewards.tolist(), Direction.HIGH)
        goal = target_weights(best, self.weights, increment=10, cap=100)
        self.weights = tuple(whole_percent(goal))
        if k == self._last:
            self.winner = best[0] if len(best) == 1 and best[0] else None
            self.stopped = self.winner is None


class Iter8Counts(Iter8):
    """The same with the reward as a count, not by request (rule D10 of docs/lint.md)."""

    by_request = False


class Stepper(Player):
    """Raise by ten while the checks of the last interval pass."""

    top, limit, compares, most = 50, 4, False, 2

    def __init__(self, world: World, iterations: int) -> None:
        self._failed, self.weights = 0, (90, 10)

    def step(self, k: int, read: Read | None) -> None:
        """Take what an interval brought."""
        good, weight = read is not None and self._good(read), self.weights[1]
        if not good:
            self._failed += 1
            self.stopped = self._failed > self.limit
            weight = 0 if self.stopped else weight
        elif weight >= self.top:
            self.winner, weight = 1, 100
        else:
            weight = min(weight + 10, self.top)
        self.weights = (100 - weight, weight)

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


PLAYERS = (Evidence, Iter8, Iter8Counts, Flagger, ArgoRollouts)
