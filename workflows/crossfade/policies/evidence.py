"""Policy ``evidence``: promote what is proven better, roll back what is proven bad, at any look.

False promotion is at most ``alpha`` over the whole run, false rollback at most ``alpha_rollback``,
whatever the weights and the drift do and however often one looks (docs/policies.md has the
formulas).  Unknown never promotes; a bare value is judged as a point, several intervals in a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from crossfade.errors import Finding
from crossfade.evidence import judging
from crossfade.evidence.intervals import comparable, interval
from crossfade.evidence.limits import Plan, design, fitting, planned
from crossfade.evidence.notes import Note, NoteWord
from crossfade.evidence.rules import POINTS, Design, Interval, Rules
from crossfade.evidence.storing import restored, stored
from crossfade.evidence.thresholds import rollback_threshold
from crossfade.evidence.trial import absorb
from crossfade.evidence.words import Story
from crossfade.policies import State
from crossfade.spec.experiment import Experiment, qualified
from crossfade.verdict import Decision, Judgement, Observation, Outcome, judge

COUNTS = True
"""Iterations read increments of counts for this policy."""
RULES = 2
"""Raised by every change after which recorded readings may be decided otherwise."""
Settings = Rules
__all__ = ["COUNTS", "RULES", "Settings", "alarmed", "comparable", "decide", "informed", "unsafe"]


def decide(
    experiment: Experiment, settings: Rules, observation: Observation, state: State
) -> tuple[Decision, State]:
    """Return the decision of one iteration, and the trial's state."""
    plan = planned(experiment, observation.shapes)
    settings = fitting(settings, experiment, observation)
    what, names = design(experiment, plan), [v.name for v in experiment.versions]
    old = tuple(observation.weights[name] for name in names)
    streaks = _streaks(experiment, observation, plan, state.get("streaks", {}))
    trial = replace(restored(state.get("trial", {}), settings, what), weights=old)
    if observation.disturbed:  # rewards that come late are of nobody knows which split
        trial = replace(trial, steady=0)
    seen = _evidence(experiment, observation, plan, settings, streaks)
    judged = judging.observe(trial, seen, settings, what)
    if observation.disturbed and judged.outcome is None:
        judged = replace(judged, notes=(Note(NoteWord.DISTURBED),))
    story = Story(experiment, plan, judged.trial, settings, what, seen)
    after = {"trial": stored(judged.trial), "streaks": streaks,
             "until": _until(observation, seen, state)}  # fmt: skip
    return _decision(experiment, observation, judged, story, old), after


def _evidence(
    experiment: Experiment, observation: Observation, plan: Plan, settings: Rules,
    streaks: Mapping[str, int],
) -> Interval | None:  # fmt: skip
    """Return what an interval says, None where that is nothing: also under foreign weights."""
    if observation.disturbed:
        return None
    seen = interval(experiment, observation, plan, settings)
    if seen is None:
        return None
    names = [version.name for version in experiment.versions]
    also = tuple(tuple(weights[name] for name in names) for weights in observation.also)
    return replace(_with_points(seen, experiment, plan, streaks), also=also)


def _until(observation: Observation, seen: Interval | None, state: State) -> float:
    """Return the time up to which counters have been read into the evidence.

    What could not be read is read together with the next window: the weights were held, nothing of
    this one was kept, and ``max_blind`` of them in a row end the run.  But nothing is read of while
    somebody else set the weights.
    """
    read = seen is not None and seen.complete
    until = observation.until if read else state.get("until", 0.0)
    return max(until, observation.disturbed)


def _decision(
    experiment: Experiment, observation: Observation, judged: judging.Judged, story: Story,
    old: tuple[int, ...],
) -> Decision:  # fmt: skip
    """Return what was judged, by the names of the versions."""
    names, what = [version.name for version in experiment.versions], story.design
    winner = names[judged.winner] if judged.winner else None
    return Decision(
        iteration=observation.iteration,
        old=dict(zip(names, old, strict=True)),
        weights=dict(zip(names, _weights(judged, old, what), strict=True)),
        verdicts=story.verdicts(observation),
        best=() if winner is None else (winner,),
        winner=winner,
        reason=story.sentence(judged, old),
        outcome=_outcome(judged, what),
        rewards=_rewards(experiment, observation, what),
    )


