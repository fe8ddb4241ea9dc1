"""Put a version's variables into a query: ``$name`` and ``${name}``, verbatim.

As the predecessor did it, with the rules of Python's ``string.Template``.  Unlike there, a
placeholder without a value, or with a blank one, is an error: the query would be valid and match
nothing (faults C10).
"""

from __future__ import annotations

from collections.abc import Mapping
from string import Template

from crossfade.errors import SpecError

ELAPSED = "elapsedTime"


def placeholders(text: str) -> tuple[str, ...]:
    """Return the names of all placeholders in order, without repeats.

    ``$$`` and a ``$`` that no name follows (as at the end of a regular expression) are text, and
    so are Grafana's ``$__interval`` and its kin, which no variable can fill.
    """
    found = []
    for match in Template.pattern.finditer(text):
        name = match["named"] or match["braced"]
        if name and not name.startswith("__"):
            found.append(name)
    return tuple(dict.fromkeys(found))


def interpolate(
    text: str, version: str, variables: Mapping[str, str], elapsed_seconds: int, *, where: str
) -> str:
    """Return the text with every placeholder filled.

    A variable may override ``name``, never ``elapsedTime`` (whole seconds).  Raises ``SpecError``
    naming ``where``, the version and the placeholder.
    """
    values = {"name": version, **variables, ELAPSED: str(elapsed_seconds)}
    for name in placeholders(text):
        if not values.get(name, "").strip():
            state = "is empty" if name in values else "is not defined"
            raise SpecError(
                f"{where}: placeholder ${name} {state} for version {version}",
                hint=f"add a variable {name} to the version in spec.versionInfo",
            )
    return Template(text).safe_substitute(values)
