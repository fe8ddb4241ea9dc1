"""When iterations are counted from: what the baseline served just before is known already."""

from __future__ import annotations

from crossfade import policies
from crossfade_steps.iteration import window
from crossfade_steps.reading import observe
from crossfade_steps.run import Run

BUDGET_SECONDS = 5.0
"""How long the metrics of the past may take: the run must not begin late because of them."""


def beginning(run: Run) -> float:
    """Return the time (seconds since the epoch) that iteration k is due k intervals after.

    That is now, or one interval ago where a policy of counts can read what the baseline alone
    served since then: the first iteration, which only learns how much traffic there is, is due at
    once.  A run that brings its own load begins now: the traffic before it says nothing about the
    traffic to come.
    """
    now, spec = run.clock.now(), run.bundle.experiment.spec
    if run.bundle.load or not policies.counts(run.bundle.policy.name):
        return now
    past = now - spec.duration.interval_seconds
    weights = run.router.read().weights
    seen = observe(
        run.bundle.experiment, run.bundle.metrics, run.sources, iteration=1,
        elapsed_seconds=spec.duration.interval_seconds, weights=weights,
        budget_seconds=BUDGET_SECONDS, window=window(run, past, {}),
    )  # fmt: skip
    known = policies.informed(run.bundle.policy, run.bundle.experiment, seen)
    return past if known else now
