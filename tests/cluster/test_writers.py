"""Others who write while a run goes on: a self-healing GitOps tool, a person, an autoscaler."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cluster import Place
from crossfade import record

Places = Callable[[str], Place]
ITERATIONS = 8


def write(here: Place, *weights: int) -> None:
    """Set the weights as somebody else would."""
    path = "/spec/http/0/route/{}/weight"
    patch = [{"op": "add", "path": path.format(i), "value": w} for i, w in enumerate(weights)]
    here.cluster.kubectl("patch", "virtualservice", "web", "-n", here.name, "--type=json", "-p",
                         json.dumps(patch))  # fmt: skip


@contextmanager
def healing(here: Place, seconds: float) -> Iterator[None]:
    """Write what a repository says again and again, as Argo CD's self-heal does."""
    done = threading.Event()

    def heal() -> None:
        while not done.wait(seconds):
            write(here, 100, 0)

    healer = threading.Thread(target=heal, daemon=True)
    healer.start()
    try:
        yield
    finally:
        done.set()
        healer.join(30)


@pytest.mark.minutes(2)
def test_a_writer_that_does_not_give_up_ends_the_run_as_contested(
    place: Places, tmp_path: Path
) -> None:
    here = place("healed")
    run = here.submit(here.prepare(tmp_path, iterations=ITERATIONS))
    here.iteration(run, 1)

    with healing(here, 1.0):
        ended = here.outcome(run)

    assert ended["outcome"] == "contested", ended
    assert "somebody else set the weights" in ended["sentence"]
    entries = here.store(run).entries()
    assert len(record.of_type(entries, "put-back")) == 3
    assert here.weights() == (100, 0)


@pytest.mark.minutes(2)
def test_what_a_person_sets_once_is_put_back_and_the_run_goes_on(
    place: Places, tmp_path: Path
) -> None:
    here = place("person")
    run = here.submit(here.prepare(tmp_path, iterations=ITERATIONS))
    here.iteration(run, 2)

    write(here, 1, 99)

    assert here.outcome(run)["outcome"] == "promoted"
    entries = here.store(run).entries()
    found = [entry["found"] for entry in record.of_type(entries, "put-back")]
    assert found == [{"web-v1": 1, "web-v2": 99}]
    disturbed = [e["observation"]["disturbed"] > 0 for e in record.of_type(entries, "decision")]
    assert sum(disturbed) == 1


@pytest.mark.minutes(2)
def test_an_autoscaler_s_change_of_replicas_is_nobody_s_business(
    place: Places, tmp_path: Path
) -> None:
    here = place("scaled")
    run = here.submit(here.prepare(tmp_path, iterations=ITERATIONS))
    here.iteration(run, 2)

    here.cluster.kubectl("scale", "deployment", "web-v2", "-n", here.name, "--replicas=2")

    assert here.outcome(run)["outcome"] == "promoted"
    entries = here.store(run).entries()
    numbers = [e["decision"]["iteration"] for e in record.of_type(entries, "decision")]
    assert numbers == list(range(1, ITERATIONS + 1))
