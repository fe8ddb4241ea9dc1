"""``crossfade describe`` and ``crossfade replay``: what a run's record says."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from crossfade.cli.output import out, write_file
from crossfade.errors import SpecError
from crossfade.intact import reading
from crossfade.replay import Replayed, other_rules
from crossfade.replay import replay as decide_again
from crossfade.report.describe import describe
from crossfade.report.facts import facts
from crossfade.report.page import page
from crossfade_steps.record_file import read_record

RECORD_NAME = "record.jsonl"


def write_page(entries: Sequence[Mapping[str, Any]], name: str, output: Path | None) -> None:
    """Write the report to a file, or to standard output; ``name`` is the record's."""
    with reading(name):
        text = page(entries)
    if output is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode() + b"\n")  # the page says it is UTF-8
        sys.stdout.buffer.flush()
        return
    write_file(output, text)


def show(entries: Sequence[Mapping[str, Any]], name: str, *, as_json: bool) -> None:
    """Print what a run did, for a person or as JSON; ``name`` is the record's."""
    with reading(name):
        told = json.dumps(facts(entries), indent=1) if as_json else describe(entries)
    if isinstance(told, str):
        print(told)
    else:
        out.print(told)


def replay(
    entries: Sequence[Mapping[str, Any]], name: str = "record", policy: str | None = None
) -> int:
    """Print one line a decision; return 1 if any differs from the record of that name.

    With a ``policy``, print what that one would have decided from the same readings instead.
    """
    differences = 0
    with reading(name):
        results = decide_again(entries, policy=policy)
    if policy is not None:
        return _other(results, policy)
    for result in results:
        same = result.difference is None
        differences += not same
        print(f"iteration {result.iteration}: {'same' if same else result.difference}")
    told = [f"{len(results)} decisions, {differences} differ", other_rules(entries)]
    print("; ".join(filter(None, told)), file=sys.stderr)
    return 1 if differences else 0


def _other(results: Sequence[Replayed], policy: str) -> int:
    """Print what another policy would have done, from readings at the weights that were."""
    for result in results:
        told = result.again
        print(f"iteration {result.iteration}: {told['reason']}")
        if told["outcome"]:
            winner = f", winner {told['winner']}" if told["winner"] else ""
            print(f"outcome by {policy}: {told['outcome']}{winner}")
            break
    return 0


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


def entries_of(record: Path | None, folder: Path) -> tuple[list[Mapping[str, Any]], str]:
    """Return the entries of the record that is meant, and its path."""
    path = find_record(record, folder)
    return list(read_record(path)), str(path)
