"""A metric store that cannot be reached, and traffic that was there before the run."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import light
import pytest
from visitors import Visitors

from cluster import Place
from crossfade import record

Places = Callable[[str], Place]
SILENT_SECONDS = 40.0
INTERVAL = 4
DNS_SECONDS = 10.0
"""How long a name that resolved to nothing may go on doing so."""


def decided(here: Place, run: str) -> Sequence[Mapping[str, Any]]:
    """Return the decisions of a run so far."""
    return record.of_type(here.store(run).entries(), "decision")


def point(here: Place, target: str) -> None:
    """Point the name that the run knows its store by at another one."""
    patch = json.dumps({"spec": {"externalName": target}})
    here.cluster.kubectl("patch", "service", "store", "-n", here.name, "--type=merge", "-p", patch)


@pytest.mark.minutes(3)
def test_without_a_metric_store_nothing_moves_and_then_it_goes_on(
    place: Places, tmp_path: Path
) -> None:
    here = place("silence")
    here.cluster.apply(light.alias("store", light.STORE), namespace=here.name)
    url = f"http://store.{here.name}.svc.cluster.local:9090"
    path = here.prepare(tmp_path, iterations=60, interval=INTERVAL, qps=60,
                        candidate={"REWARD": "0.42"}, policy={"name": "evidence"},
                        prometheus={"url": url, "scrape_interval": 2})  # fmt: skip
    run = here.submit(path)
    here.iteration(run, 3)
    assert here.weights() != (100, 0)

    point(here, "nowhere.invalid")
    time.sleep(DNS_SECONDS)
    held, before = here.weights(), len(decided(here, run))
    time.sleep(SILENT_SECONDS)
    silent = decided(here, run)[before:]
    assert here.weights() == held
    assert len(silent) >= SILENT_SECONDS / INTERVAL - 2
    assert {tuple(e["decision"]["weights"].values()) for e in silent} == {held}
    assert all("no data" in e["decision"]["reason"] for e in silent), silent[-1]["decision"]
    assert not (here.store(run).find() or {}).get("outcome")

    point(here, light.STORE)
    back = time.time()
    while "no data" in decided(here, run)[-1]["decision"]["reason"]:
        assert time.time() - back < DNS_SECONDS + 2 * INTERVAL + 5, here.told(run)
        time.sleep(0.5)
    assert here.cluster.crossfade("abort", "-n", here.name, run).code == 0
    assert here.outcome(run)["outcome"] == "cancelled"


@pytest.mark.minutes(3)
def test_traffic_that_was_there_before_is_known_before_the_first_iteration(
    place: Places, tmp_path: Path
) -> None:
    here = place("known")
    document = here.rollout(iterations=15, interval=6, policy={"name": "evidence"}, load=[])
    image, spec = here.cluster.images["executor"], document["spec"]
    only = light.route(here.name)
    here.cluster.apply(light.deployment(light.BASELINE, image, light.GOOD),
                       light.service(light.BASELINE), only, namespace=here.name)  # fmt: skip
    here.cluster.kubectl("rollout", "status", "deployment", light.BASELINE, "-n", here.name)
    spec["deploy"] = [m for m in spec["deploy"] if m["metadata"]["name"] == light.CANDIDATE]
    path = here.write(tmp_path, document)
    here.grant(path)
    users = Visitors(here.cluster.gateway, light.host(here.name), rate=40)
    users.start()
    try:
        time.sleep(12)
        run = here.submit(path)
        here.iteration(run, 1)
        entries = here.store(run).entries()
        ended = here.outcome(run)
    finally:
        users.stop()

    first, started = record.last(entries, "decision"), record.last(entries, "started")
    assert first is not None, entries
    assert started is not None, entries
    assert first["decision"]["weights"][light.CANDIDATE] > 0, first["decision"]
    assert float(first["at"]) - float(started["start"]) < 6 + 3, "due when it began"
    assert ended["outcome"] == "promoted", ended
    good = min(at for at, _, status in users.answers if status == 200)
    failed = [(round(at - good, 1), version, status) for at, version, status in users.answers
              if at > good and status != 200]  # fmt: skip
    assert failed == [], "a request failed after the first good one"
