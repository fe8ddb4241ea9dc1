"""How fast a breach is answered, and that a routed object has one owner at a time."""

from __future__ import annotations

import itertools
import statistics
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import light
import requests
import results

from cluster import Cluster, Place, Trouble, until
from crossfade.errors import CrossfadeError
from crossfade_steps.clock import SystemClock
from crossfade_steps.cluster.kube import connect
from crossfade_steps.cluster.lease import Lease
from crossfade_steps.ports import ObjectKey

STEP_SECONDS = 0.2
PROMETHEUS_PORT = 9095
AT_ONCE = 5
LIMIT = 0.05
BREACHES = (("evidence", "pod", 20, 5), ("evidence", "nodes", 5, 1))
"""Policy, loop, runs, and how many at once: a pod an iteration is two cores' work for few runs."""
INTERVAL = 10
ROUNDS, CONTENDERS, WORKFLOWS = 200, 8, 20


def breach(cluster: Cluster) -> None:
    """Let a candidate break its error rate in mid-run; time from visible to weight 0 written."""
    for policy, loop, runs, at_once in BREACHES:
        with ThreadPoolExecutor(at_once) as pool:
            took = list(pool.map(lambda _, p=policy, o=loop: _breached(cluster, p, o),
                                 range(runs)))  # fmt: skip
        results.keep("breach", policy=policy, loop=loop, interval=INTERVAL, runs=runs,
                     at_once=at_once,
                     median=round(statistics.median(took), 1), most=round(max(took), 1),
                     took=[round(each, 1) for each in took])  # fmt: skip


def _breached(cluster: Cluster, policy: str, loop: str) -> float:
    accept = {"accept": light.ACCEPT} if policy == "iter8" else {}
    candidate = {"REWARD": "0.8", "ERRORS": "0.5", "ERRORS_AFTER": "75"}
    with cluster.place("breach") as here, tempfile.TemporaryDirectory() as folder:
        document = here.rollout(iterations=30, interval=INTERVAL, loop=loop, candidate=candidate,
                                qps=60, policy={"name": policy, **accept})  # fmt: skip
        path = here.write(Path(folder), document)
        here.grant(path)
        run = here.submit(path)
        here.iteration(run, 1)
        seen = _when(lambda: _error_rate(here) > LIMIT, 150)
        back = _when(lambda: here.weights() == (100, 0), 60)
        ended = here.outcome(run, 120)
        if ended["outcome"] != "rolled-back":
            raise Trouble(f"{run}: {ended}")
    return back - seen


def _when(holds: Any, seconds: float) -> float:
    """Return when something began to hold (seconds since the epoch)."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return time.time()
        time.sleep(STEP_SECONDS)
    raise Trouble(f"not within {seconds} s")


def _error_rate(here: Place) -> float:
    own = f"app='{light.CANDIDATE}',namespace='{here.name}'"
    query = light.QUERIES["error-rate"].format(own=own, window=10)
    url = f"{here.cluster.gateway}:{PROMETHEUS_PORT}/api/v1/query"
    result = requests.get(url, params={"query": query}, timeout=5).json()["data"]["result"]
    return float(result[0]["value"][1]) if result else 0.0


def contend(cluster: Cluster) -> None:
    """Let eight contenders want one object's Lease, again and again; then twenty Workflows."""
    with cluster.place("contend") as here:
        owners = Counter(_round(here, n) for n in range(ROUNDS))
        results.keep("lease", rounds=ROUNDS, contenders=CONTENDERS,
                     owners_a_round={str(k): v for k, v in owners.items()})  # fmt: skip
    with cluster.place("crowd") as here, tempfile.TemporaryDirectory() as folder:
        results.keep("crowd", workflows=WORKFLOWS, **_crowd(here, Path(folder)))


def _round(here: Place, n: int) -> int:
    """Return how many of the contenders became the owner of one object."""
    routed = ObjectKey("networking.istio.io", "VirtualService", here.name, "web")
    leases = [Lease(connect(), routed, f"{here.name}/run-{n}-{i}", SystemClock())
              for i in range(CONTENDERS)]  # fmt: skip
    ready, won = threading.Barrier(CONTENDERS), []

    def take(lease: Lease) -> None:
        ready.wait()
        try:
            lease.take()
            won.append(lease)
        except CrossfadeError:
            return

    with ThreadPoolExecutor(CONTENDERS) as pool:
        list(pool.map(take, leases))
    for lease in won:
        lease.release()
    return len(won)


def _crowd(here: Place, folder: Path) -> dict[str, Any]:
    """Submit many rollouts of one route at once; count how they end and owners that overlap."""
    path = here.write(folder, here.rollout(iterations=3, interval=3))
    here.grant(path)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        runs = list(pool.map(lambda _: here.submit(path), range(WORKFLOWS)))
    ended = [until(lambda r=run: _over(here, r), run, 1200, lambda r=run: here.told(r))
             for run in runs]  # fmt: skip
    spells = sorted(spell for run in runs if (spell := _owned(here, run)) is not None)
    overlaps = sum(b[0] < a[1] for a, b in itertools.pairwise(spells))
    refused = sum("being changed by run" in head.get("sentence", "") for head in ended)
    return {"outcomes": dict(Counter(head["outcome"] for head in ended)),
            "refused_with_the_owner": refused, "owners": len(spells),
            "overlaps": overlaps, "weights": list(here.weights())}  # fmt: skip


def _over(here: Place, run: str) -> dict[str, str] | None:
    head = here.store(run).find() or {}
    return head if head.get("outcome") else None


def _owned(here: Place, run: str) -> tuple[float, float] | None:
    """Return from when to when a run changed weights, None for one that never did."""
    stamped = [float(entry["at"]) for entry in here.store(run).entries()
               if entry["type"] in ("decision", "applied") and "at" in entry]  # fmt: skip
    return (min(stamped), max(stamped)) if stamped else None


PARTS = {"breach": breach, "contend": contend}
