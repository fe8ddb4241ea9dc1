"""A decision that a test hands to what applies it."""

from __future__ import annotations

from crossfade.verdict import Decision


def decision(old: dict[str, int], weights: dict[str, int]) -> Decision:
    return Decision(
        iteration=3, old=old, weights=weights, verdicts=(), best=(), winner=None, reason="so"
    )


OLD, NEW = {"v1": 90, "v2": 10}, {"v1": 80, "v2": 20}
