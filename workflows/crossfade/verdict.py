"""Values of one iteration: what was read, what it means, what is decided.

Pure and immutable.  "Unknown" is its own answer everywhere: a reading without a value has a reason
instead, and no function here turns it into a number.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Literal


class Judgement(StrEnum):
    """What an objective says about a version."""

    MET = "met"
    MISSED = "missed"
    UNKNOWN = "unknown"


class Outcome(StrEnum):
    """How a run ended; there are no others, and each comes with one sentence that says why."""

    PROMOTED = "promoted"
    ROLLED_BACK = "rolled-back"
    KEPT = "kept"
    INCONCLUSIVE = "inconclusive"
    INVALID = "invalid"
    CONTESTED = "contested"
    CANCELLED = "cancelled"
    PROMOTION_FAILED = "promotion-failed"
    FAILED = "failed"

    @property
    def is_decision(self) -> bool:
        """Return whether the run came to its own end: its policy decided, or ran out of time.

        Any other end is trouble: the command exits with 3, and Argo shows the run as failed.
        """
        return self in (Outcome.PROMOTED, Outcome.ROLLED_BACK, Outcome.KEPT, Outcome.INCONCLUSIVE)


@dataclass(frozen=True, slots=True)
class Shape:
    """What a metric's counts mean: a total, a fraction or mean of two counters, a percentile.

    The metric's own value is ``scale`` times the ratio (100 for percent).  A fraction is
    ``guessed`` where only its counters' names say so: the first may grow by several a request.
    """

    kind: Literal["total", "fraction", "mean", "quantile"]
    quantile: float | None = None
    scale: float = 1.0
    guessed: bool = False


@dataclass(frozen=True, slots=True)
class Counts:
    """How much a metric's counters grew in one window.

    ``total`` is the numerator (or the only counter), ``count`` the denominator; of a percentile,
    ``cumulative`` counts values up to each of the finite ``edges`` and, at its end, all of them.
    """

    total: float
    count: float | None = None
    edges: tuple[float, ...] = ()
    cumulative: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """One metric of one version: a finite value, or the reason why there is none.

    ``counts`` are there where the metric counts something and both ends of the window were read.
    """

    value: float | None
    reason: str = ""
    query: str = ""
    warnings: tuple[str, ...] = ()
    counts: Counts | None = None

    def __post_init__(self) -> None:
        if self.value is not None and not math.isfinite(self.value):
            raise ValueError(f"a reading's value must be finite or None, got {self.value}")


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything read in one iteration.

    ``iteration`` counts from 1; ``elapsed_seconds`` is since the run's start, the same for all
    queries; ``weights`` (percent by version name) were in force; ``readings`` is keyed by metric
    (``namespace/name``), then by version name.  ``shapes`` says by metric what is counted;
    ``until`` is the end of the counts' window (seconds since the epoch), 0 where none was read;
    ``disturbed`` is until when somebody else's weights were in force since the last iteration, 0
    where none were; ``sticky`` says that the route pins users to the version they met first.
    ``order`` is (who, version) where a person has asked to promote one now; ``also`` has other
    weights that were in force in the window.  ``silent`` says that nothing is known since no metric
    store answered: an outage, and no lack of data.
    """

    iteration: int
    elapsed_seconds: int
    weights: Mapping[str, int]
    readings: Mapping[str, Mapping[str, Reading]] = field(default_factory=dict)
    shapes: Mapping[str, Shape] = field(default_factory=dict)
    until: float = 0.0
    disturbed: float = 0.0
    sticky: bool = False
    order: tuple[str, str] | None = None
    also: tuple[Mapping[str, int], ...] = ()
    silent: bool = False

    def value(self, metric: str, version: str) -> float | None:
        """Return the value read, or None when it is unknown for whatever reason."""
        reading = self.readings.get(metric, {}).get(version)
        return None if reading is None else reading.value

    def reason(self, metric: str, version: str) -> str:
        """Return why the value is unknown."""
        reading = self.readings.get(metric, {}).get(version)
        return "not read" if reading is None else reading.reason


@dataclass(frozen=True, slots=True)
class Verdict:
    """One objective judged for one version, with the numbers it was judged by."""

    version: str
    metric: str
    judgement: Judgement
    value: float | None
    lower: float | None
    upper: float | None
    sample_size: float | None
    window_seconds: int
    sentence: str

    def judges(self, metric: str, lower: float | None, upper: float | None) -> bool:
        """Return whether this is of that objective: a metric may have several."""
        return (self.metric, self.lower, self.upper) == (metric, lower, upper)


@dataclass(frozen=True, slots=True)
class Decision:
    """What a policy decided in one iteration.

    ``old`` and ``weights`` are percent by version name, in the experiment's order, and sum to 100.
    ``best`` holds every version that ties for best, ``winner`` the only one.  ``outcome`` is set
    when the run is to end now.  ``reason`` is one sentence for people.
    """

    iteration: int
    old: Mapping[str, int]
    weights: Mapping[str, int]
    verdicts: tuple[Verdict, ...]
    best: tuple[str, ...]
    winner: str | None
    reason: str
    outcome: Outcome | None = None
    rewards: Mapping[str, float | None] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def as_ordered(decision: Decision, seen: Observation) -> Decision:
    """Return the decision as a person ordered it: that version is promoted, whatever is unproven.

    What ends a run otherwise (a wrong split) is not overruled, nor is an objective that this
    version misses: then the reason says why the order is not followed.
    """
    if seen.order is None or decision.outcome not in (None, Outcome.INCONCLUSIVE, Outcome.KEPT):
        return decision
    who, version = seen.order
    missed = [v.sentence for v in decision.verdicts
              if v.version == version and v.judgement is Judgement.MISSED]  # fmt: skip
    if missed:
        text = f"not promoted as {who} ordered: {'; '.join(missed)}; by itself: {decision.reason}"
        return replace(decision, reason=text)
    reason = f"{who} ordered the promotion of {version}; by itself: {decision.reason}"
    return replace(decision, weights=decision.old, winner=version, reason=reason,
                   outcome=Outcome.PROMOTED)  # fmt: skip


def judge(
    version: str,
    metric: str,
    observation: Observation,
    *,
    lower: float | None,
    upper: float | None,
    sample_size: float | None = None,
) -> Verdict:
    """Return the verdict of inclusive limits on the value read; no value gives ``unknown``.

    Limits and values are in the metric's own unit; a value that is at its limit keeps it.
    """
    value = observation.value(metric, version)
    if value is None:
        judgement = Judgement.UNKNOWN
        tail = f"no value: {observation.reason(metric, version)}"
    else:
        above = upper is not None and value > upper
        below = lower is not None and value < lower
        judgement = Judgement.MISSED if above or below else Judgement.MET
        side = "above" if above else "below" if below else "within"
        tail = f"{value:.6g} is {side} {_limits(lower, upper, above=above, below=below)}"
    return Verdict(
        version=version,
        metric=metric,
        judgement=judgement,
        value=value,
        lower=lower,
        upper=upper,
        sample_size=sample_size,
        window_seconds=observation.elapsed_seconds,
        sentence=f"{metric} of {version}: {tail}"
        + (f" (n={sample_size:.6g})" if sample_size is not None else ""),
    )


def _limits(lower: float | None, upper: float | None, *, above: bool, below: bool) -> str:
    if above or (upper is not None and lower is None):
        return f"the limit {upper:.6g}"
    if below or (lower is not None and upper is None):
        return f"the limit {lower:.6g}"
    if upper is None or lower is None:
        return "no limit"
    return f"the limits {lower:.6g} to {upper:.6g}"
