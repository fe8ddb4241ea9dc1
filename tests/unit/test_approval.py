"""A person's answer at the gate, given by one command, as Argo's own tool would write it."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from fake_kube import NAMESPACE, RUN, WORKFLOW, Cluster, iterating

from crossfade import record
from crossfade.cli import approval as cli
from crossfade.errors import BackendError, Conflict, CrossfadeError
from crossfade.verdict import Outcome
from crossfade_steps.cluster import workflow
from crossfade_steps.cluster.approval import answer
from crossfade_steps.ports import ObjectKey

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
GATE: dict[str, Any] = {
    "id": "web-1-2", "displayName": "approval", "type": "Suspend", "phase": "Running",
    "templateName": "approval", "startedAt": "2026-01-01T00:00:00Z",
    "outputs": {"parameters": [{"name": "decision", "enum": ["no", "yes"],
                                "valueFrom": {"supplied": {}}}]},
}  # fmt: skip
OTHER = {"id": "web-1-1", "type": "Pod", "phase": "Running", "templateName": "watch"}


def at_gate(**changes: Any) -> Cluster:
    cluster = iterating()
    nodes = {"web-1-1": OTHER, "web-1-2": {**GATE, **changes}}
    cluster.fake.patch(WORKFLOW, [{"op": "add", "path": "/status/nodes", "value": nodes}])
    return cluster


def given(cluster: Cluster, *, promote: bool = True, kube: Any = None) -> str:
    stage = cluster.stage
    return answer(kube or stage.kube, stage.store, promote=promote, who="ann", now=NOW)


@pytest.mark.parametrize(("promote", "word"), [(True, "yes"), (False, "no")])
def test_the_gate_has_its_answer_and_is_over(promote: bool, word: str) -> None:
    cluster = at_gate()

    text = given(cluster, promote=promote)

    stored = cluster.fake.get(WORKFLOW) or {}
    assert stored["status"]["nodes"] == {"web-1-1": OTHER, "web-1-2": {
        **GATE, "phase": "Succeeded", "finishedAt": "2026-01-02T03:04:05Z",
        "message": f"{word}, said ann",
        "outputs": {"parameters": [{"name": "decision", "enum": ["no", "yes"], "value": word}]},
    }}  # fmt: skip
    assert workflow.answered(stored, "approval")
    assert text.startswith(f"run {NAMESPACE}/{RUN}: {'approved' if promote else 'rejected'}")


def test_a_run_that_waits_at_no_gate_is_refused() -> None:
    for cluster in (iterating(), at_gate(phase="Succeeded"), at_gate(templateName="pause")):
        before = cluster.fake.get(WORKFLOW)
        with pytest.raises(CrossfadeError, match=r"web-1 waits at no gate, its phase is iterating"):
            given(cluster)
        assert cluster.fake.get(WORKFLOW) == before


def test_a_run_that_has_ended_is_refused_with_its_outcome() -> None:
    cluster = at_gate()
    cluster.stage.store.append(record.outcome(Outcome.ROLLED_BACK, "too slow", None))

    with pytest.raises(CrossfadeError, match="web-1 has ended: rolled-back: too slow"):
        given(cluster)


def test_a_run_whose_workflow_is_gone_is_refused() -> None:
    cluster = at_gate()
    cluster.fake.delete(WORKFLOW)

    with pytest.raises(BackendError, match="workflow default/web-1 does not exist"):
        given(cluster)


def test_nodes_that_argo_has_packed_are_left_to_its_own_tool() -> None:
    cluster = iterating()
    packed = base64.b64encode(gzip.compress(json.dumps({"a": GATE}).encode())).decode()
    path = "/status/compressedNodes"
    cluster.fake.patch(WORKFLOW, [{"op": "add", "path": path, "value": packed}])

    with pytest.raises(CrossfadeError, match="keeps them packed") as refused:
        given(cluster, promote=False)

    assert "argo node set web-1 -n default -p decision=no" in str(refused.value.hint)


class Busy:
    """A cluster whose Workflow Argo changes right before the first patches."""

    def __init__(self, cluster: Cluster, times: int) -> None:
        self._fake, self.left = cluster.fake, times

    def get(self, key: ObjectKey) -> Any:
        return self._fake.get(key)

    def patch(self, key: ObjectKey, operations: Sequence[Mapping[str, Any]]) -> Any:
        if self.left:
            self.left -= 1
            label = {"op": "add", "path": "/metadata/labels", "value": {"n": str(self.left)}}
            self._fake.patch(key, [label])
        return self._fake.patch(key, operations)


def test_an_answer_is_given_to_the_workflow_as_it_is_then() -> None:
    cluster = at_gate()

    given(cluster, kube=Busy(cluster, 2))

    stored = cluster.fake.get(WORKFLOW) or {}
    assert workflow.answered(stored, "approval")
    assert stored["metadata"]["labels"] == {"n": "0"}
    with pytest.raises(Conflict):
        given(other := at_gate(), kube=Busy(other, 9))


def test_the_commands_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = at_gate()
    monkeypatch.setattr(cli, "reached", lambda: cluster.stage.kube)

    cli.answer(RUN, NAMESPACE, promote=False)

    assert capsys.readouterr().out == "run default/web-1: rejected: the baseline stays\n"
    assert not workflow.waits(cluster.fake.get(WORKFLOW))
