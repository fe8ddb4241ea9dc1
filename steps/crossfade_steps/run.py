"""One run: everything it needs from the world, and how it waits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from crossfade.errors import NO_RETRY, CrossfadeError
from crossfade.spec.durations import seconds
from crossfade.spec.rollout import Bundle
from crossfade.verdict import Outcome
from crossfade_steps.ports import Clock, MetricSource, Objects, Readiness, Record, Responder, Router

TICK_SECONDS = 0.25
READY_SECONDS = 300.0


class Stopped(CrossfadeError):
    """The run must end now: somebody asked for it, or a part of it died."""

    def __init__(self, outcome: Outcome, reason: str) -> None:
        super().__init__(reason)
        self.outcome = outcome


class EndedElsewhere(Stopped):
    """Another part of this run ends it already, and says how: this part has no word in it."""


class StepFailed(CrossfadeError):
    """The run is over and must be seen as failed in Argo too; repeating the step is no use."""

    exit_code = NO_RETRY


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended, in one word and one sentence."""

    outcome: Outcome
    sentence: str
    winner: str | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """A run's name, its bundle, and the ports it acts through.

    ``alarm`` gives the reason why the run must end now, or None; it is asked several times a
    second.  ``start_load`` begins the load once both versions are ready; while ``paused`` says yes
    no iteration begins.  ``order`` gives who wants which version promoted now, or None.  ``hold``
    raises ``Stopped`` when this run may not change the routes any more.  ``measured`` is how far
    apart the store's scrapes were found to be (seconds), where the rollout does not say.
    """

    name: str
    bundle: Bundle
    objects: Objects
    router: Router
    sources: Mapping[str, MetricSource]
    readiness: Readiness
    responder: Responder
    clock: Clock
    record: Record
    alarm: Callable[[], Stopped | None] = lambda: None
    start_load: Callable[[], None] = lambda: None
    paused: Callable[[], bool] = lambda: False
    order: Callable[[], tuple[str, str] | None] = lambda: None
    hold: Callable[[], None] = lambda: None
    ready_timeout_seconds: float = READY_SECONDS
    measured: float | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def baseline(self) -> str:
        """Return the baseline's name."""
        return self.bundle.experiment.versions[0].name

    @property
    def all_baseline(self) -> dict[str, int]:
        """Return the weights that send every request to the baseline."""
        return {v.name: 100 if v.name == self.baseline else 0 for v in self.versions}

    @property
    def versions(self) -> tuple[Any, ...]:
        """Return the experiment's versions, the baseline first."""
        return self.bundle.experiment.versions

    def only(self, version: str) -> dict[str, int]:
        """Return the weights that send every request to one version."""
        return {v.name: 100 if v.name == version else 0 for v in self.versions}

    def wait_until(self, due: float, meanwhile: Callable[[], None] = lambda: None) -> float:
        """Sleep until ``due`` (seconds since the epoch), and longer while the run is paused.

        ``meanwhile`` is called several times a second.  Returns for how many seconds a pause held
        it back.  Raises ``Stopped`` on an alarm, and what ``meanwhile`` raises.
        """
        held = False
        while True:
            self.raise_alarm()
            meanwhile()
            left = due - self.clock.now()
            if left <= 0 and not self.paused():
                return -left if held else 0.0
            held = held or left <= 0
            self.clock.sleep(min(left, TICK_SECONDS) if left > 0 else TICK_SECONDS)

    def raise_alarm(self) -> None:
        """Raise ``Stopped`` if the run must end now."""
        stop = self.alarm()
        if stop is not None:
            raise stop


def ready_seconds(bundle: Bundle) -> float:
    """Return how long a rollout's objects may take to become ready."""
    if bundle.ready_timeout is None:
        return READY_SECONDS
    return float(seconds(bundle.ready_timeout, where="spec.readyTimeout"))
