"""What a trial is decided by: its rules, its design, and what one interval brings."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, field_validator

Array = NDArray[np.float64]

FIRST = 25
"""Percent that a raise may always go to, as far as the risk budget allows it."""
POINTS = 3
"""How often in a row a limit of a bare value must hold, or be broken, to count."""

_End = Annotated[float, Field(allow_inf_nan=True)]  # refused with its own words


class Rules(BaseModel):
    """The policy's settings, as docs/policies.md tells users of them.

    ``alpha``, ``alpha_rollback`` and ``alpha_split`` bound false promotion, false rollback and a
    false split alarm, each over the whole run.  ``increment`` and ``max_weight`` are percent;
    ``ramp`` says whether a raise may be ``increment`` at most (``steps``), or the weight again, or
    up to ``FIRST``, whichever is most (``doubling``), or as far as the risk budget allows
    (``risk``); the budget limits all of them.
    ``effects`` says which effects are looked for: the same ones always (``fixed``), those that can
    be proven in the iterations there are (``horizon``), or, as a number, a relative lift and more
    (0.1: 10 %).  ``risk_budget`` is bad requests above a limit that one interval may cost;
    ``min_requests`` is by version; ``confirm`` is intervals that agree before a candidate has won;
    ``reward_range`` is the least and the most that one value of a mean reward can be.
    ``delay`` is the p99 of a reward's delay in intervals; ``dispersion`` is the design effect of
    requests that belong together (sticky users), which below 1 would multiply evidence; or it is
    estimated, always (``auto``) or once rewards scatter more than alike ones could (``watch``).
    ``split`` says whether a wrong split ends the run or is only told of (``warn``).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    alpha_rollback: float = Field(default=0.05, gt=0, lt=0.5)
    alpha_split: float = Field(default=0.01, gt=0, lt=0.5)
    reward: Literal["fraction", "count"] = "fraction"
    reward_range: tuple[_End, _End] | None = None
    assurance: Literal["proven", "not-refuted"] = "proven"
    increment: int = Field(default=10, ge=1, le=100)
    max_weight: int = Field(default=95, ge=1, le=100)
    ramp: Literal["steps", "doubling", "risk"] = "doubling"
    effects: Literal["fixed", "horizon"] | Annotated[float, Field(gt=0, le=10)] = "horizon"
    risk_budget: float = Field(default=20.0, gt=0)
    min_intervals: int = Field(default=5, ge=1)
    min_requests: float = Field(default=50, ge=0)
    confirm: int = Field(default=1, ge=1)
    doubt: float = Field(default=3.0, gt=1)
    max_blind: int = Field(default=6, ge=1)
    bake: int = Field(default=3, ge=0)
    delay: int = Field(default=0, ge=0)
    dispersion: Annotated[float, Field(ge=1)] | Literal["auto", "watch"] = 1.0
    split: Literal["end", "warn"] = "end"

    @field_validator("reward_range")
    @classmethod
    def _ascends(cls, ends: tuple[float, float] | None) -> tuple[float, float] | None:
        if ends is not None and not -math.inf < ends[0] < ends[1] < math.inf:
            raise ValueError(f"reward_range {list(ends)}: expected [least, most]")
        if ends is not None and ends[0] < 0:
            raise ValueError(f"reward_range {list(ends)}: a counter of values below 0 falls, which "
                             "is a restart to a metric store: count gains and losses apart, or add "
                             "a constant to each value")  # fmt: skip
        return ends

    @property
    def declared_effect(self) -> float:
        """Return the design effect that is taken as known, 1 where it is estimated."""
        return 1.0 if isinstance(self.dispersion, str) else self.dispersion


@dataclass(frozen=True, slots=True)
class Design:
    """What is compared: versions (the first is the baseline), limits as proportions, the end.

    ``moves`` is False where weights stand still until the end (FixedSplit, BlueGreen); ``ceiling``
    is the percent that a candidate may have at most before it is promoted.  ``horizon`` is the
    iterations that effects are chosen for, 0 for as many as there are.
    """

    versions: int
    limits: tuple[float, ...]
    rewarded: bool
    iterations: int
    lower_is_better: bool = False
    moves: bool = True
    ceiling: int = 100
    horizon: int = 0

    @property
    def objectives(self) -> int:
        """Return how many objectives there are."""
        return len(self.limits)


@dataclass(frozen=True, slots=True)
class Interval:
    """Increments of counts in one interval, by version (V) and objective (J).

    ``requests`` (V) and ``judged`` (V, J) are how many values there were, ``bad_low`` and
    ``bad_high`` (V, J) how many were certainly and possibly bad, ``reward`` (V) the sum of rewards
    or None when it is unknown, of ``rewarded`` (V) values, None for the requests: feedback may be
    late, or of some requests only.  ``complete`` is False when something could not be read: then
    what is known can ring an alarm, and nothing is kept, raised or promoted.  ``held`` and
    ``broken`` (V) say whether every limit of a bare value has held, or one was broken, for as many
    intervals as it takes; ``also`` are weights (percent by version) that were in force for a part
    of the interval.
    """

    requests: Array
    judged: Array
    bad_low: Array
    bad_high: Array
    reward: Array | None
    complete: bool = True
    held: tuple[bool, ...] = ()
    broken: tuple[bool, ...] = ()
    rewarded: Array | None = None
    also: tuple[tuple[int, ...], ...] = ()
