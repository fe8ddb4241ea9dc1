"""Between iterations: a limit that is proven to be broken does not wait for the interval's end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from crossfade.counting import LATENCY_SECONDS, SCRAPE_SECONDS
from crossfade_steps.run import Run

MARGIN_SECONDS = 1.0
"""No look begins so shortly before an iteration is due: it must not be late because of one."""
LEAST_SECONDS = 1.0


class Alarmed(Exception):
    """A look found what ends the run now."""


@dataclass(slots=True)
class Watch:
    """Looks once a scrape while an iteration is waited for; ``look`` says whether to end now.

    More often is no use, the store knows nothing new.  While a run is paused, looks go on.  With a
    ``held`` interval (seconds) they are made only then, from ``due`` on and so far apart.
    """

    run: Run
    due: float
    look: Callable[[float], bool]
    held: float = 0.0
    next: float = 0.0

    def __post_init__(self) -> None:
        self.next = self.due if self.held else self.run.clock.now() + self.every

    @property
    def every(self) -> float:
        """Return the seconds between looks."""
        return self.held or max(scrape_seconds(self.run), LEAST_SECONDS)

    def __call__(self) -> None:
        """Look if it is time.  Raises ``Alarmed`` when the run must end now."""
        now = self.run.clock.now()
        left = self.due - now
        if now < self.next or 0 < left < MARGIN_SECONDS:
            return
        if self.held and not self.run.paused():  # the iteration itself looks now
            return
        budget = self.every if left <= 0 else min(self.every, left - MARGIN_SECONDS / 2)
        alarmed = self.look(budget)
        self.next = max(self.next + self.every, self.run.clock.now())
        if alarmed:
            raise Alarmed


def scrape_seconds(run: Run) -> float:
    """Return how far apart the store's scrapes are."""
    stated = run.bundle.prometheus.get("scrape_interval")
    return float(stated or run.measured or SCRAPE_SECONDS)


def newest_seconds(run: Run) -> float:
    """Return how long ago a window may end at least, for both its scrapes to be in the store.

    That is a scrape, and as long as it takes until the store answers with it.
    """
    latency = run.bundle.prometheus.get("latency")
    return scrape_seconds(run) + (LATENCY_SECONDS if latency is None else float(latency))
