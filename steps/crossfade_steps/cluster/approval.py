"""A person's answer at the gate before a promotion: what the Argo UI writes when it is given there.

The answer is the gate's output ``decision``; the gate is over when its node has succeeded.  Both
are written at once, so that no answer is ever half given.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from crossfade.errors import BackendError, Conflict, CrossfadeError
from crossfade.routes.member import pointer
from crossfade.spec.source import listed, look, mapped
from crossfade.verdict import Outcome
from crossfade_steps.cluster import workflow
from crossfade_steps.cluster.gate import APPROVAL, DECISION, stop_waiting
from crossfade_steps.cluster.kube import Kube
from crossfade_steps.cluster.store import UID, RunStore
from crossfade_steps.ports import Object

TRIES = 5
"""How often the answer is given anew when Argo changed the Workflow in between."""


def answer(kube: Kube, store: RunStore, *, promote: bool, who: str, now: datetime) -> str:
    """Answer the gate that a run waits at; return the sentence that says so.

    Raises ``CrossfadeError`` for a run that has ended or waits at no gate, ``BackendError`` where
    the API does not answer or there is no such run.
    """
    _refuse_ended(store)
    key = workflow.key(store.namespace, store.run)
    for attempt in range(TRIES):
        stored = kube.get(key)
        operations = _operations(stored, store, "yes" if promote else "no", who, now)
        try:
            kube.patch(key, operations)
            break
        except Conflict:
            if attempt == TRIES - 1:
                raise
    said = "approved: the winner is promoted" if promote else "rejected: the baseline stays"
    return f"run {store.namespace}/{store.run}: {said}"


def end_waiting(kube: Kube, store: RunStore, outcome: Outcome, now: datetime) -> str:
    """End the waiting of an ended run's Workflow; return why that was not done, empty if it was.

    One that ended by a decision goes on to its end by the answer no, and is no failure; any other
    one is stopped.
    """
    if not outcome.is_decision:
        return stop_waiting(kube, store)
    key = workflow.key(store.namespace, store.run)
    try:
        stored, uid = kube.get(key), (store.find() or {}).get(UID, "")
        if stored is None or uid not in ("", stored["metadata"]["uid"]):
            return ""
        if workflow.waits(stored, APPROVAL):
            kube.patch(key, _operations(stored, store, "no", "its run, which has ended", now))
    except CrossfadeError:  # stopped, it is told as failed, but it does not wait
        return stop_waiting(kube, store)
    return ""


def _refuse_ended(store: RunStore) -> None:
    head = store.head()
    if head.get("outcome"):
        ended = f"{head['outcome']}: {head.get('sentence', '')}"
        raise CrossfadeError(f"run {store.run} has ended: {ended}")


def _operations(
    stored: Object | None, store: RunStore, word: str, who: str, now: datetime
) -> list[dict[str, Any]]:
    """Return the JSON Patch that answers a Workflow's gate as it is now."""
    if stored is None:
        raise BackendError(f"workflow {store.namespace}/{store.run} does not exist")
    if not workflow.waits(stored, APPROVAL):
        phase = store.head().get("phase", "not begun")
        raise CrossfadeError(
            f"run {store.run} waits at no gate, its phase is {phase}",
            hint=f"crossfade describe -n {store.namespace} {store.run}",
        )
    for name, node in mapped(stored, ("status", "nodes")).items():
        if node.get("templateName") == APPROVAL and node.get("phase") == "Running":
            version = str(stored["metadata"]["resourceVersion"])
            test = {"op": "test", "path": "/metadata/resourceVersion", "value": version}
            over = _answered(node, word, f"{word}, said {who}", now)
            path = pointer(("status", "nodes", name))
            return [test, {"op": "replace", "path": path, "value": over}]
    raise CrossfadeError(
        f"run {store.run} has so many nodes that Argo keeps them packed",
        hint=f"argo node set {store.run} -n {store.namespace} -p {DECISION}={word} "
        f"--node-field-selector displayName={APPROVAL}, then argo resume {store.run} "
        f"-n {store.namespace} --node-field-selector displayName={APPROVAL}",
    )


def _answered(node: Mapping[str, Any], word: str, message: str, now: datetime) -> dict[str, Any]:
    """Return the gate's node with its answer.  Raises ``CrossfadeError`` where it takes none."""
    parameters = listed(node, ("outputs", "parameters"))
    if not any(p.get("name") == DECISION and look(p, ("valueFrom",)) for p in parameters):
        raise CrossfadeError(f"the gate {APPROVAL} has its answer already, or takes no {DECISION}")
    given = [
        {**{k: v for k, v in p.items() if k != "valueFrom"}, "value": word}
        if p.get("name") == DECISION else p
        for p in parameters
    ]  # fmt: skip
    finished = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {**node, "phase": "Succeeded", "message": message, "finishedAt": finished,
            "outputs": {**mapped(node, ("outputs",)), "parameters": given}}  # fmt: skip
