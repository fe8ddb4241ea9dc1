"""Tell Argo how far a loop in one container is: ``k/N`` in the file it reads."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crossfade_steps.cluster.stage import Stage, with_record
from crossfade_steps.ports import Record

VARIABLE = "ARGO_PROGRESS_FILE"


class Told:
    """A record that writes each decision's number to a file (port ``Record``)."""

    def __init__(self, record: Record, file: Path, iterations: int) -> None:
        self._record, self._file, self._iterations = record, file, iterations
        self.entries = record.entries

    def append(self, entry: Mapping[str, Any]) -> None:
        """Add the entry, then tell."""
        self._record.append(entry)
        if entry["type"] == "decision":
            k = int(entry["decision"]["iteration"])  # a winner is watched past the last one
            self._file.write_text(f"{k}/{max(k, self._iterations)}")


def told_to_argo(stage: Stage) -> Stage:
    """Return the stage with a record that tells Argo, where Argo asks for it."""
    file = os.environ.get(VARIABLE)
    if not file:
        return stage
    iterations = stage.run.bundle.experiment.iterations
    return with_record(stage, Told(stage.run.record, Path(file), iterations))
