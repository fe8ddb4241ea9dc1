"""``crossfade lint``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from crossfade.cli.loading import read
from crossfade.cli.output import count, findings_json, show_findings, tally


def run(
    paths: Sequence[Path], settings: Sequence[str], policy: str | None, *, as_json: bool
) -> int:
    """Print every finding to stdout; return 2 when one is an error, else 0."""
    findings = read(paths, settings, policy).findings
    if as_json:
        print(findings_json(findings))
    else:
        show_findings(findings, to_stdout=True)
        print(tally(findings) if findings else "no findings", file=sys.stderr)
    return 2 if count(findings)[0] else 0
