"""A CronWorkflow's schedule, read as Argo's controller reads it before it is handed over.

The controller parses it with robfig/cron v3's standard parser: five fields or a descriptor.  A
schedule that it cannot read makes a CronWorkflow that is created and never starts anything.
"""

from __future__ import annotations

import re

from crossfade.errors import SpecError

_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec"
_DAYS = "sun mon tue wed thu fri sat"
MONTHS = {name: number for number, name in enumerate(_MONTHS.split(), 1)}
DAYS = {name: number for number, name in enumerate(_DAYS.split())}
FIELDS: tuple[tuple[str, int, int, dict[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of the month", 1, 31, {}),
    ("month", 1, 12, MONTHS),
    ("day of the week", 0, 6, DAYS),
)
"""Each field's name, least and greatest value, and the words that stand for values."""
DESCRIPTORS = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
_EVERY = re.compile(r"@every (?:\d+(?:\.\d+)?(?:h|m|s|ms))+")
_RANGE = re.compile(r"^(?:[*?]|(?P<low>\w+)(?:-(?P<high>\w+))?)(?:/(?P<step>\d+))?$", re.ASCII)


def checked_schedule(schedule: str) -> str:
    """Return the schedule as given.  Raises ``SpecError`` for one that Argo cannot read."""
    if schedule.startswith("@"):
        if schedule not in DESCRIPTORS and not _EVERY.fullmatch(schedule):
            raise _unreadable(schedule, f"expected {', '.join(DESCRIPTORS)} or @every 12h")
        return schedule
    fields = schedule.split()
    if len(fields) != len(FIELDS):
        raise _unreadable(schedule, f"{len(fields)} fields, expected {len(FIELDS)}")
    for text, (name, least, most, words) in zip(fields, FIELDS, strict=True):
        for part in text.split(","):
            if not _readable(part, least, most, words):
                raise _unreadable(schedule, f"{name} {part!r}, expected {least} to {most}")
    return schedule


def _readable(part: str, least: int, most: int, words: dict[str, int]) -> bool:
    found = _RANGE.match(part)
    if found is None or (found["step"] is not None and int(found["step"]) == 0):
        return False
    if found["low"] is None:
        return True
    low, high = (_value(found[end] or found["low"], words) for end in ("low", "high"))
    return low is not None and high is not None and least <= low <= high <= most


def _value(text: str, words: dict[str, int]) -> int | None:
    return int(text) if text.isdigit() else words.get(text.lower())


def _unreadable(schedule: str, reason: str) -> SpecError:
    hint = "minute, hour, day of the month, month, day of the week: '0 2 * * *'"
    return SpecError(f"schedule {schedule!r}: {reason}", hint=hint)
