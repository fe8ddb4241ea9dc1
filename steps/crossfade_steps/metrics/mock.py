"""Mock metrics: a level a version, no store.

A Counter is elapsed seconds times the level; a Gauge is the level itself.  The predecessor drew
Gauges at random around the level; here they are exact, so that a run can be repeated.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from crossfade.spec.metric import MetricType
from crossfade.verdict import Reading
from crossfade_steps.asking import Secrets
from crossfade_steps.ports import MetricRequest


class Settings(BaseModel):
    """Nothing can be set."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Mock:
    """Answers with the levels that the metric itself names (port ``MetricSource``)."""

    def read(self, request: MetricRequest) -> Reading:
        """Return the version's level, or no value when the metric has none for it."""
        levels = {item.name: item.level for item in request.metric.spec.mock}
        level = levels.get(request.version)
        if level is None:
            have = ", ".join(levels) or "none"
            return Reading(None, f"no mock level for {request.version} (there is {have})")
        if request.metric.spec.type is MetricType.COUNTER:
            return Reading(level * request.elapsed_seconds)
        return Reading(level)


def connect(settings: Settings, secrets: Secrets) -> Mock:
    """Return the source."""
    return Mock()
