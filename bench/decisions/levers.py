"""What brings the policy nearer to the information limit: ``python bench/decisions levers``.

Mean requests until a run with a better candidate ends, over what any promotion with the same bound
needs on average (``worlds.limit_of``), where that limit is at least ten intervals of
traffic.  Runs that end without a promotion count with all their requests.  Each lever alone, then
together; the iterations are four times the limit.  ``A/A`` is how often the same version twice is
promoted within 30 iterations.
"""

from __future__ import annotations

import json
import math
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from worlds import LIMITS, Draw, World, limit_of

from crossfade.evidence.judging import observe
from crossfade.evidence.rules import Design, Interval, Rules
from crossfade.evidence.trial import begin
from crossfade.verdict import Outcome

HERE = Path(__file__).parent
RESULTS = HERE / "levers.jsonl"
INTERVAL, RUNS, TIMES, AA_ITERATIONS = 10, 400, 4, 30
OLD: dict[str, Any] = {"bake": 0, "effects": "fixed", "ramp": "steps", "confirm": 2}
DEFAULTS = "horizon, doubling, confirm 1, traffic known (the defaults)"
LEVERS: dict[str, dict[str, Any]] = {
    "as designed": {},
    "effects: horizon": {"effects": "horizon"},
    "ramp: doubling": {"ramp": "doubling"},
    "ramp: risk": {"ramp": "risk"},
    "confirm: 1": {"confirm": 1},
    "traffic known at the start": {"past": True},
    "horizon, doubling": {"effects": "horizon", "ramp": "doubling"},
    "horizon, doubling, confirm 1": {"effects": "horizon", "ramp": "doubling", "confirm": 1},
    DEFAULTS: {"effects": "horizon", "ramp": "doubling", "confirm": 1, "past": True},
    "the defaults, ramp: risk": {
        "effects": "horizon",
        "ramp": "risk",
        "confirm": 1,
        "past": True,
    },
}
CASES = (
    (World("A/A", False), 50),
    (World("+2 %", True, reward=(0.30, 0.306)), 500),
    (World("+10 %", True, reward=(0.30, 0.33)), 50),
    (World("+20 %", True, reward=(0.30, 0.36)), 5),
    (World("+40 %", True, reward=(0.30, 0.42)), 5),
    (World("+40 %, errors 0.5 %", True, (0.30, 0.42), errors=(0.002, 0.005)), 5),
)


def measure(world: World, rate: int, lever: str, runs: int) -> dict[str, Any]:
    """Play one case with one lever."""
    traffic = rate * INTERVAL
    limit = limit_of(world) if world.right else math.nan
    iterations = math.ceil(TIMES * limit / traffic) if world.right else AA_ITERATIONS
    chosen = {**OLD, **LEVERS[lever]}
    past = chosen.pop("past", False)
    rng = np.random.default_rng(zlib.crc32(f"{world.name}/{rate}".encode()))
    rules, design = Rules(**chosen), Design(2, LIMITS, True, iterations)
    ended = [_run(rules, design, Draw(world, traffic, rng), past) for _ in range(runs)]
    used, promoted = zip(*ended, strict=True)
    return {"world": world.name, "rate": rate, "lever": lever, "runs": runs,
            "limit": round(limit) if world.right else None, "promoted": sum(promoted) / runs,
            "ratio": round(float(np.mean(used)) / limit, 3) if world.right else None,
            "date": time.strftime("%Y-%m-%d")}  # fmt: skip


def _run(rules: Rules, design: Design, draw: Draw, past: bool) -> tuple[float, bool]:
    """Return the requests until the end, and whether it was a promotion.

    What the baseline served in an interval that was ``past`` at the start costs nothing.
    """
    trial, used = begin(rules, design), 0.0
    for k in range(1, design.iterations + 1):
        read = draw.read(k, trial.weights)
        assert read is not None, "every interval can be read here"
        used += 0.0 if past and k == 1 else float(read.requests.sum())
        judged_of = np.repeat(read.requests[:, None], len(LIMITS), axis=1)
        seen = Interval(read.requests, judged_of, read.bad, read.bad, read.reward)
        judged = observe(trial, seen, rules, design)
        trial = judged.trial
        if judged.outcome is not None:
            return used, judged.outcome is Outcome.PROMOTED
    raise AssertionError("the policy ends at the last iteration")


def play(runs: int = RUNS) -> None:
    """Play what is not played yet; one line a case and lever."""
    lines = RESULTS.read_text().splitlines() if RESULTS.exists() else []
    done = {(r["world"], r["rate"], r["lever"]) for r in map(json.loads, lines)}
    for world, rate in CASES:
        for lever in LEVERS:
            if (world.name, rate, lever) not in done:
                times = 10 if lever == DEFAULTS else 1 if world.right else 3
                line = json.dumps(measure(world, rate, lever, times * runs))
                print(line, flush=True)
                with RESULTS.open("a", encoding="utf-8") as file:
                    file.write(line + "\n")


def table() -> list[str]:
    """Return the lines of a Markdown table: levers down, cases across."""
    if not RESULTS.exists():
        return []
    found = [json.loads(line) for line in RESULTS.read_text().splitlines()]
    cell = {(r["lever"], r["world"], r["rate"]): r for r in found}
    cases = list(dict.fromkeys((r["world"], r["rate"]) for r in found))
    heads = [f"{world}, {rate} rps" for world, rate in cases]
    lines = ["| | " + " | ".join(heads) + " |", "| --- " * (len(cases) + 1) + "|"]
    for lever in LEVERS:
        cells = [_told(cell.get((lever, *case))) for case in cases]
        lines.append(f"| {lever} | " + " | ".join(cells) + " |")
    return lines


def _told(r: dict[str, Any] | None) -> str:
    if r is None:
        return "-"
    share = f"{100 * r['promoted']:.3g} %"
    return share if r["ratio"] is None else f"{r['ratio']:.2f} ({share})"
