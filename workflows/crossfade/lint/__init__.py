"""Lint: what is wrong or unwise in a rollout, beyond what keeps it from loading."""

from __future__ import annotations

from crossfade import policies
from crossfade.errors import Finding
from crossfade.spec.source import Loaded


def lint(loaded: Loaded) -> tuple[Finding, ...]:
    """Return the findings of every rule; none when there is no bundle to look at."""
    if loaded.bundle is None:
        return ()
    policy = policies.load(loaded.bundle.policy.name)
    return tuple(policy.unsafe(loaded.bundle.experiment))
