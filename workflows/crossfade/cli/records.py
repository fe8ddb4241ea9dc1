"""``crossfade describe`` and ``crossfade replay``: what a run's record says."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from crossfade.cli.output import out
from crossfade.errors import SpecError
from crossfade.replay import replay as decide_again
from crossfade.report.describe import describe as describe_entries
from crossfade_steps.record_file import read_record

RECORD_NAME = "record.jsonl"


def describe(record: Path | None, folder: Path) -> None:
    """Print what the run did."""
    out.print(describe_entries(_entries(record, folder)))


def replay(record: Path | None, folder: Path) -> int:
    """Print one line a decision; return 1 if any differs from the record."""
    differences = 0
    results = decide_again(_entries(record, folder))
    for result in results:
        same = result.difference is None
        differences += not same
        print(f"iteration {result.iteration}: {'same' if same else result.difference}")
    print(f"{len(results)} decisions, {differences} differ", file=sys.stderr)
    return 1 if differences else 0


def find_record(record: Path | None, folder: Path) -> Path:
    """Return the record file that is meant: as named, in the named folder, or of the last run."""
    if record is not None:
        path = record / RECORD_NAME if record.is_dir() else record
        if not path.exists():
            raise SpecError(f"{path}: no such record")
        return path
    runs = sorted(folder.glob(f"runs/*/{RECORD_NAME}"), key=lambda path: path.stat().st_mtime)
    if not runs:
        raise SpecError(f"{folder}: no run recorded here", hint="crossfade run rollout.yaml")
    return runs[-1]


def _entries(record: Path | None, folder: Path) -> list[dict[str, Any]]:
    return read_record(find_record(record, folder))
