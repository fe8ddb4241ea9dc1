"""Rules about iterations as nodes of a workflow: what Argo cannot do, and what it does badly."""

from __future__ import annotations

from collections.abc import Iterator

from crossfade import policies
from crossfade.errors import Severity, SpecError
from crossfade.lint.rule import Context, Place, rule
from crossfade.spec.rollout import Bundle, Loop

MOST_NODES = 90
"""Iterations as nodes."""
DEEPEST = 97
"""Argo stops a recursion there (maxAllowedStackDepth 100); a winner is watched past the end."""
SHORTEST_NODES = 10
"""Seconds: the controller moves a workflow on every 10 s (DEFAULT_REQUEUE_TIME)."""
COMFORTABLE_NODES = 50
OF_ARGO = ("Nodes", "Loop")
"""Rules that concern a run on one machine not at all; what Argo cannot do the compiler refuses."""
REMEDY = "set spec.loop: pod, which takes any number of any length"


@rule("Nodes", "more iterations than a workflow can have as nodes", REMEDY, Severity.ERROR)
def more_than_nodes(context: Context) -> Iterator[Place]:
    """Find what the compiler would refuse."""
    try:
        refused = too_many(context.bundle)
    except SpecError:
        return  # the policy itself is wrong, which is another finding
    if refused is not None:
        yield context.at_experiment(str(refused), "spec", "duration")


@rule("Loop", "iterations as nodes are slow or many here", REMEDY)
def better_in_a_pod(context: Context) -> Iterator[Place]:
    """Find intervals that are shorter than Argo's clock, and workflows of very many nodes."""
    text = advice(context.bundle)
    if text is not None:
        yield context.at_experiment(text, "spec", "duration")


def too_many(bundle: Bundle) -> SpecError | None:
    """Return why the iterations are more than a workflow can have as nodes, None where they fit.

    Raises ``SpecError`` for a policy that is none.
    """
    iterations = bundle.experiment.iterations
    if bundle.loop is not Loop.NODES:
        return None
    if iterations > MOST_NODES:
        return SpecError(
            f"{iterations} iterations with loop: nodes, expected at most {MOST_NODES}",
            hint="set spec.loop: pod, which takes any number",
        )
    watched = policies.watch(bundle.policy)
    if iterations + watched > DEEPEST:
        return SpecError(
            f"{iterations} iterations and up to {watched} more under watch with loop: nodes, "
            f"expected at most {DEEPEST} together",
            hint="set spec.loop: pod, which takes any number, or a smaller bake",
        )
    return None


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
