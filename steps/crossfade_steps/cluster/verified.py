"""The last look at a promotion: only when it is recorded as passed may the winner's copy go.

The step ``verify`` takes it; where that step died (its memory, a termination), whoever ends the run
takes it instead.  What it found is recorded once, and who goes back does so from the record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crossfade import record
from crossfade.errors import BackendError
from crossfade.verdict import Outcome
from crossfade_steps import promote
from crossfade_steps.cluster.stage import Stage
from crossfade_steps.safety import Phase, enter

ENDING_SECONDS = 20.0
"""How long who ends a run waits for good answers: the promotion had them when it was done."""
Entries = Sequence[Mapping[str, Any]]


def plan_of(stage: Stage, entries: Entries) -> promote.Plan:
    """Return the plan from what was recorded before anything was promoted.

    Raises ``BackendError`` where nothing was.
    """
    decision, deployed = record.last(entries, "decision"), record.last(entries, "deployed")
    if decision is None or deployed is None:
        raise BackendError("nothing was decided or deployed, so nothing can be promoted")
    hosts = {version: (host, int(port)) for version, (host, port) in deployed["hosts"].items()}
    objects = {version: tuple(names) for version, names in deployed["objects"].items()}
    return promote.plan_promotion(stage.run, str(decision["decision"]["winner"]), hosts, objects)


def look_once_more(stage: Stage, plan: promote.Plan, timeout_seconds: float = 60.0) -> Entries:
    """Ask users' way in, and return the record with how the promotion ends by that.

    A look that fails, for whatever reason, gives the traffic to the winner's own copy, which had it
    before: those are the safe weights from then on.  Raises ``BackendError`` when it cannot be
    recorded.
    """
    winner, entries = plan.winner, stage.entries()
    try:
        promote.prove_gateway(stage.run, plan, model="", timeout_seconds=timeout_seconds)
    except Exception as error:  # also a mistake of ours: not verified is not verified
        text = f"{winner} won but its promotion was not verified: {error}; its own copy " \
               "serves all traffic"  # fmt: skip
        ending = record.concluded(Outcome.PROMOTION_FAILED, text, winner)
    else:
        decision = record.last(entries, "decision")
        reason = decision["decision"]["reason"] if decision is not None else ""
        text = f"{winner} serves all traffic: {reason}"
        ending = record.concluded(Outcome.PROMOTED, text, winner)
    stage.store.append_once(ending)  # of two that look at the same time, the first one's counts
    return going_back(stage, stage.entries())


def going_back(stage: Stage, entries: Entries) -> Entries:
    """Return the record; where the last look failed, the winner's own copy is the safe one in it.

    That it failed is recorded first, so that whoever looked with another result does not undo it.
    """
    last, concluded = record.last_phase(entries), record.last(entries, "concluded")
    if last is None or last[0] != Phase.VERIFIED or concluded is None:
        return entries
    if Outcome(concluded["outcome"]) is not Outcome.PROMOTION_FAILED:
        return entries
    enter(stage.run, Phase.PROMOTING, stage.run.only(concluded["winner"]))
    return stage.entries()


def ending(stage: Stage, entries: Entries) -> Entries:
    """Return the record of a run that is to end, with the last look that it may lack."""
    last = record.last_phase(entries)
    if last is None or last[0] != Phase.VERIFIED:
        return entries
    if record.last(entries, "concluded") is None:
        return look_once_more(stage, plan_of(stage, entries), ENDING_SECONDS)
    return going_back(stage, entries)
