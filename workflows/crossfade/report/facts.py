"""What a run did, for programs: the same as ``describe`` tells a person.

The keys are always there; what is not known is null, with its reason beside it where there is one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from crossfade import record
from crossfade.record import Entry
from crossfade.report.describe import weights_now
from crossfade.spec.experiment import Experiment, qualified
from crossfade.verdict import Decision, Judgement, Observation, Verdict

Facts = dict[str, Any]


def facts(entries: Sequence[Entry]) -> Facts:
    """Return the description of a run as JSON can hold it.

    Raises ``SpecError`` for entries that are no record.
    """
    experiment, policy = record.read_header(entries)
    decisions = [record.read_decision(e) for e in record.of_type(entries, "decision")]
    observation, decision = decisions[-1][:2] if decisions else (None, None)
    return {
        "run": entries[0]["run"],
        **_experiment(experiment),
        "policy": policy.name,
        **_progress(experiment, entries, len(decisions)),
        "elapsed_seconds": observation.elapsed_seconds if observation else None,
        "weights": dict(weights_now(entries, decisions)) or None,
        **_end(entries, decision),
        "reward": _reward(experiment, decision),
        "objectives": _objectives(experiment, decision),
        "metrics": _metrics(experiment, observation, entries[0].get("units") or {}),
        "history": [_step(seen, made) for seen, made, _ in decisions],
        "warnings": _warnings(observation, decision),
    }


def _experiment(experiment: Experiment) -> Facts:
    strategy = experiment.spec.strategy
    return {
        "experiment": experiment.name,
        "namespace": experiment.namespace,
        "target": experiment.spec.target,
        "testing_pattern": str(strategy.testing_pattern),
        "deployment_pattern": str(strategy.deployment_pattern),
        "versions": _names(experiment),
    }


def _progress(experiment: Experiment, entries: Sequence[Entry], done: int) -> Facts:
    phase = record.last_phase(entries)
    return {
        "phase": phase[0] if phase else None,
        "completed": bool(record.of_type(entries, "outcome")),
        "iterations": done,
        "planned_iterations": experiment.iterations,
    }


def _end(entries: Sequence[Entry], decision: Decision | None) -> Facts:
    """Return the outcome, and who would win: by the outcome where there is one, else for now."""
    end = record.last(entries, "outcome")
    last = decision.reason if decision else None
    winner = decision.winner if decision else None
    return {
        "outcome": end["outcome"] if end else None,
        "winner": end["winner"] or None if end else winner,
        "sentence": end["sentence"] if end else last,
    }


def _reward(experiment: Experiment, decision: Decision | None) -> Facts | None:
    if not experiment.spec.criteria.rewards:
        return None
    reward = experiment.spec.criteria.rewards[0]
    known = decision.rewards if decision else {}
    return {
        "metric": reward.metric,
        "preferred_direction": str(reward.preferred_direction),
        "values": {name: _number(known.get(name)) for name in _names(experiment)},
        "best": list(decision.best) if decision else [],
    }


def _objectives(experiment: Experiment, decision: Decision | None) -> list[Facts]:
    verdicts = decision.verdicts if decision else ()
    found = []
    for objective in experiment.spec.criteria.objectives:
        key = qualified(objective.metric, experiment.namespace)
        limits = objective.lower_limit, objective.upper_limit
        own = {v.version: v for v in verdicts if v.judges(key, *limits)}
        found.append({
            "metric": key,
            "lower_limit": limits[0],
            "upper_limit": limits[1],
            "verdicts": {name: _verdict(own.get(name)) for name in _names(experiment)},
        })  # fmt: skip
    return found


def _verdict(verdict: Verdict | None) -> Facts:
    if verdict is None:
        return {"judgement": str(Judgement.UNKNOWN), "value": None, "sample_size": None,
                "window_seconds": None, "sentence": None}  # fmt: skip
    return {
        "judgement": str(verdict.judgement),
        "value": _number(verdict.value),
        "sample_size": _number(verdict.sample_size),
        "window_seconds": verdict.window_seconds,
        "sentence": verdict.sentence,
    }


def _metrics(
    experiment: Experiment, observation: Observation | None, units: Mapping[str, str]
) -> Facts:
    if observation is None:
        return {}
    found = {}
    for key in observation.readings:
        values = {
            name: {"value": _number(value := observation.value(key, name)),
                   "reason": None if value is not None else observation.reason(key, name)}
            for name in _names(experiment)
        }  # fmt: skip
        found[key] = {"units": units.get(key), "values": values}
    return found


def _step(observation: Observation, decision: Decision) -> Facts:
    return {
        "iteration": decision.iteration,
        "elapsed_seconds": observation.elapsed_seconds,
        "old_weights": dict(decision.old),
        "weights": dict(decision.weights),
        "reason": decision.reason,
    }


def _warnings(observation: Observation | None, decision: Decision | None) -> list[str]:
    if observation is None or decision is None:
        return []
    read = [f"{key} of {version}: {warning}" for key, readings in observation.readings.items()
            for version, reading in readings.items() for warning in reading.warnings]  # fmt: skip
    return [*decision.warnings, *read]


def _names(experiment: Experiment) -> list[str]:
    return [version.name for version in experiment.versions]


def _number(value: float | None) -> float | None:
    """Return a number as JSON has it; what is none, as NaN, is not known."""
    return value if value is not None and math.isfinite(value) else None
