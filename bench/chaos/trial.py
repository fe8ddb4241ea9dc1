"""One trial: a rollout under load, one kill at a random time, and what must hold afterwards."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import light
from kills import KILLS
from observing import Probe

from cluster import Cluster, Place, Trouble, until
from crossfade import record
from crossfade.errors import CrossfadeError
from crossfade.replay import replay

ITERATIONS = 8
INTERVAL = {"pod": 3, "nodes": 5}
SPAN = {"pod": 50.0, "nodes": 80.0}
"""About how long an undisturbed run takes: kills fall evenly into it (seconds)."""
SAFE_SECONDS = 60.0
LIVE_SECONDS = 300.0
NEAR_SECONDS = 2.0
"""A failed request so near to a change of weights is taken to be its fault."""
RATE = 20.0
CANCELLED = ("cancelled", "failed", "promotion-failed")
Entries = Sequence[Mapping[str, Any]]


class Sampler(threading.Thread):
    """Reads the weights twice a second; a read that fails (no API) is no sample."""

    def __init__(self, here: Place) -> None:
        super().__init__(daemon=True)
        self._here, self._done = here, threading.Event()
        self.samples: list[tuple[float, tuple[int, ...]]] = []

    def run(self) -> None:
        """Read until told to stop."""
        while not self._done.wait(0.5):
            with suppress(Trouble, KeyError, IndexError):
                self.samples.append((time.time(), self._here.weights()))

    def stop(self) -> None:
        """Stop reading."""
        self._done.set()
        self.join(30)


def play(cluster: Cluster, kind: str, loop: str, seed: int) -> dict[str, Any]:
    """Play a trial until its kill has hit, and judge it."""
    rng = Random(seed)
    for _ in range(5):
        with cluster.place("chaos") as here, tempfile.TemporaryDirectory() as folder:
            path = here.write(Path(folder), here.rollout(
                iterations=ITERATIONS, interval=INTERVAL[loop], loop=loop, qps=30,
                candidate={"REWARD": "0.8"}))  # fmt: skip
            here.grant(path)
            found = _play(here, here.submit(path), kind, loop, rng)
        if found is not None:
            return {"kind": kind, "loop": loop, "seed": seed, **found}
    raise Trouble(f"{kind}: five runs ended before they were hit")


def _play(here: Place, run: str, kind: str, loop: str, rng: Random) -> dict[str, Any] | None:
    """Return what became of a run that was hit, None for one that could not be."""
    sampler, probe = Sampler(here), Probe(here.cluster.gateway, light.host(here.name), RATE)
    sampler.start()
    probe.start()
    try:
        after = rng.uniform(0, SPAN[loop])
        time.sleep(after)
        state = here.store(run).find() or {}
        if state.get("outcome") or not KILLS[kind](here, run):
            return None
        hit = time.time()
        head = _ended(here, run)
        took = time.time() - hit
        time.sleep(3)
    finally:
        sampler.stop()
        probe.stop()
    entries = list(here.store(run).entries()) if head else []
    return {"after": round(after, 1), "phase": state.get("phase", "none"),
            "iteration": int(state.get("iteration", 0)), "took": round(took, 1),
            **failures(probe.answers, entries),
            **judged(entries, head, sampler.samples, hit)}  # fmt: skip


def _ended(here: Place, run: str) -> dict[str, str]:
    """Wait for the outcome; a run that died before it began has none, and nothing to restore."""
    store, gone_at = here.store(run), time.monotonic() + SAFE_SECONDS

    def over() -> dict[str, str] | None:
        with suppress(CrossfadeError):
            head = store.find()
            if head is not None and head.get("outcome"):
                return head
            if head is None and time.monotonic() > gone_at:
                return {}
        return None

    found: dict[str, str] = until(over, f"{run} is over", LIVE_SECONDS, lambda: here.told(run))
    return found


def failures(answers: Sequence[tuple[float, str, int]], entries: Entries) -> dict[str, Any]:
    """Count failed requests since the first good one, and those near a change of weights."""
    first = min((at for at, _, status in answers if status == 200), default=0.0)
    failed = [at for at, _, status in answers if at > first and status != 200]
    moved = [float(e["at"]) for e in entries if e["type"] in ("applied", "settled") and "at" in e]
    near = [at for at in failed if any(abs(at - when) < NEAR_SECONDS for when in moved)]
    served = sum(status == 200 for _, _, status in answers)
    return {"requests": served, "failed": len(failed), "near_a_change": len(near)}


def judged(
    entries: Entries, head: Mapping[str, str], samples: Sequence[tuple[float, tuple[int, ...]]],
    hit: float,
) -> dict[str, Any]:  # fmt: skip
    """Say whether everything held, and if not, what did not."""
    wrong = [f"weights {w}" for _, w in samples
             if sum(w) != 100 or not all(0 <= each <= 100 for each in w)]  # fmt: skip
    phase = record.last_phase(entries)
    safe = tuple(phase[1].values()) if phase is not None and phase[1] else (100, 0)
    if samples and samples[-1][1] != safe:
        wrong.append(f"weights {samples[-1][1]} at the end, expected {safe}")
    unsafe = [at for at, weights in samples if at >= hit and weights != safe]
    ended = not head or head["outcome"] in CANCELLED
    safe_after = round(max(unsafe, default=hit) - hit, 1)
    if ended and safe_after > SAFE_SECONDS:
        wrong.append(f"safe weights after {safe_after} s")
    decided = record.of_type(entries, "decision")
    numbers = [int(entry["decision"]["iteration"]) for entry in decided]
    if numbers != list(range(1, len(numbers) + 1)):
        wrong.append(f"iterations {numbers}")
    if entries:
        wrong += [f"replay: {r.difference}" for r in replay(entries) if r.difference]
    return {"outcome": head.get("outcome", "never began"), "ended": ended,
            "safe_after": safe_after if ended else None, "samples": len(samples),
            "decisions": len(numbers), "wrong": list(dict.fromkeys(wrong))[:5]}  # fmt: skip
