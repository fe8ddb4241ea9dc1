"""What versions really do, and what a policy would read of it: worlds for and against a promotion.

Limits: error rate <= 1 %, p95 latency (5 % above it), mean latency (a tenth of its ceiling).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import sin
from typing import Any

import numpy as np

Array = Any
LIMITS = (0.01, 0.05, 0.10)
CEILING = 10.0
DELAYS = 24


@dataclass(frozen=True, slots=True)
class World:
    """One row of the table; what is ``right`` is None where either ending is fine.

    What is given for two versions holds for every further one as it does for the last.
    """

    name: str
    right: bool | None
    reward: tuple[float, ...] = (0.30, 0.30)
    errors: tuple[float, float] = (0.002, 0.002)
    slow: tuple[float, float] = (0.01, 0.01)
    mean: tuple[float, float] = (0.4, 0.4)
    later: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    change_at: int = 10**9
    drift: Callable[[int], float] | None = None
    lost: float = 0.0
    blind_first: int = 0
    odds: float = 1.0
    users: tuple[int, float] = (1, 0.0)
    delay: float = 0.0
    rules: Mapping[str, Any] = field(default_factory=dict)
    counts: bool = False

    @property
    def versions(self) -> int:
        """Return how many versions there are, the baseline first."""
        return len(self.reward)

    @property
    def best(self) -> int:
        """Return the version that a promotion should be of."""
        return max(range(1, self.versions), key=self.reward.__getitem__)

    def at(self, what: str, k: int) -> Array:
        """Return what holds in interval k, by version."""
        values = self.later[what] if k >= self.change_at and what in self.later else None
        found = np.array(getattr(self, what) if values is None else values, float)
        if len(found) < self.versions:
            found = np.append(found, [found[-1]] * (self.versions - len(found)))
        return found * self.drift(k) if what == "reward" and self.drift else found


@dataclass(frozen=True, slots=True)
class Read:
    """Increments since the last read: requests, bad values and rewards by version."""

    requests: Array
    bad: Array
    reward: Array


class Draw:
    """One run of a world; ``read`` gives None where an interval cannot be read."""

    def __init__(self, world: World, traffic: float, rng: np.random.Generator) -> None:
        self._world, self._traffic, self._rng = world, traffic, rng
        self._waiting = np.zeros((DELAYS, world.versions))
        self._kept: list[Read] = []

    def read(self, k: int, weights: Sequence[int]) -> Read | None:
        """Return what interval k brings at these weights (percent, the baseline first)."""
        world, rng = self._world, self._rng
        self._kept.append(self._interval(k, weights))
        if k <= world.blind_first or (world.lost and rng.random() < world.lost):
            return None
        parts, self._kept = self._kept, []
        return Read(*(sum(getattr(part, name) for part in parts)
                      for name in ("requests", "bad", "reward")))  # fmt: skip

    def _shared(self, weights: Sequence[int]) -> Array:
        """Return the requests of an interval by version."""
        left, n = self._rng.poisson(self._traffic), np.zeros(len(weights), int)
        odds = np.array([weights[0], *(self._world.odds * w for w in weights[1:])], float)
        for i in range(len(weights) - 1, 0, -1):
            n[i] = self._rng.binomial(left, odds[i] / max(odds[: i + 1].sum(), 1e-9))
            left -= n[i]
        n[0] = left
        return n

    def _interval(self, k: int, weights: Sequence[int]) -> Read:
        world, rng, n = self._world, self._rng, self._shared(weights)
        bad = np.stack([
            rng.binomial(n, world.at("errors", k)), rng.binomial(n, world.at("slow", k)),
            np.minimum(rng.gamma(np.maximum(n, 1e-9), world.at("mean", k) / CEILING), n),
        ], axis=1)  # fmt: skip
        return Read(n.astype(float), bad.astype(float), self._rewards(k, n))

    def _rewards(self, k: int, n: Array) -> Array:
        world, rng = self._world, self._rng
        mean = world.at("reward", k)
        size, alike = world.users
        if size > 1:  # a user's requests have one rate of their own
            users = np.maximum(n // size, 1)
            spread = (1 - alike) / alike + 1
            t = spread * users - 1
            mean = rng.beta(np.maximum(mean * t, 1e-6), np.maximum((1 - mean) * t, 1e-6))
        earned = rng.poisson(n * mean) if world.counts else rng.binomial(n, mean)
        return self._delayed(earned) if world.delay else earned.astype(float)

    def _delayed(self, earned: Array) -> Array:
        chance, todo = 1 / (1 + self._world.delay), earned
        for d in range(DELAYS):
            now = todo if d == DELAYS - 1 else self._rng.binomial(todo, chance)
            self._waiting[d] += now
            todo = todo - now
        arrived = self._waiting[0].copy()
        self._waiting = np.concatenate([self._waiting[1:], np.zeros((1, len(arrived)))])
        return arrived


def _day(k: int) -> float:
    return 0.7 + 0.6 * k / 12 if k <= 12 else 1.3 + 0.25 * sin((k - 12) / 6)


UP = (0.30, 0.42)
WORLDS = (
    World("A/A", False),
    World("A/A, reward 2 %", False, reward=(0.02, 0.02)),
    World("A/A, drifting reward", False, drift=_day),
    World("A/A, Poisson count 1.5 a request", False, reward=(1.5, 1.5), counts=True,
          rules={"reward": "count"}),
    World("A/A, rewards delayed 30 s", False, delay=3, rules={"delay": 16}),
    World("A/A, 25 % of reads fail", False, lost=0.25),
    World("A/A, sticky users, dispersion 4.8", False, users=(20, 0.2), rules={"dispersion": 4.8}),
    World("A/A, sticky users, dispersion: auto", False, users=(20, 0.2),
          rules={"dispersion": "auto"}),
    World("3 versions, all equal", False, reward=(0.30, 0.30, 0.30)),
    World("reward -10 %", False, reward=(0.30, 0.27)),
    World("reward +40 %, errors 2 %", False, UP, errors=(0.002, 0.02)),
    World("reward +40 %, errors 3 %", False, UP, errors=(0.002, 0.03)),
    World("reward +40 %, errors 20 %", False, UP, errors=(0.002, 0.20)),
    World("reward +40 %, 10 % slow", False, UP, slow=(0.01, 0.10)),
    World("reward +40 %, mean 1.5 x limit", False, UP, mean=(0.4, 1.5)),
    World("errors 20 % from interval 20", False, change_at=20, later={"errors": (0.002, 0.2)}),
    World("errors 3 % from interval 20", False, change_at=20, later={"errors": (0.002, 0.03)}),
    World("reward -40 % from interval 20", False, change_at=20, later={"reward": (0.30, 0.18)}),
    World("both errors 3 %, reward +40 %", False, UP, errors=(0.03, 0.03)),
    World("reward +40 %, errors 1 % (the limit)", None, UP, errors=(0.002, 0.01)),
    World("split wrong: candidate gets 0.8 x", None, UP, odds=0.8),
    World("+10 %, but errors 20 % from interval 20", None, reward=(0.30, 0.33), change_at=20,
          later={"errors": (0.002, 0.2)}),
    World("A/A, sticky users that it is not told of", None, users=(20, 0.2)),
    World("reward +2 %", True, reward=(0.30, 0.306)),
    World("reward +10 %", True, reward=(0.30, 0.33)),
    World("reward +40 %", True, UP),
    World("reward 0.7 against 1.0", True, reward=(0.7, 0.999)),
    World("count 1.5 a request +40 %", True, reward=(1.5, 2.1), counts=True,
          rules={"reward": "count"}),
    World("reward +40 %, delayed 30 s", True, UP, delay=3, rules={"delay": 16}),
    World("3 versions, +10 % and +40 %", True, reward=(0.30, 0.33, 0.42)),
    World("reward +40 %, 25 % of reads fail", True, UP, lost=0.25),
    World("reward +40 %, first 3 reads empty", True, UP, blind_first=3),
    World("reward +40 %, errors 0.5 %", True, UP, errors=(0.002, 0.005)),
    World("baseline errors 3 %, reward equal", True, errors=(0.03, 0.002)),
)  # fmt: skip


def _divergence(p: float, q: float) -> float:
    """Return KL(p, q) of two proportions, in nats."""
    return sum(a * math.log(a / b) for a, b in ((p, q), (1 - p, 1 - q)) if a > 0)


def limit_of(world: World, alpha: float = 0.05) -> float:
    """Return the total requests that any level-alpha sequential promotion needs on average.

    At the best constant share, for the slowest of the claims: a better reward (Garivier and
    Kaufmann 2016), and each limit held (Wald).
    """
    base, better = world.reward[0], world.reward[1]
    bad = (world.errors[1], world.slow[1], world.mean[1] / CEILING)
    slowest = min(_divergence(p, x) for p, x in zip(bad, LIMITS, strict=True))

    def needed(share: float) -> float:
        mean = share * better + (1 - share) * base
        pair = share * _divergence(better, mean) + (1 - share) * _divergence(base, mean)
        return math.log(1 / alpha) / min(pair, share * slowest)

    return min(needed(share / 1000) for share in range(10, 991))
