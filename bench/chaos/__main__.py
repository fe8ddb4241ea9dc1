"""Kills at random points of real rollouts: ``python bench/chaos [TRIALS]``, 100 if not said.

Evenly over seven kinds of death; ``more [TRIALS]`` plays three others: evicted, out of memory, the
node restarted.  Each trial is one line of ``bench/chaos/results.jsonl``: an
interrupted series goes on where it was.  ``page`` writes ``docs/chaos.md`` from it, ``try TRIALS``
plays a short series and keeps nothing.  It wants ``make cluster``; exit 1 when anything was wrong.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TESTS = HERE.parents[1] / "tests" / "cluster"
sys.path[:0] = [str(TESTS), str(HERE.parent / "cluster")]
from kills import KILLS, MORE, MORE_SHARED, SHARED  # noqa: E402
from table import PAGE, RESULTS, page  # noqa: E402
from trial import TROUBLES, play, play_together  # noqa: E402

from cluster import Cluster  # noqa: E402
from conftest import open_cluster  # noqa: E402

TRIALS, MORE_TRIALS, WORKERS, AT_ONCE = 100, 18, 4, 4
MORE_SEED = 500
Case = tuple[int, str, str]


def cases(trials: int) -> Iterator[Case]:
    """Yield (seed, kind, loop): kinds in turn, every fourth round with one pod an iteration."""
    kinds = list(KILLS)
    for i in range(trials):
        yield i, kinds[i % len(kinds)], "nodes" if (i // len(kinds)) % 4 == 3 else "pod"


def more_cases(trials: int) -> Iterator[Case]:
    """Yield the cases of the other kinds, every third round with one pod an iteration."""
    kinds = list(MORE)
    for i in range(trials):
        loop = "nodes" if (i // len(kinds)) % 3 == 2 else "pod"
        yield MORE_SEED + i, kinds[i % len(kinds)], loop


def played(cluster: Cluster, case: Case) -> dict[str, Any]:
    """Play a trial; one that could not be judged is a line too, and wrong."""
    seed, kind, loop = case
    print(f"chaos: {seed:3} {kind}, loop {loop} ...", flush=True)
    try:
        found = play(cluster, kind, loop, seed)
    except TROUBLES as trouble:
        found = {"kind": kind, "loop": loop, "seed": seed, "wrong": [str(trouble)[:400]]}
    print(f"chaos: {seed:3} {kind}: {told(found)}", flush=True)
    return {"date": today(), **found}


def series(cluster: Cluster, todo: list[Case], *, keep: bool) -> int:
    """Play the cases; return how many went wrong."""
    shared = {**SHARED, **MORE_SHARED}
    alone = [case for case in todo if case[1] not in shared]
    with ThreadPoolExecutor(WORKERS) as pool:
        wrong = sum(kept(line, keep=keep) for line in
                    pool.map(lambda case: played(cluster, case), alone))  # fmt: skip
    for kind in shared:
        for loop in ("pod", "nodes"):
            seeds = [seed for seed, *rest in todo if rest == [kind, loop]]
            wrong += together(cluster, kind, loop, seeds, keep=keep)
    return wrong


def together(cluster: Cluster, kind: str, loop: str, seeds: list[int], *, keep: bool) -> int:
    """Play trials of a kill that hits everybody, several at once; again those that it missed."""
    wrong, left = 0, list(seeds)
    while left:
        now, left = left[:AT_ONCE], left[AT_ONCE:]
        print(f"chaos: {kind}, loop {loop}, {len(now)} runs at once ...", flush=True)
        hit = play_together(cluster, kind, loop, now)
        wrong += sum(kept({"date": today(), **line}, keep=keep) for line in hit)
        for line in hit:
            print(f"chaos: {line['seed']:3} {kind}: {told(line)}", flush=True)
        missed = set(now) - {line["seed"] for line in hit}
        left += [1000 + seed for seed in missed]
    return wrong


def kept(line: dict[str, Any], *, keep: bool) -> bool:
    """Keep a trial's line; return whether anything was wrong."""
    if keep:
        with RESULTS.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
    return bool(line["wrong"])


def told(line: dict[str, Any]) -> str:
    """Return a trial in a few words."""
    fine = f"at {line.get('at')}: {line.get('outcome')}, {line.get('took')} s later"
    return "; ".join(line["wrong"]) or fine


def today() -> str:
    """Return the date."""
    return time.strftime("%Y-%m-%d")


def main() -> None:
    """Play what is not played yet, or a short series."""
    words = sys.argv[1:]
    if words == ["page"]:
        PAGE.write_text(page())
        return
    keep, more = words[:1] != ["try"], words[:1] == ["more"]
    trials = int(words[-1]) if words and words[-1].isdigit() else MORE_TRIALS if more else TRIALS
    done = set()
    if keep and RESULTS.exists():
        done = {json.loads(line)["seed"] % 1000 for line in RESULTS.read_text().splitlines()}
    every = more_cases(trials) if more else cases(trials)
    todo = [case for case in every if case[0] not in done]
    cluster = open_cluster(lambda name: None)
    wrong = series(cluster, todo, keep=keep)
    if wrong and not keep:
        print(f"chaos: {wrong} wrong, the series is played once more", flush=True)
        wrong = series(cluster, [(seed + trials, *rest) for seed, *rest in todo], keep=False)
    if keep:
        PAGE.write_text(page())
    print(f"chaos: {len(todo)} trials, {wrong} wrong")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
