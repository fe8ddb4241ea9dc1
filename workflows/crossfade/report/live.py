"""What a run shows while it goes on: one row an iteration, from the record's entries so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table
from rich.text import Text

from crossfade import record
from crossfade.record import Entry
from crossfade.spec.experiment import Experiment
from crossfade.verdict import Decision, Judgement, Observation, Verdict

MARKS = {Judgement.MET: "ok", Judgement.MISSED: "MISSED", Judgement.UNKNOWN: "?"}


def table(entries: Sequence[Entry], newest: int | None = None) -> Table:
    """Return the table of the iterations so far, of the newest ones only where a number says so."""
    experiment, _ = record.read_header(entries)
    grid = Table(title=_title(experiment, entries), title_justify="left", show_lines=False)
    grid.add_column("it.", justify="right")
    grid.add_column("weights", justify="center")
    for version in experiment.versions:
        grid.add_column(version.name)
    grid.add_column("reason", overflow="fold")
    decided = record.of_type(entries, "decision")
    for entry in decided if newest is None else decided[-newest:]:
        observation, decision, _ = record.read_decision(entry)
        cells = [_cell(experiment, observation, decision, v.name) for v in experiment.versions]
        grid.add_row(str(decision.iteration), weights(decision.weights), *cells, decision.reason)
    return grid


def brief(entries: Sequence[Entry]) -> Text:
    """Return how far a run has come and its last reason, for a screen without room for a table."""
    experiment, _ = record.read_header(entries)
    decided = record.last(entries, "decision")
    reason = [] if decided is None else [record.read_decision(decided)[1].reason]
    return Text("\n".join([_title(experiment, entries), *reason]), overflow="fold", no_wrap=False)


def line(entries: Sequence[Entry]) -> str | None:
    """Return the newest entry in one line for a log, None when it has nothing to tell."""
    entry = entries[-1]
    if entry["type"] == "phase":
        return f"phase {entry['phase']}: safe weights {weights(entry['safe']) or 'as promoted'}"
    if entry["type"] == "decision":
        experiment, _ = record.read_header(entries)
        _, decision, _ = record.read_decision(entry)
        return f"iteration {decision.iteration}/{experiment.iterations}: {decision.reason}"
    if entry["type"] == "not-applied":
        return f"iteration {entry['iteration']}: {not_as_decided(entry)}"
    return None


def not_as_decided(entry: Entry) -> str:
    """Return why weights were not written as decided, and what is in force instead."""
    found = entry.get("weights")
    known = f"{weights(found)} are in force" if found else "it is not known which are in force"
    return f"weights not written as decided, {known}: {entry['reason']}"


def weights(values: Mapping[str, int]) -> str:
    """Return ``90/10``, the baseline first."""
    return "/".join(str(value) for value in values.values())


def _title(experiment: Experiment, entries: Sequence[Entry]) -> str:
    done = len(record.of_type(entries, "decision"))
    phase = record.last_phase(entries)
    return (
        f"{experiment.name}: {phase[0] if phase else 'starting'}, "
        f"iteration {done}/{experiment.iterations}"
    )


def _cell(
    experiment: Experiment, observation: Observation, decision: Decision, version: str
) -> str:
    own = [verdict for verdict in decision.verdicts if verdict.version == version]
    lines = [f"{_short(v)} {number(v.value)} {MARKS[v.judgement]}" for v in own]
    if decision.rewards:
        star = " *" if version in decision.best else ""
        lines.append(f"reward {number(decision.rewards[version])}{star}")
    return "\n".join(lines)


def _short(verdict: Verdict) -> str:
    return verdict.metric.partition("/")[2]


def number(value: float | None) -> str:
    """Return a value to four digits; an unknown one is no number."""
    return "-" if value is None else f"{value:.4g}"
