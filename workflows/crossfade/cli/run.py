"""``crossfade run``: the rollout on this machine."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from crossfade.cli.loading import bundle_of, read
from crossfade.cli.output import err, out, show_accepted, show_findings
from crossfade.cli.plan import foretell
from crossfade.cli.watching import shown
from crossfade.errors import SpecError
from crossfade.lint import accepted
from crossfade.lint.looping import OF_ARGO
from crossfade.spec.rollout import Bundle


def run(
    paths: Sequence[Path], settings: Sequence[str], policy: str | None, *, folder: Path,
    approved: bool = False,
) -> int:  # fmt: skip
    """Carry the rollout out here and print how it ended; 0 for a decision, 3 for trouble."""
    from crossfade_steps.embedded.here import require_answer, run_here
    from crossfade_steps.embedded.monitoring import SCRAPE_SECONDS

    loaded = read(paths, settings, policy, scrape_seconds=SCRAPE_SECONDS)
    bundle = bundle_of(loaded)
    show_findings([finding for finding in loaded.findings if finding.rule not in OF_ARGO])
    require_answer(bundle, approved=approved)
    show_accepted(accepted(bundle))
    foretell(bundle)
    place = _made(folder / "runs" / _name(bundle))
    entries: list[Mapping[str, Any]] = []
    with shown(err) as show:

        def listen(entry: Mapping[str, Any]) -> None:
            entries.append(entry)
            show(entries)

        ended = run_here(bundle, place, listen, lambda entry: err.print(entry["text"]),
                         approved=approved)  # fmt: skip
    out.tell(f"outcome: {ended.outcome}" + (f", winner {ended.winner}" if ended.winner else ""))
    out.tell(ended.sentence)
    err.tell(f"record: {place / 'record.jsonl'} (crossfade describe, crossfade replay)")
    return 0 if ended.outcome.is_decision else 3


def _made(place: Path) -> Path:
    try:
        place.mkdir(parents=True)
    except OSError as error:
        raise SpecError(f"--folder: {place}: cannot be made: {error.strerror}") from error
    return place


def _name(bundle: Bundle) -> str:
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    return f"{bundle.name}-{stamp}-{os.getpid()}"
