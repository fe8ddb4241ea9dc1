"""While a person decides, the winner's objectives are looked at and its weights are kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from crossfade import policies, record
from crossfade.errors import BackendError, CrossfadeError, SpecError
from crossfade.verdict import Judgement, Observation, Outcome, Verdict
from crossfade_steps.applying import looked_after, put_back, recorded
from crossfade_steps.cluster.stage import Stage
from crossfade_steps.iteration import Turn, observed
from crossfade_steps.run import Stopped
from crossfade_steps.watching import LEAST_SECONDS, scrape_seconds

MOST_SECONDS = 10.0
"""How long the metrics of one look may take: a person's answer and an abort wait for it."""
ANSWERED_SECONDS = 60.0
"""How long an answer waits for a look that fails, before the run ends."""
KEPT = "gate"
"""The key of ``<run>`` with what the policy kept: overwritten, since a person may take a week."""


class Looks:
    """Looks at a winner that waits for its approval, and at its weights.

    There is one when the waiting begins, one a scrape (one an interval for a policy of bare
    values), and one after the answer.  A policy of counts goes on from its evidence: a whole
    interval is added to it, a look in between only asks whether a limit is proven to be broken by
    now.  ``done`` says that one was made after the answer.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._turn = _turn(stage)
        self._interval = stage.run.bundle.experiment.spec.duration.interval_seconds
        self._counts = policies.counts(stage.run.bundle.policy.name)
        often = max(scrape_seconds(stage.run), LEAST_SECONDS)
        self._every = often if self._counts else self._interval
        self._next, self._first = 0.0, True
        self._due = stage.run.clock.now() + self._interval
        self._failing = 0.0
        self._trouble: CrossfadeError | None = None
        self.done = self._turn is None

    def broken(self, *, answered: bool) -> str:
        """Return the sentence of an objective that the winner misses, empty for none or no look.

        Weights that somebody else set are put back.  Raises ``Stopped`` when that is no use, and
        when an answer has waited long for a look.
        """
        now = self._stage.run.clock.now()
        if self._turn is None or (now < self._next and not answered):
            return ""
        whole = now >= self._due
        due = whole or answered or self._first
        self._trouble = self._keep_weights() if due or self._trouble else None
        found = ""
        try:
            if due or self._counts:  # a bare value is judged once an interval
                found, self._first = self._missed(self._turn, whole=whole), False
            self._due += self._interval if whole else 0.0
        except (BackendError, SpecError) as error:  # the API's absence ends no run, nor a Secret's
            self._trouble = error
        if self._trouble is not None and not found:
            print(f"watch: {self._trouble}", flush=True)
            self._wait(self._trouble, answered=answered)
            return ""
        self._next, self._failing = max(self._next, now) + self._every, 0.0
        self.done = answered
        return found

    def _keep_weights(self) -> CrossfadeError | None:
        """Put weights back that somebody else set; return what kept them from being looked at."""
        assert self._turn is not None, "there is no look without an iteration"
        try:
            self._turn = _put_back(self._stage, self._turn)
        except (BackendError, SpecError) as error:  # the objectives are looked at all the same
            return error
        return None

    def _wait(self, error: CrossfadeError, *, answered: bool) -> None:
        """Look again soon; but a person's answer waits for no look that nobody can take."""
        now = self._stage.run.clock.now()
        self._next = now + min(self._every, MOST_SECONDS)
        self._failing = self._failing or (now if answered else 0.0)
        if answered and now - self._failing >= ANSWERED_SECONDS:
            raise Stopped(Outcome.FAILED, f"no last look before the promotion: {error}")

    def _missed(self, turn: Turn, *, whole: bool) -> str:
        run, budget = self._stage.run, min(self._every, MOST_SECONDS)
        seen = observed(run, turn, budget, newest=not whole)
        verdicts, state = _judged(self._stage, turn, seen)
        if whole:
            self._turn = replace(turn, progress=replace(turn.progress, state=state, disturbed=0.0))
            self._keep(turn.k, state)
        elif self._counts:  # a bare value is judged once an interval
            verdicts = [verdict for verdict in verdicts if verdict.sample_size is not None]
        return "; ".join(verdict.sentence for verdict in verdicts)

    def _keep(self, k: int, state: Mapping[str, Any]) -> None:
        try:
            kept = record.canonical({"iteration": k, "state": state})
            self._stage.store.write(**{KEPT: kept})
        except BackendError as error:  # the next interval's holds this one's, too
            print(f"watch: {error}", flush=True)


def _turn(stage: Stage) -> Turn | None:
    """Return the iteration that named the winner, with what a container before this one kept."""
    entries = stage.entries()
    started = record.last(entries, "started")
    if started is None or record.last(entries, "decision") is None:
        return None
    progress, _ = recorded(stage.run)
    kept = json.loads((stage.store.find() or {}).get(KEPT, "{}"))
    if kept.get("iteration") == progress.iterations:
        progress = replace(progress, state=kept["state"])
    return Turn(progress.iterations, float(started["start"]), progress)


def _put_back(stage: Stage, turn: Turn) -> Turn:
    progress = looked_after(stage.run, turn.progress)
    route, disturbed = put_back(stage.run, progress)
    progress = replace(
        progress, weights=dict(route.weights), drifts=progress.drifts + (disturbed > 0),
        disturbed=max(disturbed, progress.disturbed),
    )  # fmt: skip
    return replace(turn, progress=progress, sticky=route.sticky)


def _judged(stage: Stage, turn: Turn, seen: Observation) -> tuple[list[Verdict], Mapping[str, Any]]:
    """Return what the winner misses by that observation, and the policy's state after it."""
    bundle, decision = stage.run.bundle, turn.progress.decision
    policy, settings = policies.load(bundle.policy.name), policies.settings(bundle.policy)
    now, state = policy.decide(bundle.experiment, settings, seen, turn.state)
    winner = None if decision is None else decision.winner
    own = [verdict for verdict in now.verdicts if verdict.version == winner]
    return [verdict for verdict in own if verdict.judgement is Judgement.MISSED], state
