from __future__ import annotations

import csv
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


def corpus_rows(*folders: str) -> list[dict[str, str]]:
    """Return the rows of the public corpus in these folders; none where it is not there."""
    index = SHARED / "corpus" / "index.tsv"
    if not index.exists():
        return []
    with index.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return [row for row in rows if row["file"].partition("/")[0] in folders]


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of the public corpus beside the repository."""
    if not (SHARED / "corpus").is_dir():
        pytest.skip("the public corpus is not beside this clone: its files were not tried")
    return SHARED / "corpus"
