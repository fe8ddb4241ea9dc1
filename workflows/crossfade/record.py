"""A run's record: plain JSON-compatible entries that replay to the same decisions.

Entries, in order: ``run`` (what was asked), ``phase`` (before each phase begins), ``created`` and
``deployed``, ``started``, then ``decision`` and ``applied`` for each iteration (``put-back`` and
``paused`` between them), then ``concluded``, ``settled`` and ``outcome`` at the end; ``trouble``
wherever a step gave up.  ``at`` says when, where it matters.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from crossfade import policies
from crossfade.errors import SpecError
from crossfade.spec.experiment import Experiment
from crossfade.spec.rollout import Bundle, Policy
from crossfade.verdict import Decision, Observation, Outcome

Entry = Mapping[str, Any]
FORMAT = 1

_OBSERVATION = TypeAdapter(Observation)
_DECISION = TypeAdapter(Decision)


def header(run: str, bundle: Bundle, now: float) -> dict[str, Any]:
    """Return the first entry: everything a replay needs (``now`` in seconds since the epoch).

    That is also what the experiment leaves unsaid: a policy has other rules where it does.
    """
    return {
        "type": "run",
        "format": FORMAT,
        "run": run,
        "digest": bundle.digest,
        "at": round(now, 3),
        "experiment": bundle.experiment.model_dump(mode="json", by_alias=True, exclude_unset=True),
        "units": {key: m.spec.units for key, m in bundle.metrics.items() if m.spec.units},
        "policy": bundle.policy.model_dump(mode="json"),
        "rules": policies.rules(bundle.policy.name),
    }


def phase(name: str, safe: Mapping[str, int]) -> dict[str, Any]:
    """Return the entry that says which weights are safe from here on."""
    return {"type": "phase", "phase": name, "safe": dict(safe)}


def started(start: float) -> dict[str, Any]:
    """Return the entry with the time that all iterations are counted from."""
    return {"type": "started", "start": round(start, 3)}


def decision(
    observation: Observation, decided: Decision, state: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the entry of one iteration's decision, recorded before anything is written."""
    return {
        "type": "decision",
        "observation": _OBSERVATION.dump_python(observation, mode="json"),
        "decision": _DECISION.dump_python(decided, mode="json"),
        "state": dict(state),
    }


def applied(iteration: int, weights: Mapping[str, int]) -> dict[str, Any]:
    """Return the entry that says the weights were read back as decided."""
    return {"type": "applied", "iteration": iteration, "weights": dict(weights)}


def not_applied(
    iteration: int,
    reason: str,
    weights: Mapping[str, int] | None,
    tried: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """Return the entry that says the weights are not as decided, and what is in force instead.

    Without ``weights`` that is not known: those from before, or the ``tried`` ones.
    """
    return {"type": "not-applied", "iteration": iteration, "reason": reason,
            "weights": None if weights is None else dict(weights),
            "tried": None if tried is None else dict(tried)}  # fmt: skip


def created(name: str, uid: str) -> dict[str, Any]:
    """Return the entry that says this run made an object (``Kind/namespace/name``)."""
    return {"type": "created", "name": name, "uid": uid}


def deployed(
    objects: Mapping[str, Sequence[str]],
    hosts: Mapping[str, tuple[str, int]],
    notes: Sequence[str] = (),
    identities: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the entry with each version's objects and destination before any promotion.

    ``identities`` are what the destinations are known by in their routing objects.
    """
    return {
        "type": "deployed",
        "objects": {version: list(names) for version, names in objects.items()},
        "hosts": {version: list(host) for version, host in hosts.items()},
        "notes": list(notes),
        "identities": dict(identities or {}),
    }


def replaced(group: str, name: str, spec: Any) -> dict[str, Any]:
    """Return the entry with a routing object's spec (``Kind/namespace/name``) before promotion."""
    return {"type": "replaced", "group": group, "name": name, "spec": spec}


def put_back(found: Mapping[str, int], weights: Mapping[str, int]) -> dict[str, Any]:
    """Return the entry that says somebody else's weights were replaced by the decided ones."""
    return {"type": "put-back", "found": dict(found), "weights": dict(weights)}


def paused(seconds: float) -> dict[str, Any]:
    """Return the entry that says how long the schedule was held back."""
    return {"type": "paused", "seconds": round(seconds, 3)}


def late(seconds: float) -> dict[str, Any]:
    """Return the entry that says how far the schedule moved since nobody was there."""
    return {"type": "late", "seconds": round(seconds, 3)}


def trouble(step: str, sentence: str) -> dict[str, Any]:
    """Return the entry with the reason why a step gave up."""
    return {"type": "trouble", "step": step, "sentence": sentence}


def concluded(value: Outcome, sentence: str, winner: str | None) -> dict[str, Any]:
    """Return the entry that says how the run is to end; the outcome follows when it is settled."""
    return {"type": "concluded", "outcome": value.value, "sentence": sentence, "winner": winner}


def settled(weights: Mapping[str, int]) -> dict[str, Any]:
    """Return the entry with the weights that the run left behind, read back at its end."""
    return {"type": "settled", "weights": dict(weights)}


def outcome(value: Outcome, sentence: str, winner: str | None) -> dict[str, Any]:
    """Return the last entry."""
    return {"type": "outcome", "outcome": value.value, "sentence": sentence, "winner": winner}


def at(entry: Entry, now: float) -> dict[str, Any]:
    """Return the entry with the time it was made at (seconds since the epoch)."""
    return {**entry, "at": round(now, 3)}


def canonical(entry: Entry) -> str:
    """Return the entry as one line of JSON: sorted keys, ASCII only, no NaN."""
    return json.dumps(entry, sort_keys=True, separators=(",", ":"), allow_nan=False)


def of_type(entries: Iterable[Entry], kind: str) -> list[Entry]:
    """Return the entries of one type, in order."""
    return [entry for entry in entries if entry.get("type") == kind]


def read_header(entries: Sequence[Entry]) -> tuple[Experiment, Policy]:
    """Return what the run was asked to do.  Raises ``SpecError`` for a record without it."""
    first = entries[0] if entries else {}
    if first.get("type") != "run" or first.get("format") != FORMAT:
        raise SpecError(
            f"not a record that this version reads: it begins with {first.get('type')!r} of "
            f"format {first.get('format')!r}, expected 'run' of format {FORMAT}"
        )
    try:
        experiment = Experiment.model_validate(first["experiment"])
        return experiment, Policy.model_validate(first["policy"])
    except (KeyError, ValidationError) as error:
        raise SpecError(f"the record's beginning is damaged: {error}") from error


def read_decision(entry: Entry) -> tuple[Observation, Decision, dict[str, Any]]:
    """Return the values of a ``decision`` entry."""
    return (
        _OBSERVATION.validate_python(entry["observation"]),
        _DECISION.validate_python(entry["decision"]),
        dict(entry["state"]),
    )


def last(entries: Iterable[Entry], kind: str) -> Entry | None:
    """Return the last entry of one type, None without any."""
    found = of_type(entries, kind)
    return found[-1] if found else None


def last_phase(entries: Iterable[Entry]) -> tuple[str, Mapping[str, int]] | None:
    """Return the phase last entered with its safe weights, None before any."""
    phases = of_type(entries, "phase")
    return (phases[-1]["phase"], phases[-1]["safe"]) if phases else None
