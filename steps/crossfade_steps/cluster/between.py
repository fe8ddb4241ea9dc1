"""Between two pods of long intervals only the guard is awake: it looks for broken limits."""

from __future__ import annotations

from collections.abc import Mapping

from crossfade.contract import AWAKE_SECONDS, LONG_INTERVAL
from crossfade.spec.rollout import Loop
from crossfade.verdict import Decision
from crossfade_steps.cluster.stage import Stage
from crossfade_steps.iteration import Turn, look, recorded
from crossfade_steps.safety import Phase
from crossfade_steps.watching import scrape_seconds

MARGIN_SECONDS = 5.0
"""No look begins so shortly before the next pod is awake: that one looks then."""
LEAST_SECONDS = 2.0


class Between:
    """Looks of one run, at most once a scrape."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._next = 0.0
        duration = stage.run.bundle.experiment.spec.duration
        self._interval = duration.interval_seconds

    def broken(self, head: Mapping[str, str]) -> Decision | None:
        """Return the decision that ends the run now, recorded; None while nothing is proven."""
        run, now = self._stage.run, self._stage.run.clock.now()
        if not self._asleep(head) or now < self._next:
            return None
        every = max(scrape_seconds(run), LEAST_SECONDS)
        self._next = now + every
        progress, applied = recorded(run)
        start, k = float(head["start"]), progress.iterations + 1
        left = start + progress.held_seconds + k * self._interval - now
        if not applied or left < AWAKE_SECONDS + MARGIN_SECONDS:
            return None
        turn = Turn(k, start, progress.state, progress.weights)
        return look(run, turn, min(every, left - AWAKE_SECONDS))

    def _asleep(self, head: Mapping[str, str]) -> bool:
        """Return whether this run's iterations are pods with a timer between them."""
        timed = self._stage.run.bundle.loop is Loop.NODES and self._interval >= LONG_INTERVAL
        return timed and head.get("phase") == Phase.ITERATING and bool(head.get("start"))
