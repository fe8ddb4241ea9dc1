"""The Python face of crossfade: ``Rollout.load("rollout.yaml")``."""

from __future__ import annotations


class Rollout:
    """A rollout, ready to be compiled, submitted or run."""
