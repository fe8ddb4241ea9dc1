"""``crossfade run`` as a person starts it: to its end, interrupted, and with a part that dies."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.embedded
EXAMPLE = Path(__file__).resolve().parents[2] / "workflows" / "examples" / "iris"


@pytest.fixture
def rollout(tmp_path: Path) -> Path:
    """The example, faster: 5 iterations of 3 s, and rewards that leave no doubt."""
    folder = tmp_path / "rollout"
    folder.mkdir()
    for file in EXAMPLE.glob("*.yaml"):
        text = file.read_text()
        if file.name == "experiment.yaml":
            text = text.replace("intervalSeconds: 10", "intervalSeconds: 3")
            text = text.replace("iterationsPerLoop: 15", "iterationsPerLoop: 5")
        if file.name == "rollout.yaml":
            text = text.replace("{iris-v1: 0.5, iris-v2: 0.8}", "{iris-v1: 0.1, iris-v2: 0.9}")
            text = text.replace("scrape_interval: 2", "scrape_interval: 1")
            text = text.replace("{name: evidence}", "{name: iter8, accept: [V9, V26, D30]}")
        (folder / file.name).write_text(text)
    return folder


class Running:
    """A run in a process of its own."""

    def __init__(self, rollout: Path, folder: Path, *before: str) -> None:
        heard = "signal.signal(signal.SIGINT, signal.default_int_handler)"  # also in a background
        code = f"import signal; {heard}; from crossfade.cli import main; main()"
        words = [*before, sys.executable, "-c", code, "run", str(rollout), "--folder", str(folder)]
        self.folder = folder
        self.process = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def entries(self) -> list[dict[str, Any]]:
        files = list(self.folder.glob("runs/*/record.jsonl"))
        lines = files[0].read_text().splitlines() if files else []
        return [json.loads(line) for line in lines]

    def wait_for(self, kind: str, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not any(entry["type"] == kind for entry in self.entries()):
            assert time.monotonic() < end, f"no {kind}: {self.entries()}"
            assert self.process.poll() is None
            time.sleep(0.1)

    def finish(self) -> tuple[int, str, str]:
        out, error = self.process.communicate(timeout=90)
        return self.process.returncode, out, error


def children_of(folder: Path) -> list[str]:
    """Return the command lines of processes that belong to a run's folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace").replace("\0", " ")
            environment = (path.parent / "cwd").readlink()
        except OSError:
            continue
        if str(folder) in words or str(folder) in str(environment):
            found.append(words)
    return found


def test_the_better_model_is_promoted_and_nothing_is_left(rollout: Path, tmp_path: Path) -> None:
    running = Running(rollout, tmp_path / "out")
    code, out, error = running.finish()

    assert (code, out.splitlines()[0]) == (0, "outcome: promoted, winner iris-v2"), error
    assert "iteration 5/5" in error
    assert children_of(tmp_path / "out") == []
    weights = [e["weights"]["iris-v2"] for e in running.entries() if e["type"] == "applied"]
    assert weights[0] <= 10
    assert weights[-1] >= 30


def test_an_interrupt_restores_the_baseline_and_ends_every_child(
    rollout: Path, tmp_path: Path
) -> None:
    running = Running(rollout, tmp_path / "out")
    running.wait_for("applied")
    running.process.send_signal(signal.SIGINT)
    code, out, _ = running.finish()

    assert (code, out.splitlines()[0]) == (3, "outcome: cancelled")
    assert running.entries()[-2] == {"type": "settled", "weights": {"iris-v1": 100, "iris-v2": 0}}
    assert children_of(tmp_path / "out") == []


def test_a_run_goes_on_when_its_terminal_and_its_reader_are_gone(
    rollout: Path, tmp_path: Path
) -> None:
    running = Running(rollout, tmp_path / "out", "nohup")
    running.wait_for("started")
    assert running.process.stderr is not None
    assert running.process.stdout is not None
    running.process.stderr.close()
    running.process.stdout.close()
    running.process.send_signal(signal.SIGHUP)
    running.process.wait(timeout=90)

    assert running.process.returncode == 0
    assert running.entries()[-1]["outcome"] == "promoted"
    assert children_of(tmp_path / "out") == []


@pytest.mark.parametrize("part", ["envoy", "prometheus", "ns-candidate-iris-default-2-model"])
def test_a_part_that_dies_ends_the_run_and_is_named(
    rollout: Path, tmp_path: Path, part: str
) -> None:
    running = Running(rollout, tmp_path / "out")
    running.wait_for("started")
    os.kill(pid_of(tmp_path / "out", part), signal.SIGKILL)
    code, out, _ = running.finish()

    assert (code, out.splitlines()[0]) == (3, "outcome: failed")
    assert f"{part} was killed by SIGKILL" in " ".join(out.split())
    assert running.entries()[-2] == {"type": "settled", "weights": {"iris-v1": 100, "iris-v2": 0}}
    assert children_of(tmp_path / "out") == []


def pid_of(folder: Path, part: str) -> int:
    """Return the process whose output goes to the part's log."""
    [log] = folder.glob(f"runs/*/logs/{part}.log")
    for path in Path("/proc").glob("[0-9]*/fd/1"):
        try:
            if path.resolve() == log and is_leader(int(path.parts[2])):
                return int(path.parts[2])
        except OSError:
            continue
    raise AssertionError(f"{part} does not run")


def is_leader(pid: int) -> bool:
    return os.getpgid(pid) == pid


def test_a_kind_that_is_not_known_here_is_refused_before_anything_starts(
    rollout: Path, tmp_path: Path
) -> None:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}}
    with (rollout / "baseline.yaml").open("a") as file:
        file.write("---\n" + yaml.safe_dump(service))
    code, _, error = Running(rollout, tmp_path / "out").finish()

    assert code == 2
    assert re.search(r"does not know Service .*\n\nhint: crossfade compile", error, re.DOTALL)
