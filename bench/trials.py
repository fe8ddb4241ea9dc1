"""The default policy on the embedded default: ``python bench/trials.py [TIMES [KIND...]]``.

The same model twice (under two names), a candidate of which 5 % of the answers are errors, and a
better one; real Envoy, Prometheus and Seldon's own model servers.  Each trial is one line of
``bench/trials.jsonl``; an interrupted series goes on where it was.  ``page`` writes
``docs/trials.md`` from it.
"""

from __future__ import annotations

import json
import pickle
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from crossfade import record

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "workflows" / "examples" / "iris"
RESULTS, PAGE = Path(__file__).with_name("trials.jsonl"), ROOT / "docs" / "trials.md"
INTERVAL, ITERATIONS, QPS, TIMES = 4, 15, 50, 20
ERRORS = 0.05
REWARDS = {"the same model twice": (0.5, 0.5), "5 % errors": (0.5, 0.8), "better": (0.5, 0.8)}
RIGHT = {"the same model twice": ("kept", "inconclusive"), "5 % errors": ("rolled-back",),
         "better": ("promoted",)}  # fmt: skip
CANDIDATE, VERSION = "ns-candidate", "iris-v2"


class Faulty:
    """A model that fails for a part of its requests; it is stored as what it evaluates to."""

    def __init__(self, path: Path, rate: float) -> None:
        self._text = (
            "(lambda m, r: __import__('types').SimpleNamespace(predict_proba=lambda x: "
            f"m.predict_proba(x) if r() >= {rate} else 1 / 0))"
            f"(__import__('joblib').load({str(path)!r}), __import__('random').random)"
        )

    def __reduce__(self) -> Any:
        """Return how it is built where it is loaded."""
        return eval, (self._text,)


def prepare(folder: Path, kind: str) -> Path:
    """Write the example as the trial wants it, and return its folder."""
    place = folder / "rollout"
    shutil.copytree(EXAMPLE, place)
    experiment = yaml.safe_load((place / "experiment.yaml").read_text())
    experiment["spec"]["duration"] = {"intervalSeconds": INTERVAL, "iterationsPerLoop": ITERATIONS}
    (place / "experiment.yaml").write_text(yaml.safe_dump(experiment))
    rollout = yaml.safe_load((place / "rollout.yaml").read_text())
    load = rollout["spec"]["load"][0]["feedback"]
    load["rewards"] = dict(zip(("iris-v1", VERSION), REWARDS[kind], strict=True))
    load["qps"] = QPS
    if kind == "the same model twice":
        rollout["spec"]["promote"] = {}
    if kind != "better":
        rollout["spec"]["models"] = {"gs://trial": str(_model(folder, kind))}
        documents = list(yaml.safe_load_all((place / "candidate.yaml").read_text()))
        graph = documents[1]["spec"]["predictors"][0]["graph"]
        graph.update(modelUri="gs://trial", implementation="SKLEARN_SERVER")
        (place / "candidate.yaml").write_text(yaml.safe_dump_all(documents))
    (place / "rollout.yaml").write_text(yaml.safe_dump(rollout))
    return place


def _model(folder: Path, kind: str) -> Path:
    """Return a folder with the baseline's model under another name, faulty if the trial says so."""
    cached = Path.home() / ".cache" / "crossfade" / "models" / "sklearn" / "iris" / "model.joblib"
    own = folder / "model"
    own.mkdir()
    if kind == "5 % errors":
        (own / "model.joblib").write_bytes(pickle.dumps(Faulty(cached, ERRORS)))
    else:
        shutil.copy(cached, own / "model.joblib")
    return own


def trial(kind: str) -> dict[str, Any]:
    """Carry one rollout out and return how it ended and what it cost."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        words = [Path(sys.executable).with_name("crossfade"), "run", prepare(folder, kind),
                 "--folder", folder / "state"]  # fmt: skip
        begin = time.monotonic()
        done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False)
        files = list((folder / "state").glob("runs/*/record.jsonl"))
        lines = files[0].read_text().splitlines() if files else []
        entries = [json.loads(line) for line in lines]
        took = time.monotonic() - begin
    outcome = record.last(entries, "outcome") or {"outcome": "none", "sentence": done.stderr[-500:]}
    decided = record.of_type(entries, "decision")
    return {
        "kind": kind, "date": time.strftime("%Y-%m-%d"), "outcome": outcome["outcome"],
        "sentence": outcome["sentence"], "iterations": len(decided), "seconds": round(took, 1),
        **_cost(decided),
    }  # fmt: skip


def _cost(decided: list[Mapping[str, Any]]) -> dict[str, float]:
    """Return how many requests the candidate answered, and how many of them badly."""
    counts = [entry["observation"]["readings"].get("default/error-rate", {}).get(VERSION, {})
              .get("counts") or {} for entry in decided]  # fmt: skip
    return {"answered": round(sum(c.get("count") or 0 for c in counts)),
            "bad": round(sum(c.get("total") or 0 for c in counts))}  # fmt: skip


def page() -> str:
    """Return the trials as a table."""
    lines = [json.loads(line) for line in RESULTS.read_text().splitlines()]
    rows = []
    for kind in REWARDS:
        own = [line for line in lines if line["kind"] == kind]
        if own:
            rows.append(_row(kind, own))
    head = ("candidate", "trials", "outcomes", "right", "iterations: median, most",
            "requests it answered: median, most", "bad ones: median, most")  # fmt: skip
    dates = ", ".join(sorted({line["date"] for line in lines}))
    text = (
        "Generated by `python bench/trials.py page`; `python bench/trials.py` plays the trials "
        f"({dates}). The example with the default policy, as `crossfade run` plays it: at most "
        f"{ITERATIONS} iterations of {INTERVAL} s, {QPS} requests a second, rewards 0.5 and 0.8 "
        "a request (0.5 and 0.5 for the same model). Up to four trials ran at once on two cores. "
        "In three of them more than 5 % of the answers really took over half a second, and the "
        "candidate was rolled back."
    )
    table = ["| " + " | ".join(map(str, row)) + " |"
             for row in (head, ["---"] * len(head), *rows)]  # fmt: skip
    return "\n".join(["# The default policy on one machine", "", text, "", *table, ""])


def _row(kind: str, own: list[dict[str, Any]]) -> tuple[Any, ...]:
    outcomes = Counter(line["outcome"] for line in own)
    right = sum(line["outcome"] in RIGHT[kind] for line in own)
    spreads = [
        f"{statistics.median(values):g}, {max(values)}"
        for key in ("iterations", "answered", "bad")
        if (values := [line[key] for line in own])
    ]
    told = ", ".join(f"{n} {w}" for w, n in outcomes.most_common())
    return (kind, len(own), told, f"{right} of {len(own)}", *spreads)


def main() -> None:
    """Play what is not played yet, the kinds in turn."""
    words = sys.argv[1:]
    if words != ["page"]:
        times = int(words[0]) if words else TIMES
        kinds = words[1:] or list(REWARDS)
        lines = RESULTS.read_text().splitlines() if RESULTS.exists() else []
        done = Counter(json.loads(line)["kind"] for line in lines)
        for n in range(times):
            for kind in kinds:
                if done[kind] <= n:
                    line = json.dumps(trial(kind))
                    print(line, flush=True)
                    with RESULTS.open("a", encoding="utf-8") as file:
                        file.write(line + "\n")
    PAGE.write_text(page())


if __name__ == "__main__":
    main()
