"""The example in a folder of its own, an edit of one of its files, and the command line."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from crossfade.cli.app import main
from crossfade.cli.loading import read
from crossfade.errors import Finding

EXAMPLE = Path(__file__).resolve().parents[2] / "workflows" / "examples" / "iris"
Edit = Callable[[dict[str, Any]], None]


def copied(folder: Path) -> Path:
    """Return a copy of the example in a folder."""
    return Path(shutil.copytree(EXAMPLE, folder / "iris"))


def edited(folder: Path, name: str, edit: Edit) -> list[Finding]:
    """Return the findings of the example after an edit of one of its files."""
    path = folder / f"{name}.yaml"
    documents = list(yaml.safe_load_all(path.read_text()))
    edit(documents[0])
    path.write_text(yaml.safe_dump_all(documents, sort_keys=False))
    return list(read([folder]).findings)


def told(findings: list[Finding]) -> str:
    return "\n".join(map(str, findings))


def call(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["crossfade", *words])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)
