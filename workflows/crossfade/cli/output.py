"""What the screen shows: data to stdout, everything else to stderr, readable without colour."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from crossfade.errors import CrossfadeError, Finding, Severity, SpecError


class Screen(Console):
    """A console that falls silent when nobody reads it any more: no command ends for that."""

    def on_broken_pipe(self) -> None:
        """Print no more, here and when the interpreter empties its buffers at the end."""
        self.quiet = True
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.file.fileno())
            os.close(nowhere)

    def tell(self, text: str) -> None:
        """Print a text, or fall silent where it cannot be written."""
        try:
            self.print(text)
        except (OSError, ValueError):
            self.on_broken_pipe()


# No markup: what is printed comes from files, stores and logs, and may hold brackets.  Nor are
# lines broken here: a terminal does that, and a file keeps sentences whole.
err = Screen(stderr=True, highlight=False, soft_wrap=True, markup=False)
out = Screen(highlight=False, soft_wrap=True, markup=False)


def show_error(error: CrossfadeError) -> None:
    """Print an error with its findings and its remedy."""
    print(error.in_full(), file=sys.stderr)


def write_file(path: Path, text: str) -> None:
    """Write a file and say so.  Raises ``SpecError`` where it cannot be written."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SpecError(f"{path}: cannot be written: {error.strerror}") from error
    print(f"{path} written", file=sys.stderr)


def show_findings(findings: Iterable[Finding], *, to_stdout: bool = False) -> None:
    """Print one finding a paragraph: place, severity, rule, sentence, remedy."""
    stream = sys.stdout if to_stdout else sys.stderr
    for finding in findings:
        print(finding.in_full(), file=stream)


def show_accepted(findings: Iterable[Finding]) -> None:
    """Print what the rollout accepts of its policy with open eyes, a line each."""
    for finding in findings:
        print(f"accepted by spec.policy.accept: {finding.rule}: {finding.message}", file=sys.stderr)


def findings_json(findings: Iterable[Finding]) -> str:
    """Return the findings as a JSON list."""
    return json.dumps([asdict(finding) for finding in findings], indent=2)


def count(findings: Iterable[Finding]) -> tuple[int, int]:
    """Return how many errors and how many warnings there are."""
    severities = [finding.severity for finding in findings]
    return severities.count(Severity.ERROR), severities.count(Severity.WARNING)


def tally(findings: Iterable[Finding]) -> str:
    """Return ``2 errors, 1 warning``."""
    errors, warnings = count(tuple(findings))
    words = [
        f"{number} {word}{'' if number == 1 else 's'}"
        for number, word in ((errors, "error"), (warnings, "warning"))
    ]
    return ", ".join(words)
