"""The sentence that says why a decision is what it is, with its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from crossfade.spec.experiment import Experiment
from crossfade.verdict import Decision, Judgement, Observation, Outcome, Verdict


def reason_for(experiment: Experiment, decision: Decision) -> Decision:
    """Return the decision with its reason: what was found, and what is done about it."""
    return replace(decision, reason=f"{_finding(experiment, decision)}; {_action(decision)}")


def as_held(decision: Decision, seen: Observation) -> Decision:
    """Return the decision without what an outage must not do: move weights, or promote.

    The policy's own word counts where it does neither.
    """
    if not seen.silent or decision.outcome not in (None, Outcome.INCONCLUSIVE, Outcome.PROMOTED):
        return decision
    if decision.outcome is Outcome.INCONCLUSIVE and max(decision.weights.values()) == 100:
        return decision  # the time is up, and the baseline has it all
    held = replace(decision, weights=decision.old)
    if decision.outcome is Outcome.PROMOTED:
        held = replace(held, best=(), winner=None, outcome=Outcome.INCONCLUSIVE)
    if dict(held.weights) == dict(decision.weights) and held.outcome is decision.outcome:
        return decision
    unread = next(f"{metric} of {version}: {reading.reason}"  # sorted, as a record keeps them
                  for metric, own in sorted(seen.readings.items())
                  for version, reading in sorted(own.items()))  # fmt: skip
    return replace(held, reason=f"no metric could be read ({unread}); {_action(held)}")


def _finding(experiment: Experiment, decision: Decision) -> str:
    if decision.outcome is Outcome.ROLLED_BACK:
        return _worst(decision.verdicts, Judgement.MISSED) or "an objective is missed"
    if decision.winner is not None:
        return f"{decision.winner} is best{_reward(experiment, decision)}{_objectives(decision)}"
    if len(decision.best) > 1:
        return f"{' and '.join(decision.best)} tie{_reward(experiment, decision)}"
    missed = _worst(decision.verdicts, Judgement.MISSED)
    unknown = _worst(decision.verdicts, Judgement.UNKNOWN)
    return missed or unknown or "no version has a known reward"


def _worst(verdicts: tuple[Verdict, ...], judgement: Judgement) -> str:
    return next((v.sentence for v in verdicts if v.judgement is judgement), "")


def _reward(experiment: Experiment, decision: Decision) -> str:
    rewards = experiment.spec.criteria.rewards
    if not rewards or not decision.rewards:
        return ""
    values = ", ".join(f"{name} {_number(value)}" for name, value in decision.rewards.items())
    return f" by {rewards[0].metric} ({rewards[0].preferred_direction} is better: {values})"


def _objectives(decision: Decision) -> str:
    own = [v for v in decision.verdicts if v.version == decision.winner]
    if not own:
        return ", with no objectives"
    return f", {sum(v.judgement is Judgement.MET for v in own)} of {len(own)} objectives met"


def _action(decision: Decision) -> str:
    if decision.outcome is Outcome.PROMOTED:
        return f"promote {decision.winner}"
    if decision.outcome is Outcome.ROLLED_BACK:
        return "all traffic back to the baseline"
    if decision.outcome is Outcome.KEPT:
        return "the baseline stays"
    if decision.outcome is Outcome.INCONCLUSIVE:
        return "no winner after the last iteration, the baseline stays"
    if dict(decision.old) == dict(decision.weights):
        return f"weights stay at {weights_text(decision.weights)}"
    return f"weights {weights_text(decision.old)} -> {weights_text(decision.weights)}"


def weights_text(weights: Mapping[str, int]) -> str:
    """Return ``90/10``, the baseline first."""
    return "/".join(str(weight) for weight in weights.values())


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4g}"
