"""The real clock (port ``Clock``)."""

from __future__ import annotations

import time


class SystemClock:
    """Seconds since the epoch, and real waiting."""

    def now(self) -> float:
        """Return seconds since the epoch."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Wait that long."""
        time.sleep(seconds)
