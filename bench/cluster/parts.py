"""The measurements themselves, one function each."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import light
import results
from observing import Watched
from visitors import Visitors

from cluster import Cluster, Place, until
from crossfade import record

EDGE_SECONDS = 0.5
"""Around each change of weights: the gateway hears of it a moment later."""


@contextmanager
def started(cluster: Cluster, label: str, **options: Any) -> Iterator[tuple[Place, str, float]]:
    """Submit a light rollout in a namespace of its own; gives it, the run, and when it began."""
    with cluster.place(label) as here, tempfile.TemporaryDirectory() as folder:
        path = here.write(Path(folder), here.rollout(**options))
        here.grant(path)
        begin = time.time()
        yield here, here.submit(path), begin


def measured(here: Place, run: str, begin: float, interval: int) -> dict[str, Any]:
    """Return what a run's record and its Workflow say of time and size."""
    entries = list(here.store(run).entries())
    start = float(record.last(entries, "started")["start"])  # type: ignore[index]
    decided = record.of_type(entries, "decision")
    applied = {entry["iteration"]: entry["at"] for entry in record.of_type(entries, "applied")}
    late = [entry["at"] - (start + (i + 1) * interval) for i, entry in enumerate(decided)]
    written = [applied[i + 1] - entry["at"] for i, entry in enumerate(decided) if i + 1 in applied]
    outcome = record.last(entries, "outcome")
    workflow = here.get("workflow", run)
    pods = [n for n in workflow["status"]["nodes"].values() if n["type"] == "Pod"]
    return {
        "iterations": len(decided), "interval": interval, "late": [round(x, 3) for x in late],
        "written": [round(x, 3) for x in written],
        "iterating": round(max(applied.values()) - start, 2), "start_up": round(start - begin, 1),
        "total": round(outcome["at"] - begin, 1), "outcome": outcome["outcome"],  # type: ignore[index]
        "pods": len(pods), "workflow_kib": round(len(json.dumps(workflow)) / 1024, 1),
    }  # fmt: skip


def timing(cluster: Cluster) -> None:
    """Measure both loops at both intervals."""
    for interval in (10, 30):
        for loop in ("pod", "nodes"):
            options = {"loop": loop, "iterations": 10, "interval": interval}
            with started(cluster, f"timing-{loop}", **options) as (here, run, begin):
                watched = Watched(cluster, run, 2.0)
                watched.start()
                here.outcome(run, 900)
                watched.stop()
                time.sleep(2)
                values = measured(here, run, begin, interval)
            memory = [value for _, value in watched.memory]
            results.keep("timing", loop=loop, **values, memory_mib=round(max(memory, default=0), 1),
                 cpu_seconds=round(sum(watched.cpu.values()), 2))  # fmt: skip


def split(cluster: Cluster) -> None:
    """Count who answered between two changes of weights."""
    for loop in ("pod", "nodes"):
        options = {"loop": loop, "iterations": 10, "interval": 10, "qps": 20}
        with started(cluster, f"split-{loop}", **options) as (here, run, _):
            here.iteration(run, 1)
            probe = Visitors(cluster.gateway, light.host(here.name), rate=250)
            probe.start()
            here.outcome(run, 600)
            probe.stop()
            rows = _shares(list(here.store(run).entries()), probe.answers)
        failed = sum(status != 200 for _, _, status in probe.answers)
        results.keep("split", loop=loop, rows=rows, requests=len(probe.answers), failed=failed)


def _shares(
    entries: list[Any], answers: list[tuple[float, str, int]]
) -> list[tuple[int, int, float, int]]:
    """Return iteration, weight set, percent observed and requests, for each spell of weights."""
    applied = record.of_type(entries, "applied")
    ends = [entry["at"] for entry in applied[1:]]
    rows = []
    for entry, end in zip(applied, ends, strict=False):
        own = [version for at, version, _ in answers
               if entry["at"] + EDGE_SECONDS <= at <= end - EDGE_SECONDS]  # fmt: skip
        if len(own) >= 500:
            share = 100 * own.count(light.CANDIDATE) / len(own)
            weight = entry["weights"][light.CANDIDATE]
            rows.append((entry["iteration"], weight, round(share, 1), len(own)))
    return rows


