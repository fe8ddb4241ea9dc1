"""Between two pods of long intervals only the guard is awake: it looks for broken limits."""

from __future__ import annotations

from collections.abc import Mapping

from crossfade import policies
from crossfade.contract import AWAKE_SECONDS, LONG_INTERVAL
from crossfade.spec.rollout import Loop
from crossfade.verdict import Decision
from crossfade_steps.applying import looked_after, recorded
from crossfade_steps.cluster.stage import PAUSE, Stage
from crossfade_steps.iteration import Turn, decide_now, look
from crossfade_steps.safety import Phase, pin_recorded
from crossfade_steps.watching import scrape_seconds

MARGIN_SECONDS = 5.0
"""No look begins so shortly before the next pod is awake: that one looks then."""
LATE_SECONDS = 30.0
"""After so long without a decision no pod is awake: it is pending, or the workflow is suspended."""
LEAST_SECONDS, MOST_SECONDS = 2.0, 10.0


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
        pin_recorded(run, self._stage.entries())
        turn, left = self._turn(head)
        if turn is None or _awake(left, paused=head.get("control") == PAUSE):
            return None
        seen = look(run, turn, min(every, MOST_SECONDS))
        if seen is None or not self._asleep(self._stage.store.head()):
            return None
        again, _ = self._turn(head)
        if again is None or again.k != turn.k:
            return None  # a step has decided meanwhile
        return decide_now(run, seen, turn)

    def _turn(self, head: Mapping[str, str]) -> tuple[Turn | None, float]:
        """Return the iteration that is waited for, and for how long; None where none is."""
        run = self._stage.run
        progress, applied = recorded(run)
        over = progress.decision is not None and progress.decision.outcome is not None
        if not applied or over:
            return None, 0.0
        start, k = float(head["start"]), progress.iterations + 1
        due = start + progress.held_seconds + k * self._interval
        return Turn(k, start, looked_after(run, progress)), due - run.clock.now()

    def _asleep(self, head: Mapping[str, str]) -> bool:
        """Return whether this run's iterations are pods with a timer between them."""
        bundle = self._stage.run.bundle
        timed = bundle.loop is Loop.NODES and self._interval >= LONG_INTERVAL
        timed = timed and policies.counts(bundle.policy.name)  # any other looks at its iterations
        return timed and head.get("phase") == Phase.ITERATING and bool(head.get("start"))


def _awake(left: float, *, paused: bool) -> bool:
    """Return whether the pod of the next iteration looks itself, ``left`` seconds before it is due.

    One that waits for a pause to end goes on looking.
    """
    return left < AWAKE_SECONDS + MARGIN_SECONDS and (paused or left > -LATE_SECONDS)
