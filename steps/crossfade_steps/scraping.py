"""How far apart a store's samples are, where the rollout does not say."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from crossfade import policies
from crossfade.counting import SCRAPE_SECONDS
from crossfade.errors import CrossfadeError, SpecError
from crossfade_steps.ports import MetricRequest
from crossfade_steps.reading import requests_for
from crossfade_steps.run import Run


@runtime_checkable
class Scraped(Protocol):
    """A metric source that knows when its samples were taken."""

    def scrape_gap(self, request: MetricRequest) -> float | None:
        """Return how many seconds apart the metric's newest samples are, None without any."""


def measured(run: Run) -> float | None:
    """Return how many seconds the samples of what the baseline counts are apart.

    None where the policy does not count, the rollout says it, or there are no samples yet.  Raises
    ``SpecError`` for an interval of fewer than two of them: its windows would count nothing.
    """
    stated = run.bundle.prometheus.get("scrape_interval")
    if stated or not policies.counts(run.bundle.policy.name):
        return None
    found = run.measured or _widest(run)
    interval = run.bundle.experiment.spec.duration.interval_seconds
    if found is not None and interval < 2 * found:
        raise SpecError(
            f"intervalSeconds {interval} is less than two scrapes: the store's samples are "
            f"{found:g} s apart",
            hint=f"make it at least {2 * found:g}",
        )
    return found


def told(run: Run, found: float | None) -> str:
    """Return what was found in words, nothing where it did not have to be."""
    asked = any(isinstance(source, Scraped) for source in run.sources.values())
    counts = policies.counts(run.bundle.policy.name)
    if run.bundle.prometheus.get("scrape_interval") or not (asked and counts):
        return ""
    if found is None:
        return (f"scrapes could not be measured, and are taken to be {SCRAPE_SECONDS:g} s apart: "
                f"state spec.prometheus.scrape_interval")  # fmt: skip
    return f"scrapes are {found:g} s apart"


def _widest(run: Run) -> float | None:
    """Return the longest of what the baseline's metrics say; a store in trouble says nothing."""
    spec = run.bundle.experiment
    gaps = list[float | None]()
    for request in requests_for(spec, run.bundle.metrics, spec.spec.duration.interval_seconds):
        source = run.sources.get(request.key)
        if request.version != run.baseline or not isinstance(source, Scraped):
            continue
        try:
            gaps.append(source.scrape_gap(request))
        except CrossfadeError:
            return None
    return max((gap for gap in gaps if gap), default=None)