def informed(experiment: Experiment, settings: Rules, observation: Observation) -> bool:
    """Return whether all is known of the baseline in this interval, and no candidate served.

    A candidate's requests before a run may be those of another model under the same name; so may
    those of a version that is tested alone.
    """
    plan = planned(experiment, observation.shapes)
    seen = interval(experiment, observation, plan, settings)
    if seen is None or not seen.complete or len(experiment.versions) == 1:
        return False
    return bool(seen.requests[0] > 0) and not seen.requests[1:].any()


def alarmed(
    experiment: Experiment, settings: Rules, observation: Observation, state: State
) -> bool:
    """Return whether every candidate that may still win breaks a limit, by the counts so far.

    The evidence of a limit grows request by request (F1), so a look inside an interval keeps the
    bound of the whole run; what is compared or shared is judged at the interval's end only.
    """
    plan = planned(experiment, observation.shapes)
    settings = fitting(settings, experiment, observation)
    seen, what = interval(experiment, observation, plan, settings), design(experiment, plan)
    if seen is None:
        return False
    before = restored(state.get("trial", {}), settings, what)
    after = absorb(before, replace(seen, reward=None), settings, what)
    failed = after.fails.evidence() >= rollback_threshold(settings, what)
    live = after.candidates() if after.winner is None else [after.winner]
    return bool(live) and all(bool(failed[i].any()) for i in live)


def unsafe(experiment: Experiment) -> tuple[Finding, ...]:
    """Return nothing: what this policy may do is bounded by its alphas."""
    return ()


def _outcome(judged: judging.Judged, what: Design) -> Outcome | None:
    """Return the outcome; a conformance test that passes keeps what serves."""
    if judged.outcome is Outcome.PROMOTED and what.versions == 1:
        return Outcome.KEPT
    return judged.outcome


def _weights(judged: judging.Judged, old: tuple[int, ...], what: Design) -> tuple[int, ...]:
    """Return the next weights; a promotion moves all traffic itself."""
    if not what.moves and judged.outcome is None:
        return old
    return old if judged.outcome is Outcome.PROMOTED else judged.trial.weights


def _rewards(experiment: Experiment, seen: Observation, what: Design) -> Mapping[str, float | None]:
    if not what.rewarded:
        return {}
    metric = qualified(experiment.spec.criteria.rewards[0].metric, experiment.namespace)
    return {v.name: seen.value(metric, v.name) for v in experiment.versions}


def _streaks(
    experiment: Experiment, seen: Observation, plan: Plan, before: Mapping[str, Any]
) -> dict[str, int]:
    """Return for how many intervals in a row each point has held (or, negative, been broken)."""
    found = {}
    for i in plan.points:
        objective = experiment.spec.criteria.objectives[i]
        key = qualified(objective.metric, experiment.namespace)
        for version in experiment.versions:
            name, own = version.name, f"{i}/{version.name}"
            verdict = judge(name, key, seen, lower=objective.lower_limit,
                            upper=objective.upper_limit)  # fmt: skip
            found[own] = _streak(int(before.get(own, 0)), verdict.judgement)
    return found


def _streak(before: int, judgement: Judgement) -> int:
    if judgement is Judgement.UNKNOWN:
        return 0
    step = 1 if judgement is Judgement.MET else -1
    return before + step if before * step > 0 else step


def _with_points(
    seen: Interval, experiment: Experiment, plan: Plan, streaks: Mapping[str, int]
) -> Interval:
    own = [[streaks[f"{i}/{version.name}"] for i in plan.points] for version in experiment.versions]
    held = tuple(all(streak >= POINTS for streak in row) for row in own)
    broken = tuple(any(streak <= -POINTS for streak in row) for row in own)
    return replace(seen, held=held, broken=broken)
