"""Decide a recorded run again, from its record alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crossfade import policies, record
from crossfade.record import Entry
from crossfade.verdict import as_ordered


@dataclass(frozen=True, slots=True)
class Replayed:
    """One decision made again; ``difference`` names the first field that is not the same."""

    iteration: int
    recorded: Mapping[str, Any]
    again: Mapping[str, Any]
    difference: str | None


def replay(entries: Sequence[Entry], *, policy: str | None = None) -> list[Replayed]:
    """Return every decision made again from the recorded observations.

    ``policy`` decides by another rule than the recorded one; its state starts empty.  Raises
    ``SpecError`` for a record without a header.
    """
    experiment, chosen = record.read_header(entries)
    if policy is not None and policy != chosen.name:
        chosen = type(chosen)(name=policy)
    rule = policies.load(chosen.name)
    settings = policies.settings(chosen)
    state: Mapping[str, Any] = {}
    results = []
    for entry in record.of_type(entries, "decision"):
        observation, _, _ = record.read_decision(entry)
        decided, state = rule.decide(experiment, settings, observation, state)
        decided = as_ordered(decided, observation)
        again = record.decision(observation, decided, state)
        results.append(_compared(entry, again))
    return results


def _compared(entry: Entry, again: Entry) -> Replayed:
    recorded, decided = entry["decision"], again["decision"]
    difference = None
    timeless = {key: value for key, value in entry.items() if key != "at"}
    if record.canonical(timeless) != record.canonical(again):
        keys = sorted(set(recorded) | set(decided))
        changed = [key for key in keys if recorded.get(key) != decided.get(key)]
        name = changed[0] if changed else "state"
        difference = f"{name}: recorded {recorded.get(name)!r}, now {decided.get(name)!r}"
    return Replayed(int(recorded["iteration"]), recorded, decided, difference)
