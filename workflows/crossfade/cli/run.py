"""``crossfade run``: the rollout on this machine."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.live import Live

from crossfade.cli.loading import bundle_of, read
from crossfade.cli.output import err, out, show_accepted, show_findings
from crossfade.cli.plan import foretell
from crossfade.errors import SpecError
from crossfade.lint import accepted
from crossfade.report.live import line, table
from crossfade.spec.rollout import Bundle
from crossfade.verdict import Outcome

GOOD = (Outcome.PROMOTED, Outcome.KEPT, Outcome.INCONCLUSIVE, Outcome.ROLLED_BACK)


def run(paths: Sequence[Path], settings: Sequence[str], policy: str | None, *, folder: Path) -> int:
    """Carry the rollout out here and print how it ended; 0 for a decision, 3 for trouble."""
    from crossfade_steps.embedded.here import run_here
    from crossfade_steps.embedded.monitoring import SCRAPE_SECONDS

    loaded = read(paths, settings, policy, scrape_seconds=SCRAPE_SECONDS)
    bundle = bundle_of(loaded)
    show_findings(loaded.findings)
    show_accepted(accepted(bundle))
    foretell(bundle)
    place = _made(folder / "runs" / _name(bundle))
    entries: list[Mapping[str, Any]] = []
    with Live(console=err, auto_refresh=False, transient=False) as live:

        def listen(entry: Mapping[str, Any]) -> None:
            entries.append(entry)
            if err.is_terminal:
                live.update(table(entries), refresh=True)
            elif (text := line(entries)) is not None:
                err.print(text)

        def say(entry: Mapping[str, Any]) -> None:
            err.print(entry["text"])

        ended = run_here(bundle, place, listen, say)
    out.print(f"outcome: {ended.outcome}" + (f", winner {ended.winner}" if ended.winner else ""))
    out.print(ended.sentence)
    err.print(f"record: {place / 'record.jsonl'} (crossfade describe, crossfade replay)")
    return 0 if ended.outcome in GOOD else 3


def _made(place: Path) -> Path:
    try:
        place.mkdir(parents=True)
    except OSError as error:
        raise SpecError(f"--folder: {place}: cannot be made: {error.strerror}") from error
    return place


def _name(bundle: Bundle) -> str:
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    return f"{bundle.name}-{stamp}-{os.getpid()}"
