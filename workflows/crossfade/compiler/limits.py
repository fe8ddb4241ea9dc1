"""What Argo cannot do, found before anything is submitted."""

from __future__ import annotations

from crossfade import policies
from crossfade.errors import SpecError
from crossfade.spec.rollout import Bundle, Loop

MOST_NODES = 90
"""Iterations as nodes."""
DEEPEST = 97
"""Argo stops a recursion there (maxAllowedStackDepth 100); a winner is watched past the end."""
SHORTEST_NODES = 10
"""Seconds: the controller moves a workflow on every 10 s (DEFAULT_REQUEUE_TIME)."""
COMFORTABLE_NODES = 50


def refuse_impossible(bundle: Bundle) -> None:
    """Raise ``SpecError`` for a rollout that no workflow can carry out."""
    iterations = bundle.experiment.iterations
    if bundle.loop is Loop.NODES and iterations > MOST_NODES:
        raise SpecError(
            f"{iterations} iterations with loop: nodes, expected at most {MOST_NODES}",
            hint="set spec.loop: pod, which takes any number",
        )
    watched = policies.watch(bundle.policy)
    if bundle.loop is Loop.NODES and iterations + watched > DEEPEST:
        raise SpecError(
            f"{iterations} iterations and {watched} under watch with loop: nodes, expected at most "
            f"{DEEPEST} together",
            hint="set spec.loop: pod, which takes any number, or a smaller bake",
        )


def advice(bundle: Bundle) -> str | None:
    """Return why ``loop: pod`` would serve better, None when nodes are fine."""
    experiment = bundle.experiment
    interval = experiment.spec.duration.interval_seconds
    if bundle.loop is Loop.POD:
        return None
    if interval < SHORTEST_NODES:
        return f"an interval of {interval} s is shorter than Argo's own clock of 10 s"
    if experiment.iterations > COMFORTABLE_NODES:
        return f"{experiment.iterations} iterations make a workflow of as many nested nodes"
    return None
