"""Measurements as lines of a file, and the tables made of them."""

from __future__ import annotations

import json
import statistics
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).with_name("results.jsonl")


def keep(kind: str, **values: Any) -> None:
    """Add one measurement to the file."""
    line = {"kind": kind, "date": time.strftime("%Y-%m-%d"), **values}
    with RESULTS.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def _results(kind: str) -> list[dict[str, Any]]:
    if not RESULTS.exists():
        return []
    lines = [json.loads(line) for line in RESULTS.read_text().splitlines()]
    return [line for line in lines if line["kind"] == kind]


def _print(title: str, columns: list[str], rows: list[list[Any]]) -> None:
    grid = Table(*columns, title=title)
    for row in rows:
        grid.add_row(*map(str, row))
    Console(width=160).print(grid)


def show_timing() -> None:
    """Print the timing table."""
    columns = ["loop", "iterations", "lateness s: first, median, last, most",
               "decision to weight s: median, most", "iterating s", "start-up s", "total s", "pods",
               "Workflow KiB", "memory MiB", "CPU s"]  # fmt: skip
    rows = []
    for r in _results("timing"):
        late, written = r["late"], r["written"]
        rows.append([
            r["loop"], f"{r['iterations']} x {r['interval']} s",
            f"{late[0]:.2f}, {statistics.median(late):.2f}, {late[-1]:.2f}, {max(late):.2f}",
            f"{statistics.median(written):.2f}, {max(written):.2f}", r["iterating"], r["start_up"],
            r["total"], r["pods"], r["workflow_kib"], r["memory_mib"], r["cpu_seconds"],
        ])  # fmt: skip
    _print("timing", columns, rows)


def show_split() -> None:
    """Print the table of weights set and observed."""
    for r in _results("split"):
        worst = max((abs(row[1] - row[2]) for row in r["rows"]), default=0)
        title = (f"split, loop {r['loop']}: {r['requests']} requests, {r['failed']} failed, "
                 f"largest difference {worst:.1f} points")  # fmt: skip
        _print(title, ["iteration", "set %", "observed %", "requests"], r["rows"])


def show_thousand() -> None:
    """Print the long run."""
    for r in _results("thousand"):
        _print("1,000 iterations of 1 s", ["", ""], [[k, v] for k, v in r.items()])


def show_many() -> None:
    """Print the crowd."""
    for r in _results("many"):
        _print(f"{r['count']} rollouts at once", ["", ""], [[k, v] for k, v in r.items()])


SHOWN = (show_timing, show_split, show_thousand, show_many)
