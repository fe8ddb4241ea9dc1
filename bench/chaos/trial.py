"""One trial: a rollout under load, one kill at a random time, and what must hold afterwards."""

from __future__ import annotations

import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any

import light
from kills import KILLS, MORE, Kill
from visitors import Visitors

from cluster import Cluster, Place, Trouble, until
from crossfade import record
from crossfade.errors import CrossfadeError
from crossfade.replay import replay
from crossfade_steps.cluster.kube import connect
from crossfade_steps.ports import ObjectKey

ITERATIONS = 8
INTERVAL = {"pod": 3, "nodes": 5}
START_UP, PROMOTION = 0.25, 0.2
"""The parts of kills that fall before the first iteration, and after the last one."""
START_SECONDS, PROMOTE_SECONDS = 30.0, 12.0
SPAN = {"pod": 80.0, "nodes": 110.0}
"""About how long several runs at once take: a kill of all of them falls evenly into it."""
SAFE_SECONDS = 60.0
LIVE_SECONDS = 300.0
NEAR_SECONDS = 2.0
"""A failed request so near to a change of weights is taken to be its fault."""
RATE = 20.0
CANCELLED = ("cancelled", "failed", "promotion-failed")
Entries = Sequence[Mapping[str, Any]]
Lines = list[dict[str, Any]]
PREPARE_SECONDS = 12.0
TROUBLES = (Trouble, CrossfadeError, subprocess.SubprocessError)


class Sampler(threading.Thread):
    """Reads the weights twice a second; a read that fails (no API) is no sample."""

    def __init__(self, here: Place) -> None:
        super().__init__(daemon=True)
        self._kube, self._done = connect(), threading.Event()
        self._key = ObjectKey("networking.istio.io", "VirtualService", here.name, "web")
        self.samples: list[tuple[float, tuple[int, ...]]] = []

    def run(self) -> None:
        """Read until told to stop."""
        while not self._done.wait(0.5):
            with suppress(CrossfadeError):
                stored = self._kube.get(self._key)
                if stored is not None:
                    routes = stored["spec"]["http"][0]["route"]
                    found = tuple(int(route.get("weight", 0)) for route in routes)
                    self.samples.append((time.time(), found))

    def stop(self) -> None:
        """Stop reading."""
        self._done.set()
        self.join(30)


ALL = {**KILLS, **MORE}


def play(cluster: Cluster, kind: str, loop: str, seed: int) -> dict[str, Any]:
    """Play a trial until its kill has hit, and judge it."""
    rng = Random(seed)
    for _ in range(5):
        with prepared(cluster, loop) as (here, path):
            found = _play(here, path, lambda h, run: _alone(h, run, rng, loop, ALL[kind]))
        if found is not None:
            return {"kind": kind, "loop": loop, "seed": seed, **found}
    raise Trouble(f"{kind}: five runs ended before they were hit")


def play_together(cluster: Cluster, kind: str, loop: str, seeds: Sequence[int]) -> Lines:
    """Play trials that one kill hits all at once, each at a random time of its own.

    A run that was over before is left out: it was not hit.
    """
    afters = [Random(seed).uniform(0, SPAN[loop]) for seed in seeds]
    at = time.time() + PREPARE_SECONDS + max(afters)
    struck, done = threading.Event(), threading.Event()

    def strike(here: Place, run: str) -> bool:
        over = bool((here.store(run).find() or {}).get("outcome"))
        _sleep_until(at)
        if not struck.is_set():
            struck.set()
            ALL[kind](here, run)
            done.set()
        return done.wait(120) and not over

    def one(case: tuple[int, float]) -> dict[str, Any] | None:
        try:
            with prepared(cluster, loop) as (here, path):
                _sleep_until(at - case[1])
                found = _play(here, path, strike)
        except TROUBLES as trouble:
            found = {"wrong": [str(trouble)[:400]]}
        return found and {"kind": kind, "loop": loop, "seed": case[0], **found}

    with ThreadPoolExecutor(len(seeds)) as pool:
        found = list(pool.map(one, zip(seeds, afters, strict=True)))
    return [line for line in found if line is not None]


def _sleep_until(when: float) -> None:
    time.sleep(max(0.0, when - time.time()))


def _alone(here: Place, run: str, rng: Random, loop: str, kill: Kill) -> bool:
    """Kill at a random point of the run's own progress, however busy the node is."""
    part = rng.random()
    if part < START_UP:
        time.sleep(rng.uniform(0, START_SECONDS))
    elif part < 1 - PROMOTION:
        here.iteration(run, rng.randint(1, ITERATIONS - 1), LIVE_SECONDS)
        time.sleep(rng.uniform(0, INTERVAL[loop]))
    else:
        here.iteration(run, ITERATIONS, LIVE_SECONDS)
        time.sleep(rng.uniform(0, PROMOTE_SECONDS))
    over = (here.store(run).find() or {}).get("outcome")
    return not over and kill(here, run)


@contextmanager
def prepared(cluster: Cluster, loop: str) -> Iterator[tuple[Place, Path]]:
    """Give a namespace with a rollout that may be submitted."""
    with cluster.place("chaos") as here, tempfile.TemporaryDirectory() as folder:
        path = here.write(Path(folder), here.rollout(
            iterations=ITERATIONS, interval=INTERVAL[loop], loop=loop, qps=30,
            candidate={"REWARD": "0.8"}))  # fmt: skip
        here.grant(path)
        yield here, path


def _play(here: Place, path: Path, strike: Callable[[Place, str], bool]) -> dict[str, Any] | None:
    """Return what became of a run that was hit, None for one that could not be."""
    run = here.submit(path)
    sampler, probe = Sampler(here), Visitors(here.cluster.gateway, light.host(here.name), RATE)
    sampler.start()
    probe.start()
    try:
        if not strike(here, run):
            return None
        hit = time.time()
        head = _ended(here, run)
        took = time.time() - hit
        time.sleep(3)
    finally:
        sampler.stop()
        probe.stop()
    entries = list(here.store(run).entries()) if head else []
    return {"at": when(entries, hit), "took": round(took, 1),
            **failures(probe.answers, entries),
            **judged(entries, head, sampler.samples, hit)}  # fmt: skip


def when(entries: Entries, hit: float) -> str:
    """Return what the record had last when the kill came: a phase, or an iteration."""
    known = [e for e in entries if "at" in e and float(e["at"]) <= hit]
    decided = record.last(known, "decision")
    if decided is None:
        return "start-up"
    number = decided["decision"]["iteration"]
    return "promotion" if decided["decision"]["outcome"] else f"iteration {number}"


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
    first = min((at for at, _, status in answers if status == 200), default=float("inf"))
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
