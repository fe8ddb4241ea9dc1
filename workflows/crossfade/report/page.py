"""A run's report as one HTML page: no script, no request to anywhere, every text escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from crossfade import record
from crossfade.record import Entry
from crossfade.report.live import number
from crossfade.report.live import weights as joined
from crossfade.spec.experiment import Experiment, qualified
from crossfade.verdict import Decision, Observation

WIDTH, HEIGHT = 640, 160
MOST_ROWS = 500
"""Iterations shown in the table: a longer run shows its first and its last ones."""
PASSED_OVER = ("run", "created", "deployed", "decision", "applied", "outcome")


@dataclass(frozen=True, slots=True)
class Row:
    """One iteration as text; ``judged`` has a word and a sentence for each objective."""

    iteration: int
    elapsed: str
    weights: str
    reason: str
    at: str


def page(entries: Sequence[Entry]) -> str:
    """Return the report of a run so far.  Raises ``SpecError`` for entries that are no record."""
    experiment, policy = record.read_header(entries)
    decided = record.of_type(entries, "decision")
    last = record.read_decision(decided[-1]) if decided else None
    return template("report.html").render(
        experiment=experiment,
        policy=policy.name,
        run=entries[0]["run"],
        digest=entries[0]["digest"],
        begun=_time(entries[0].get("at")),
        outcome=record.last(entries, "outcome"),
        phase=record.last_phase(entries),
        names=[version.name for version in experiment.versions],
        lines=_lines(experiment, entries),
        rows=_rows(decided),
        left_out=max(0, len(decided) - MOST_ROWS),
        objectives=_objectives(experiment, last[1]) if last else [],
        rewards=_rewards(experiment, last[1]) if last else None,
        metrics=_metrics(last[0], entries[0].get("units", {})) if last else [],
        news=[_news(entry) for entry in entries if entry["type"] not in PASSED_OVER],
        width=WIDTH,
        height=HEIGHT,
    )


@cache
def template(name: str) -> Template:
    """Return a page's template: every text is escaped, and a missing value is an error."""
    loader = PackageLoader("crossfade.report", "templates")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined,
                              trim_blocks=True, lstrip_blocks=True)  # fmt: skip
    return environment.get_template(name)


def _time(value: Any) -> str:
    if value is None:
        return ""
    return datetime.fromtimestamp(float(value), UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _lines(experiment: Experiment, entries: Sequence[Entry]) -> list[tuple[str, str]]:
    """Return each version's weights in force over the iterations, as points of a polyline."""
    applied = record.of_type(entries, "applied")
    count = max(1, len(applied))
    found = []
    for version in experiment.versions:
        old = record.of_type(entries, "decision")[:1]
        first = old[0]["decision"]["old"].get(version.name, 0) if old else 0
        values = [first, *(entry["weights"].get(version.name, 0) for entry in applied)]
        points = [f"{WIDTH * i / count:.1f},{HEIGHT * (1 - value / 100):.1f}"
                  for i, value in enumerate(values)]  # fmt: skip
        found.append((version.name, " ".join(points)))
    return found


def _rows(decided: Sequence[Entry]) -> list[Row]:
    shown = decided
    if len(decided) > MOST_ROWS:
        shown = [*decided[: MOST_ROWS // 2], *decided[-MOST_ROWS // 2 :]]
    rows = []
    for entry in shown:
        observation, decision, _ = record.read_decision(entry)
        moved = f"{joined(decision.old)} \u2192 {joined(decision.weights)}"
        elapsed = f"{observation.elapsed_seconds} s"
        rows.append(Row(decision.iteration, elapsed, moved, decision.reason,
                        _time(entry.get("at"))))  # fmt: skip
    return rows


def _objectives(experiment: Experiment, decision: Decision) -> list[dict[str, Any]]:
    found = []
    for objective in experiment.spec.criteria.objectives:
        key = qualified(objective.metric, experiment.namespace)
        limits = objective.lower_limit, objective.upper_limit
        own = {v.version: v for v in decision.verdicts if v.judges(key, *limits)}
        lower = f"{objective.lower_limit:g} \u2264 " if objective.lower_limit is not None else ""
        upper = f" \u2264 {objective.upper_limit:g}" if objective.upper_limit is not None else ""
        cells = [own.get(version.name) for version in experiment.versions]
        found.append({"label": f"{lower}{objective.metric}{upper}", "cells": cells})
    return found


def _rewards(experiment: Experiment, decision: Decision) -> dict[str, Any] | None:
    if not experiment.spec.criteria.rewards:
        return None
    reward = experiment.spec.criteria.rewards[0]
    cells = [(number(decision.rewards.get(v.name)), v.name in decision.best)
             for v in experiment.versions]  # fmt: skip
    better = "higher" if reward.preferred_direction == "High" else "lower"
    return {"label": f"{reward.metric} ({better} is better)", "cells": cells}


def _metrics(observation: Observation, units: Mapping[str, str]) -> list[dict[str, Any]]:
    found = []
    for key, readings in observation.readings.items():
        label = f"{key} ({units[key]})" if units.get(key) else key
        query = next((r.query for r in readings.values() if r.query), "")
        found.append({"label": label, "readings": readings, "query": query})
    return found


def _news(entry: Entry) -> tuple[str, str]:
    """Return what happened beside the iterations, as a word and a sentence."""
    kind = str(entry["type"])
    if kind == "phase":
        safe = joined(entry["safe"]) or "as promoted"
        return kind, f"{entry['phase']}: safe weights {safe}"
    if kind == "put-back":
        return kind, f"found {joined(entry['found'])}, set {joined(entry['weights'])} again"
    if kind in ("paused", "late"):
        why = "held" if kind == "paused" else "nobody was there"
        return kind, f"{why} for {entry['seconds']:g} s: the schedule moved"
    if kind == "settled":
        return kind, f"weights at the end: {joined(entry['weights'])}"
    if kind == "started":
        return kind, _time(entry["start"])
    text = entry.get("sentence") or entry.get("reason") or entry.get("outcome") or ""
    return kind, str(text)
