"""The public corpus beside the repository: tried where it is there, told once where it is not."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# how fast a machine is decides no test
settings.register_profile("calm", deadline=None)
settings.load_profile("calm")

SHARED = Path(__file__).resolve().parents[2] / "shared"
HERE = (SHARED / "corpus").is_dir() and (SHARED / "seed").is_dir()
NEED_SHARED = ("test_corpus_", "test_lint_seed", "test_seed_")
TRIED: set[str] = set()


class Corpus(type(Path())):  # type: ignore[misc]
    """The corpus folder; every file that a test takes from it is noted."""

    def __truediv__(self, key: Any) -> Any:
        path = super().__truediv__(key)
        if path.is_file():
            TRIED.add(str(path.relative_to(SHARED / "corpus")))
        return path


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of the public corpus."""
    return Corpus(SHARED / "corpus")


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out what needs the corpus where it is not there."""
    return True if not HERE and collection_path.name.startswith(NEED_SHARED) else None


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print how many rows of the corpus were tried, or that none were."""
    write = terminalreporter.write_line
    if not HERE:
        write("the public corpus and the seed are not beside this clone: their tests were not run")
        return
    if not TRIED:
        return
    with (SHARED / "corpus" / "index.tsv").open(encoding="utf-8", newline="") as file:
        rows = [row["file"] for row in csv.DictReader(file, delimiter="\t")]
    folders = Counter(row.partition("/")[0] for row in rows)
    done = Counter(row.partition("/")[0] for row in rows if row in TRIED)
    write("public corpus, files tried:")
    for folder, count in folders.items():
        write(f"  {folder:<20} {done[folder]:>3} of {count:>3}")
    write(f"  {'all':<20} {sum(done.values()):>3} of {len(rows):>3}")
    for missed in sorted(set(rows) - TRIED):
        write(f"  not tried: {missed}")
