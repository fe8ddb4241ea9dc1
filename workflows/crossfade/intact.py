"""Is a record as it was written?  Whoever shows or replays one asks first, entry by entry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from pydantic import StrictFloat, StrictInt, TypeAdapter, ValidationError

from crossfade import record
from crossfade.errors import SpecError
from crossfade.record import Entry
from crossfade.spec.experiment import Experiment
from crossfade.spec.rollout import Policy
from crossfade.verdict import Decision, Observation, Outcome

_WEIGHTS = TypeAdapter(dict[str, StrictInt])
_SECONDS = TypeAdapter(StrictFloat)
_WHOLE = TypeAdapter(StrictInt)
_TEXT = TypeAdapter(str)
_END: dict[str, TypeAdapter[Any]] = {
    "outcome": TypeAdapter(Outcome), "sentence": _TEXT, "winner": TypeAdapter(str | None),
}  # fmt: skip
_FIELDS: dict[str, dict[str, TypeAdapter[Any]]] = {
    "run": {"run": _TEXT, "digest": _TEXT, "experiment": TypeAdapter(Experiment),
            "policy": TypeAdapter(Policy)},
    "phase": {"phase": _TEXT, "safe": _WEIGHTS},
    "started": {"start": _SECONDS},
    "decision": {"observation": TypeAdapter(Observation), "decision": TypeAdapter(Decision),
                 "state": TypeAdapter(dict[str, Any])},
    "applied": {"iteration": _WHOLE, "weights": _WEIGHTS},
    "not-applied": {"iteration": _WHOLE, "reason": _TEXT},
    "put-back": {"found": _WEIGHTS, "weights": _WEIGHTS},
    "paused": {"seconds": _SECONDS},
    "late": {"seconds": _SECONDS},
    "trouble": {"step": _TEXT, "sentence": _TEXT},
    "settled": {"weights": _WEIGHTS},
    "concluded": _END,
    "outcome": _END,
}  # fmt: skip
"""What the readers of an entry rely on, by its type; other types are shown as they are."""
_IF_KNOWN: TypeAdapter[Any] = TypeAdapter(dict[str, StrictInt] | None)
_IF_THERE: dict[str, TypeAdapter[Any]] = {
    "at": TypeAdapter(StrictFloat | None), "units": TypeAdapter(dict[str, str]),
    "weights": _IF_KNOWN, "tried": _IF_KNOWN,
}  # fmt: skip


def check(entries: Sequence[Entry], name: str) -> None:
    """Raise ``SpecError`` with the record's name and the line of the first damaged entry.

    An entry is a line.  What is no record at all, or of another format, is for
    ``record.read_header`` to say.
    """
    if not entries or entries[0].get("format") != record.FORMAT:
        return
    for number, entry in enumerate(entries, start=1):
        problem = _problem(entry)
        if problem:
            raise SpecError(
                f"{name}:{number}: damaged entry {entry.get('type')}: {problem}",
                hint="a record is written once and never changed: look for another copy of it",
            )


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Turn what fails over entries that do not fit each other into a ``SpecError``."""
    try:
        yield
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise SpecError(f"{name}: damaged: its entries do not fit each other: {reason}") from error


def _problem(entry: Entry) -> str:
    """Return the first field that is missing or no value of its kind, empty when all is well."""
    needed = _FIELDS.get(str(entry.get("type")), {})
    present: Mapping[str, TypeAdapter[Any]] = {k: v for k, v in _IF_THERE.items() if k in entry}
    for field, adapter in {**present, **needed}.items():
        if field not in entry:
            return f"{field} is missing"
        try:
            adapter.validate_python(entry[field])
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(map(str, (field, *first["loc"])))
            return f"{place}: {first['msg']}"
    return ""
