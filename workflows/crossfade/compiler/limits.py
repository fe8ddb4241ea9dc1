"""What Argo cannot do, found before anything is submitted."""

from __future__ import annotations

from crossfade import policies
from crossfade.compiler.transport import encode
from crossfade.errors import SpecError
from crossfade.spec.rollout import Bundle, Loop

MOST_NODES = 90
"""Iterations as nodes."""
DEEPEST = 97
"""Argo stops a recursion there (maxAllowedStackDepth 100); a winner is watched past the end."""
SHORTEST_NODES = 10
"""Seconds: the controller moves a workflow on every 10 s (DEFAULT_REQUEUE_TIME)."""
COMFORTABLE_NODES = 50
MOST_CONFIG_MAP = 1024 * 1024
"""Bytes of all values of a ConfigMap (Kubernetes, core/v1 validation, MaxSecretSize)."""


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
            f"{iterations} iterations and up to {watched} more under watch with loop: nodes, "
            f"expected at most {DEEPEST} together",
            hint="set spec.loop: pod, which takes any number, or a smaller bake",
        )
    size = len(encode(bundle))
    if size > MOST_CONFIG_MAP:
        raise SpecError(
            f"the rollout with its documents takes {size} bytes as base64, expected at most "
            f"{MOST_CONFIG_MAP}, which is what Kubernetes takes in a ConfigMap",
            hint="leave large data out of its documents: in an image, in a volume, or in a "
            "ConfigMap that is created beforehand",
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
