"""What a run did, from its record: all that the predecessor's ``iter8ctl describe`` told, and why.

Sections follow that command's; weights, elapsed time, samples, reasons and warnings are ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from crossfade import record
from crossfade.record import Entry
from crossfade.report.live import number, weights
from crossfade.spec.experiment import Experiment, qualified
from crossfade.verdict import Decision, Judgement, Observation, Verdict

WORDS = {Judgement.MET: "true", Judgement.MISSED: "false", Judgement.UNKNOWN: "unknown"}


def describe(entries: Sequence[Entry]) -> RenderableType:
    """Return the description of a run.  Raises ``SpecError`` for entries that are no record."""
    experiment, policy = record.read_header(entries)
    decisions = [record.read_decision(e) for e in record.of_type(entries, "decision")]
    parts: list[RenderableType] = [_overview(experiment, entries, policy.name)]
    parts.append(_progress(experiment, entries, decisions))
    if decisions:
        observation, decision, _ = decisions[-1]
        parts += [_winner(experiment, decision)]
        if decision.rewards:
            parts.append(_rewards(experiment, decision))
        if decision.verdicts:
            parts.append(_objectives(experiment, decision))
        parts.append(_metrics(experiment, observation, entries[0].get("units", {})))
        parts.append(_history(decisions))
        parts += _warnings(decisions)
    return Group(*parts)


def _heading(title: str, *lines: str) -> Text:
    return Text("\n".join([f"\n****** {title} ******", *lines]))


def _overview(experiment: Experiment, entries: Sequence[Entry], policy: str) -> Text:
    strategy = experiment.spec.strategy
    return _heading(
        "Overview",
        f"Run: {entries[0]['run']}",
        f"Experiment name: {experiment.name}",
        f"Experiment namespace: {experiment.namespace}",
        f"Target: {experiment.spec.target}",
        f"Testing pattern: {strategy.testing_pattern}",
        f"Deployment pattern: {strategy.deployment_pattern}",
        f"Policy: {policy}",
    )


def _done(count: int, planned: int) -> str:
    """Return how many iterations of those planned; a winner is watched past the last one."""
    past = f", and {count - planned} under watch" if count > planned else ""
    return f"{min(count, planned)} of {planned}{past}"


def _progress(experiment: Experiment, entries: Sequence[Entry], decisions: Sequence[Any]) -> Text:
    phase = record.last_phase(entries)
    ends = record.of_type(entries, "outcome")
    elapsed = decisions[-1][0].elapsed_seconds if decisions else 0
    now = weights_now(entries, decisions)
    lines = [
        f"Experiment stage: {'Completed' if ends else phase[0] if phase else 'starting'}",
        f"Number of completed iterations: {_done(len(decisions), experiment.iterations)}",
        f"Elapsed: {elapsed} s",
        f"Weights: {', '.join(f'{name} {value}' for name, value in now.items()) or 'not set yet'}",
    ]
    if ends:
        lines += [f"Outcome: {ends[-1]['outcome']}", f"Reason: {ends[-1]['sentence']}"]
    return _heading("Progress Summary", *lines)


def weights_now(entries: Sequence[Entry], decisions: Sequence[Any]) -> Mapping[str, int]:
    """Return the weights last known to be in force: settled, applied, or decided."""
    known = [e for e in entries if e["type"] in ("settled", "applied")]
    if known:
        return dict(known[-1]["weights"])
    return dict(decisions[-1][1].weights) if decisions else {}


def _winner(experiment: Experiment, decision: Decision) -> Text:
    names = " ".join(version.name for version in experiment.versions)
    baseline = experiment.versions[0].name
    return _heading(
        "Winner Assessment",
        f"App versions in this experiment: [{names}]",
        f"Winning version: {decision.winner or 'not found'}",
        f"Version recommended for promotion: {decision.winner or baseline}",
        f"Reason: {decision.reason}",
    )


def _grid(title: str, note: str, *columns: str) -> tuple[Group, Table]:
    grid = Table()
    for column in columns:
        grid.add_column(column, overflow="fold")
    return Group(_heading(title, f"> {note}"), grid), grid


def _versions(experiment: Experiment, cell: Callable[[str], str]) -> list[str]:
    return [cell(version.name) for version in experiment.versions]


def _names(experiment: Experiment) -> list[str]:
    return [version.name for version in experiment.versions]


def _rewards(experiment: Experiment, decision: Decision) -> RenderableType:
    reward = experiment.spec.criteria.rewards[0]
    direction = "higher" if reward.preferred_direction == "High" else "lower"
    part, grid = _grid(
        "Reward Assessment", "The best version is marked with '*'.", "Reward", *_names(experiment)
    )
    cells = _versions(
        experiment,
        lambda name: number(decision.rewards.get(name)) + (" *" if name in decision.best else ""),
    )
    grid.add_row(f"{reward.metric} ({direction} better)", *cells)
    return part


def _objectives(experiment: Experiment, decision: Decision) -> RenderableType:
    part, grid = _grid(
        "Objective Assessment",
        "Whether the most recent values satisfy the objectives; unknown is not satisfied.",
        "Objective",
        *_names(experiment),
    )
    for objective in experiment.spec.criteria.objectives:
        key = qualified(objective.metric, experiment.namespace)
        limits = objective.lower_limit, objective.upper_limit
        own = {v.version: v for v in decision.verdicts if v.judges(key, *limits)}
        lower = f"{objective.lower_limit:g} <= " if objective.lower_limit is not None else ""
        upper = f" <= {objective.upper_limit:g}" if objective.upper_limit is not None else ""
        label = f"{lower}{objective.metric}{upper}"
        grid.add_row(label, *_versions(experiment, lambda name, own=own: _verdict(own.get(name))))  # type: ignore[misc]
    return part


def _verdict(verdict: Verdict | None) -> str:
    if verdict is None:
        return WORDS[Judgement.UNKNOWN]
    size = "" if verdict.sample_size is None else f" (n={verdict.sample_size:.4g})"
    return WORDS[verdict.judgement] + size


def _metrics(
    experiment: Experiment, observation: Observation, units: Mapping[str, str]
) -> RenderableType:
    part, grid = _grid(
        "Metrics Assessment", "Most recently read values.", "Metric", *_names(experiment)
    )
    for key in observation.readings:
        label = f"{key} ({units[key]})" if units.get(key) else key
        cells = _versions(experiment, lambda name, key=key: _reading(observation, key, name))  # type: ignore[misc]
        grid.add_row(label, *cells)
    return part


def _reading(observation: Observation, key: str, version: str) -> str:
    value = observation.value(key, version)
    if value is None:
        return f"unavailable: {observation.reason(key, version)}"
    return f"{value:.3f}" if abs(value) >= 0.1 else f"{value:.4g}"


def _history(decisions: Sequence[tuple[Observation, Decision, Any]]) -> RenderableType:
    part, grid = _grid("History", "One row an iteration.", "it.", "elapsed", "weights", "reason")
    for observation, decision, _ in decisions:
        moved = f"{weights(decision.old)} -> {weights(decision.weights)}"
        elapsed = f"{observation.elapsed_seconds} s"
        grid.add_row(str(decision.iteration), elapsed, moved, decision.reason)
    return part


def _warnings(decisions: Sequence[tuple[Observation, Decision, Any]]) -> list[RenderableType]:
    observation, decision, _ = decisions[-1]
    texts = list(decision.warnings)
    for key, readings in observation.readings.items():
        for version, reading in readings.items():
            texts += [f"{key} of {version}: {warning}" for warning in reading.warnings]
    if not texts:
        return []
    return [_heading("Warnings", *(f"- {text}" for text in texts))]
