"""A run's news as Kubernetes events on its Workflow, where ``kubectl describe`` looks for them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from crossfade.errors import CrossfadeError
from crossfade.report.live import not_as_decided, weights
from crossfade.verdict import Outcome
from crossfade_steps.cluster import workflow
from crossfade_steps.cluster.kube import MANAGER, Kube
from crossfade_steps.cluster.store import MANAGED, RUN_LABEL, RunStore
from crossfade_steps.ports import Clock

QUIET = (Outcome.PROMOTED, Outcome.KEPT, Outcome.INCONCLUSIVE)
"""Outcomes that nobody has to look into; a candidate that was rolled back is worth a warning."""
MOST_MESSAGE = 1000


class Announced:
    """A run's store that also tells what is news (port ``Record``); telling never fails a run."""

    def __init__(self, store: RunStore, kube: Kube, clock: Clock) -> None:
        self._store, self._kube, self._clock = store, kube, clock
        self._workflow: Mapping[str, Any] | None = None
        self.entries = store.entries

    def append(self, entry: Mapping[str, Any]) -> None:
        """Add the entry, then tell."""
        self._store.append(entry)
        self._announce(entry)

    def append_once(self, entry: Mapping[str, Any]) -> bool:
        """Add the entry unless there is one of its type, then tell; return whether it was added."""
        added = self._store.append_once(entry)
        if added:
            self._announce(entry)
        return added

    def _announce(self, entry: Mapping[str, Any]) -> None:
        told = news(entry)
        if told is not None:
            with suppress(CrossfadeError):
                self._tell(*told)

    def _tell(self, kind: str, reason: str, message: str) -> None:
        store = self._store
        if self._workflow is None:
            self._workflow = self._kube.get(workflow.key(store.namespace, store.run))
        if self._workflow is None:
            return
        now = datetime.fromtimestamp(self._clock.now(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        regarded = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "name": store.run,
                    "namespace": store.namespace,
                    "uid": self._workflow["metadata"]["uid"]}  # fmt: skip
        self._kube.create({
            "apiVersion": "v1", "kind": "Event",
            "metadata": {"generateName": f"{store.run[:200]}.", "namespace": store.namespace,
                         "labels": {**MANAGED, RUN_LABEL: store.run}},
            "involvedObject": regarded, "type": kind, "reason": reason,
            "message": message[:MOST_MESSAGE], "source": {"component": MANAGER},
            "firstTimestamp": now, "lastTimestamp": now, "count": 1,
        })  # fmt: skip


def news(entry: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """Return type, reason and message of the event that an entry is worth, None for no news."""
    kind = entry["type"]
    if kind == "decision":
        return _decided(entry["decision"])
    if kind == "outcome":
        quiet = entry["outcome"] in QUIET
        words = entry["outcome"].replace("-", " ").title().replace(" ", "")
        return "Normal" if quiet else "Warning", words, str(entry["sentence"])
    if kind == "put-back":
        text = f"somebody else set {weights(entry['found'])}; {weights(entry['weights'])} again"
        return "Warning", "PutBack", text
    if kind == "not-applied":
        return "Warning", "NotApplied", f"iteration {entry['iteration']}: {not_as_decided(entry)}"
    if kind == "trouble":
        return "Warning", "Trouble", str(entry["sentence"])
    return None


def _decided(decision: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """Return the event of a decision; one that moves nothing and ends nothing is no news."""
    if decision["old"] == decision["weights"] and decision["outcome"] is None:
        return None
    moved = f"{weights(decision['old'])} -> {weights(decision['weights'])}"
    text = f"iteration {decision['iteration']}: {moved}: {decision['reason']}"
    return "Normal", "Decided", text
