"""The predecessor's built-in metrics (provider ``iter8``): they came from its own load task.

Nothing collects them here, so they are unknown, and say so.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from crossfade.verdict import Reading
from crossfade_steps.asking import Secrets
from crossfade_steps.ports import MetricRequest


class Settings(BaseModel):
    """Nothing can be set."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Builtin:
    """Answers that there is no value (port ``MetricSource``)."""

    def read(self, request: MetricRequest) -> Reading:
        """Return no value."""
        return Reading(None, f"{request.key} is built into Iter8 and collected by nothing here")


def connect(settings: Settings, secrets: Secrets) -> Builtin:
    """Return the source."""
    return Builtin()
