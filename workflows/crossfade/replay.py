"""Decide a recorded run again, from its record alone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crossfade import policies, record
from crossfade.reasons import as_held
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
        decided = as_ordered(as_held(decided, observation), observation)
        again = record.decision(observation, decided, state)
        results.append(_compared(entry, again))
    return results


def other_rules(entries: Sequence[Entry]) -> str:
    """Return what a record's decisions may differ by that is no fault; empty for nothing."""
    _, policy = record.read_header(entries)
    header = record.last(entries, "run") or {}
    then, now = int(header.get("rules", 1)), policies.rules(policy.name)
    if then == now:
        return ""
    return (f"recorded by rules {then} of policy {policy.name}, decided by rules {now}: they may "
            "differ")  # fmt: skip


def _compared(entry: Entry, again: Entry) -> Replayed:
    recorded, now = entry["decision"], json.loads(record.canonical(again))
    changed = (name for name, value in sorted(recorded.items())
               if _difference(name, value, now["decision"].get(name)))  # fmt: skip
    name = next(changed, None)
    if name is None:
        difference = _difference("state", entry["state"], now["state"])
    else:
        difference = _told(name, recorded[name], now["decision"].get(name))
    return Replayed(int(recorded["iteration"]), recorded, again["decision"], difference)


def _difference(name: str, recorded: Any, now: Any) -> str | None:
    """Return the first field that is not as recorded, with both values, None where all are.

    A field that the record lacks is no difference: a version without it has written it.
    """
    parts: Iterable[tuple[str, Any, Any]]
    if isinstance(recorded, Mapping) and isinstance(now, Mapping):
        parts = ((f"{name}.{key}", value, now.get(key)) for key, value in sorted(recorded.items()))
    elif isinstance(recorded, list) and isinstance(now, list) and len(recorded) == len(now):
        pairs = zip(recorded, now, strict=True)
        parts = ((f"{name}[{i}]", *pair) for i, pair in enumerate(pairs))
    else:
        return None if recorded == now else _told(name, recorded, now)
    return next(filter(None, (_difference(*part) for part in parts)), None)


def _told(name: str, recorded: Any, now: Any) -> str:
    return f"{name}: recorded {recorded!r}, now {now!r}"