def thousand(cluster: Cluster) -> None:
    """Run 1,000 iterations of a second."""
    options = {"iterations": 1000, "interval": 1, "qps": 10, "candidate": {"REWARD": "0.42"},
               "deadline": "40m"}  # fmt: skip
    with started(cluster, "thousand", **options) as (here, run, begin):
        watched = Watched(cluster, run, 10.0)
        watched.start()
        here.outcome(run, 2400)
        watched.stop()
        time.sleep(2)
        values = measured(here, run, begin, 1)
        logs = [n for n in here.names("configmaps") if n.startswith(f"{run}-log")]
    late = values.pop("late")
    values.pop("written")
    memory = [value for _, value in watched.memory]
    results.keep("thousand", **values, late_most=max(late), late_median=statistics.median(late),
         memory_first=round(statistics.mean(memory[1:6]), 1),
         memory_last=round(statistics.mean(memory[-5:]), 1), logs=len(logs))  # fmt: skip


def many(cluster: Cluster, count: int = 25) -> None:
    """Run 25 rollouts at once in one namespace, over two servers that they share."""
    with cluster.place("many") as here, tempfile.TemporaryDirectory() as folder:
        _shared_servers(here)
        paths = [_one_of_many(here, Path(folder), i) for i in range(count)]
        for path in paths:
            here.grant(path)
        runs = [here.submit(path) for path in paths]
        outcomes = [here.outcome(run, 1500)["outcome"] for run in runs]
        late = []
        for run in runs:
            entries = list(here.store(run).entries())
            start = float(record.last(entries, "started")["start"])  # type: ignore[index]
            late += [entry["at"] - (start + (i + 1) * 10)
                     for i, entry in enumerate(record.of_type(entries, "decision"))]  # fmt: skip
        weights = Counter(
            str([r["weight"] for r in here.get("virtualservice", f"web-{i}")
                 ["spec"]["http"][0]["route"]]) for i in range(count)
        )  # fmt: skip
    results.keep("many", count=count, outcomes=Counter(outcomes), weights=weights,
         late_most=round(max(late), 2), late_median=round(statistics.median(late), 2))  # fmt: skip


def _shared_servers(here: Place) -> None:
    image = here.cluster.images["executor"]
    servers = [light.deployment(light.BASELINE, image, light.GOOD), light.service(light.BASELINE),
               light.deployment(light.CANDIDATE, image, light.BETTER),
               light.service(light.CANDIDATE)]  # fmt: skip
    load = [_steady_load(here, name) for name in (light.BASELINE, light.CANDIDATE)]
    here.cluster.apply(*servers, *load, namespace=here.name)
    until(lambda: here.get("deployment", light.CANDIDATE)["status"].get("availableReplicas"),
          "the servers", 90)  # fmt: skip


def _steady_load(here: Place, name: str) -> dict[str, Any]:
    args = [
        "load",
        "-qps",
        "30",
        "-t",
        "0",
        "-quiet",
        f"http://{name}.{here.name}.svc.cluster.local/",
    ]
    container = {"name": "fortio", "image": here.cluster.images["fortio"], "command": ["fortio"],
                 "args": args}  # fmt: skip
    spec = {"restartPolicy": "Never", "containers": [container]}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": f"steady-{name}"},
            "spec": {"activeDeadlineSeconds": 1800, "template": {"spec": spec}}}  # fmt: skip


def _one_of_many(here: Place, folder: Path, i: int) -> Path:
    document = here.rollout(iterations=6, interval=10)
    text = json.dumps(document).replace('"web"', f'"web-{i}"')
    document = json.loads(text)
    route = document["spec"]["deploy"][-1]
    route["spec"]["hosts"] = [f"web-{i}.{here.name}.example.com"]
    document["spec"].update(deploy=[route], promote={}, load=[])
    own = folder / str(i)
    own.mkdir()
    return here.write(own, document)


PARTS = {"timing": timing, "split": split, "thousand": thousand, "many": many}
