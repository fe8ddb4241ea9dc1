"""Errors and findings: what every layer raises and every screen prints.

``CrossfadeError`` (exit 1) is the base; ``SpecError`` (exit 2) means that repeating cannot help,
``BackendError`` (exit 3) means that it may.  Argo's retry expressions read these exit codes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

NO_RETRY = 2
"""The exit code of a step that Argo must not run again: it would only end in the same way."""


class Severity(StrEnum):
    """How much a finding weighs: an error stops a run, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence about one place in a user's file.

    ``rule`` is the id of a lint rule ("D1", "C63") or a short word for what the loader found
    ("yaml", "field", "route").  ``field`` is a path such as ``spec.criteria.objectives[0].metric``.
    ``line`` counts from 1; 0 means unknown.
    """

    severity: Severity
    rule: str
    message: str
    hint: str = ""
    file: str = ""
    line: int = 0
    field: str = ""

    @property
    def where(self) -> str:
        """Return ``file:line field``, as far as they are known."""
        place = self.file + (f":{self.line}" if self.line else "")
        return " ".join(part for part in (place, self.field) if part)

    def at(self, *, file: str = "", line: int = 0, field: str = "") -> Finding:
        """Return a copy with the places filled in that are still unknown."""
        return replace(
            self,
            file=self.file or file,
            line=self.line or line,
            field=self.field or field,
        )

    def in_full(self) -> str:
        """Return what a screen shows: place, severity, rule, sentence; its remedy a line below."""
        return f"{self}\n    hint: {self.hint}" if self.hint else str(self)

    def __str__(self) -> str:
        where = f"{self.where}: " if self.where else ""
        return f"{where}{self.severity} {self.rule}: {self.message}"


class CrossfadeError(Exception):
    """Base of all errors that a user may see; ``hint`` is the remedy."""

    exit_code = 1
    findings: tuple[Finding, ...] = ()

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def in_full(self) -> str:
        """Return what a screen shows: the message, each finding, and the remedy at the end."""
        remedy = [f"\nhint: {self.hint}"] if self.hint else []
        return "\n".join([f"error: {self}", *(f.in_full() for f in self.findings), *remedy])


class SpecError(CrossfadeError):
    """What the user wrote is wrong; repeating the command cannot help (exit 2)."""

    exit_code = NO_RETRY

    def __init__(self, message: str, *, hint: str = "", findings: Iterable[Finding] = ()) -> None:
        super().__init__(message, hint=hint)
        self.findings = tuple(findings)


class BackendError(CrossfadeError):
    """Something that crossfade talks to failed; repeating may help (exit 3)."""

    exit_code = 3


class NeverReady(BackendError):
    """A deployed object does not exist or can never serve: waiting for it is no use."""


class Unsettled(SpecError, BackendError):
    """What is stored makes no sense now: written so, or in the middle of a change (exit 3)."""

    exit_code = BackendError.exit_code


class Conflict(BackendError):
    """Somebody else changed the object in between: read it again before the next try."""
