"""``crossfade list``: every run of a namespace, for people and for programs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fake_kube import NAMESPACE, RUN, iterating

from crossfade import record
from crossfade.cli import listing
from crossfade.verdict import Outcome


def stored(name: str, made: str, **data: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "shop", "creationTimestamp": made}
    return {"metadata": metadata, "data": data}


def test_the_newest_run_is_last_and_what_is_not_known_is_null() -> None:
    weights = json.dumps({"v1": 90, "v2": 10})
    found = listing.listed([
        stored("b", "2026-01-02T00:00:00Z", phase="iterating", iteration="3", iterations="15",
               weights=weights, sentence="on", experiment="e"),
        stored("a", "2026-01-01T00:00:00Z", phase="checking", outcome="", winner=""),
    ])  # fmt: skip

    assert [run["run"] for run in found] == ["a", "b"]
    assert found[0].keys() == found[1].keys()
    assert found[0] == {
        "run": "a", "namespace": "shop", "created": "2026-01-01T00:00:00Z", "experiment": None,
        "phase": "checking", "outcome": None, "winner": None, "iteration": 0,
        "planned_iterations": None, "decided_weights": None, "sentence": None,
    }  # fmt: skip
    assert found[1]["decided_weights"] == {"v1": 90, "v2": 10}
    assert (found[1]["iteration"], found[1]["planned_iterations"]) == (3, 15)


@pytest.mark.parametrize("as_json", [False, True])
def test_a_run_is_listed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    cluster = iterating()
    head = {"metadata": {"creationTimestamp": "2026-01-01T00:00:00Z"}}
    cluster.fake.merge(cluster.stage.store._head, head)
    cluster.stage.store.append(record.outcome(Outcome.KEPT, "no better", None))
    monkeypatch.setattr(listing, "reached", lambda: cluster.stage.kube)

    listing.runs(NAMESPACE, as_json=as_json)

    text = capsys.readouterr().out
    if as_json:
        [run] = json.loads(text)
        assert (run["run"], run["outcome"], run["winner"]) == (RUN, "kept", None)
    else:
        assert text.split() == [RUN, "kept", "0/?", "no", "better"]
