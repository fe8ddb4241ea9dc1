"""Measurements that no test asserts: run ``make bench`` and read.

Compile time against the bare import of Hera, a step's start-up, decision time, the own cost of an
iteration, and what a change of weights costs the users behind a real Envoy.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deciding import BAD

from crossfade import policies
from crossfade.policies.iter8 import decide
from crossfade.spec.experiment import Experiment
from crossfade.spec.loading import load
from crossfade.spec.metric import Metric
from crossfade.verdict import Observation, Reading
from crossfade_steps import metrics
from crossfade_steps.reading import observe

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "workflows" / "examples" / "iris"


def show(what: str, value: str) -> None:
    """Print one measurement."""
    print(f"{what:<58} {value}", flush=True)


def process(code: str) -> tuple[float, float, float]:
    """Return wall seconds, CPU seconds and peak MiB of a Python process (best of 5 runs)."""
    runs = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        begin = time.perf_counter()
        tail = "\nimport resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        result = subprocess.run(
            [sys.executable, "-c", code + tail], capture_output=True, text=True, check=True
        )
        wall = time.perf_counter() - begin
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        runs.append((wall, cpu, int(result.stdout.split()[-1]) / 1024))
    return min(runs)


def milliseconds(work: Callable[[], Any], times: int) -> float:
    """Return the median milliseconds of a call."""
    samples = []
    for _ in range(times):
        begin = time.perf_counter()
        work()
        samples.append(1000 * (time.perf_counter() - begin))
    return statistics.median(samples)


def compiling() -> None:
    """Compare a whole compile with the bare import of Hera."""
    bare = process("import hera.workflows")
    code = (
        "from pathlib import Path; from crossfade.spec.loading import load\n"
        "from crossfade.compiler import compile_text\n"
        f"compile_text(load([Path({str(EXAMPLE)!r})]).bundle)"
    )
    whole = process(code)
    show("import hera.workflows", f"{bare[0]:.2f} s, {bare[2]:.0f} MiB")
    show("load and compile the example", f"{whole[0]:.2f} s, {whole[2]:.0f} MiB")
    show("compile / bare import", f"{whole[0] / bare[0]:.2f}")


def start_up() -> None:
    """Measure what a step's container imports before it does anything."""
    wall, cpu, memory = process(
        "import crossfade_steps.iteration, crossfade_steps.metrics.prometheus, "
        "crossfade_steps.routers.objects"
    )
    show("start-up of an evaluating step", f"{wall:.2f} s, CPU {cpu:.2f} s, {memory:.0f} MiB")


def large() -> tuple[Experiment, dict[str, Metric]]:
    """Return an experiment of 10 versions and 20 metrics."""
    names = [f"v{i}" for i in range(10)]
    objectives = [{"metric": f"m{i}", "upperLimit": 2} for i in range(19)]
    document = {
        "apiVersion": "iter8.tools/v2alpha2",
        "kind": "Experiment",
        "spec": {
            "target": "t",
            "strategy": {"testingPattern": "A/B/N"},
            "criteria": {
                "objectives": objectives,
                "rewards": [{"metric": "m19", "preferredDirection": "High"}],
            },
            "versionInfo": {
                "baseline": {"name": "v0"},
                "candidates": [{"name": name} for name in names[1:]],
            },
        },
    }
    found = {}
    for i in range(20):
        mock = [{"name": name, "level": 1 + 0.01 * k} for k, name in enumerate(names)]
        found[f"default/m{i}"] = Metric.model_validate(
            {"apiVersion": "iter8.tools/v2alpha2", "kind": "Metric",
             "metadata": {"name": f"m{i}"}, "spec": {"mock": mock}}
        )  # fmt: skip
    return Experiment.model_validate(document), found


def deciding() -> None:
    """Measure one decision, and an iteration whose metrics cost nothing."""
    experiment, found = large()
    weights = {v.name: 10 for v in experiment.versions}
    readings = {k: {v.name: Reading(1.0) for v in experiment.versions} for k in found}
    seen = Observation(1, 10, weights, readings)
    settings = policies.load("iter8").Settings()
    took = milliseconds(lambda: decide(experiment, settings, seen, {}), 200)
    show("one decision by iter8, 10 versions x 20 metrics", f"{took:.2f} ms")
    _proving(experiment, list(found))
    sources = metrics.connect(found, {})
    took = milliseconds(
        lambda: observe(experiment, found, sources, iteration=1, elapsed_seconds=1,
                        weights=weights, budget_seconds=5), 50)  # fmt: skip
    show("reading 200 values that cost nothing (own overhead)", f"{took:.1f} ms")


def _proving(experiment: Experiment, keys: list[str]) -> None:
    """Measure 1,000 decisions of one run by the default policy."""
    from deciding import thousand

    told = thousand(long(experiment), keys)
    show("one of 1,000 decisions by evidence, the same size", f"{told['median']:.2f} ms")
    show("  the first hundred, the last hundred", f"{told['first']:.2f}, {told['last']:.2f} ms")
    show(
        "  stored state after 10, after all", f"{told['state_10']:.1f}, {told['state_end']:.1f} KiB"
    )
    show(
        "  peak memory of one after 10, after all",
        f"{told['peak_10']:.0f}, {told['peak_end']:.0f} KiB",
    )


def long(experiment: Experiment) -> Experiment:
    """Return the experiment with limits that its mock values do not prove, for ever."""
    document = experiment.model_dump(mode="json", by_alias=True)
    document["spec"]["duration"] = {"intervalSeconds": 60, "iterationsPerLoop": 10**6}
    for objective in document["spec"]["criteria"]["objectives"]:
        objective["upperLimit"] = BAD
    return Experiment.model_validate(document)


def iterating() -> None:
    """Measure a whole iteration in a run: read mock metrics, decide, record, write, read back."""
    from iterating import seconds_per_iteration

    show("one iteration without provider time, record on disk",
         f"{1000 * seconds_per_iteration(200):.1f} ms")  # fmt: skip


def shifting() -> None:
    """Change weights 100 times under 200 requests a second, and count what users saw."""
    from shifting import shift_under_load

    loaded = load([EXAMPLE])
    assert loaded.bundle is not None
    with tempfile.TemporaryDirectory() as folder:
        shift_under_load(loaded.bundle, Path(folder), show)


def main() -> None:
    """Run every measurement, or those named on the command line."""
    parts = {"compile": compiling, "start": start_up, "decide": deciding, "iterate": iterating,
             "shift": shifting}  # fmt: skip
    for name in sys.argv[1:] or parts:
        parts[name]()


if __name__ == "__main__":
    os.environ.pop("CROSSFADE_GOLDEN", None)
    main()
