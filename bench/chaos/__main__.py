"""Kills at random points of real rollouts: ``python bench/chaos [TRIALS]``, 100 if not said.

Evenly over seven kinds of death.  Each trial is one line of ``bench/chaos/results.jsonl``: an
interrupted series goes on where it was.  ``page`` writes ``docs/chaos.md`` from it, ``try TRIALS``
plays a short series and keeps nothing.  It wants ``make cluster``; exit 1 when anything was wrong.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TESTS = HERE.parents[1] / "tests" / "cluster"
sys.path[:0] = [str(TESTS), str(HERE.parent / "cluster")]
from kills import KILLS, SHARED  # noqa: E402
from table import PAGE, RESULTS, page  # noqa: E402
from trial import play  # noqa: E402

from cluster import Cluster, Trouble  # noqa: E402
from conftest import open_cluster  # noqa: E402

TRIALS, WORKERS = 100, 3
Case = tuple[int, str, str]


def cases(trials: int) -> Iterator[Case]:
    """Yield (seed, kind, loop): kinds in turn, every fourth round with one pod an iteration."""
    kinds = list(KILLS)
    for i in range(trials):
        yield i, kinds[i % len(kinds)], "nodes" if (i // len(kinds)) % 4 == 3 else "pod"


def played(cluster: Cluster, case: Case) -> dict[str, Any]:
    """Play a trial; one that could not be judged is a line too, and wrong."""
    seed, kind, loop = case
    print(f"chaos: {seed:3} {kind}, loop {loop} ...", flush=True)
    try:
        found = play(cluster, kind, loop, seed)
    except Trouble as trouble:
        found = {"kind": kind, "loop": loop, "seed": seed, "wrong": [str(trouble)[:400]]}
    word = "; ".join(found["wrong"]) or f"{found['outcome']}, {found['took']} s later"
    print(f"chaos: {seed:3} {kind}: {word}", flush=True)
    return {"date": time.strftime("%Y-%m-%d"), **found}


def series(cluster: Cluster, todo: list[Case], *, keep: bool) -> int:
    """Play the cases, those that hit everybody one at a time; return how many went wrong."""
    lock, wrong = threading.Lock(), 0
    for workers, some in (
        (WORKERS, [case for case in todo if case[1] not in SHARED]),
        (1, [case for case in todo if case[1] in SHARED]),
    ):
        with ThreadPoolExecutor(workers) as pool:
            for line in pool.map(lambda case: played(cluster, case), some):
                wrong += bool(line["wrong"])
                if keep:
                    with lock, RESULTS.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(line) + "\n")
    return wrong


def main() -> None:
    """Play what is not played yet, or a short series."""
    words = sys.argv[1:]
    if words == ["page"]:
        PAGE.write_text(page())
        return
    keep = words[:1] != ["try"]
    trials = int(words[-1]) if words else TRIALS
    done = set()
    if keep and RESULTS.exists():
        done = {json.loads(line)["seed"] for line in RESULTS.read_text().splitlines()}
    todo = [case for case in cases(trials) if case[0] not in done]
    wrong = series(open_cluster(lambda name: None), todo, keep=keep)
    if keep:
        PAGE.write_text(page())
    print(f"chaos: {len(todo)} trials, {wrong} wrong")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
