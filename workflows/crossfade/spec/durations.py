"""Durations as people write them: ``90``, ``90s``, ``15m``, ``2h``, ``1h30m``, ``7d``."""

from __future__ import annotations

import re

from crossfade.errors import SpecError

_PART = re.compile(r"(\d+)(d|h|m|s)")
_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}


def seconds(text: str, *, where: str) -> int:
    """Return whole seconds.  Raises ``SpecError`` for anything else, and for zero."""
    stripped = text.strip()
    parts = _PART.findall(stripped)
    if stripped.isdigit():
        total = int(stripped)
    elif parts and "".join(number + unit for number, unit in parts) == stripped:
        total = sum(int(number) * _UNITS[unit] for number, unit in parts)
    else:
        total = 0
    if total <= 0:
        raise SpecError(f"{where}: {text!r}, expected a duration such as 90s, 15m or 1h30m")
    return total
