"""A run's state in ConfigMaps of its namespace (port ``Record``), which outlive the Workflow.

``<run>`` holds what everybody reads: phase, safe weights, outcome, control, the guard's heartbeat.
``<run>-log-NNN`` hold the record, one compressed entry a key, at most 400 KiB each;
``<run>-report`` is the page that a person opens when it is over.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from crossfade import record
from crossfade.contract import PART_LABEL
from crossfade.errors import BackendError, Conflict, SpecError
from crossfade.spec.names import checked_name
from crossfade_steps.cluster.kube import METADATA_ONLY, Kube
from crossfade_steps.ports import Object, ObjectKey

RUN_LABEL, PART = "crossfade.dev/run", PART_LABEL
UID = "workflow-uid"
"""The key of ``<run>`` that says whose run it is: a name may be given twice, a UID is not."""
MANAGED = {"app.kubernetes.io/managed-by": "crossfade"}
MOST_BYTES = 400 * 1024
MOST_PAGE_BYTES = 900 * 1024
REPORT = "-report"
TRIES = 5


class RunStore:
    """The state of one run."""

    def __init__(self, kube: Kube, namespace: str, run: str) -> None:
        try:
            checked_name(run)
        except ValueError as error:
            raise SpecError(f"run {run!r}: no name of a Workflow, {error}") from error
        self._kube, self._known = kube, False
        self.namespace, self.run = namespace, run
        self._head = _key(namespace, run)
        self._tail: tuple[int, int, int, str] | None = None

    def create(self, labels: Mapping[str, str], data: Mapping[str, str]) -> bool:
        """Make the run's ConfigMap; False when the same Workflow has made it (a retried step).

        Raises ``SpecError`` for another Workflow's run of that name, and for what is no run.
        """
        if self._kube.get(self._head) is None and self._logs():
            raise SpecError(
                f"the record of an earlier run {self.run} is there without its state",
                hint=f"kubectl delete configmaps -n {self.namespace} -l {RUN_LABEL}={self.run}",
            )
        metadata = {"name": self.run, "namespace": self.namespace,
                    "labels": {**labels, **MANAGED, RUN_LABEL: self.run,
                               PART: "run"}}  # fmt: skip
        try:
            self._kube.create(_config_map(metadata, data))
        except Conflict:
            if self.head().get(UID) == data.get(UID):
                return False
            raise SpecError(
                f"a run of this name exists: {self.namespace}/{self.run}",
                hint=f"crossfade clean {self.run}, or submit under another name",
            ) from None
        self._known = True
        return True

    def head(self) -> dict[str, str]:
        """Return what ``<run>`` holds.

        Raises ``BackendError`` when there is no such run, ``SpecError`` when what has its name is
        somebody else's.
        """
        return dict(self._stored().get("data") or {})

    def _stored(self) -> Object:
        stored = self._kube.get(self._head)
        hint = f"kubectl get configmaps -l {PART}=run -A lists the runs"
        if stored is None:
            raise BackendError(f"run {self.namespace}/{self.run} does not exist", hint=hint)
        self._known = _is(stored, "run")
        if not self._known:
            raise SpecError(
                f"ConfigMap {self.namespace}/{self.run} is not a run of crossfade", hint=hint
            )
        return stored

    def find(self) -> dict[str, str] | None:
        """Return what ``<run>`` holds, None when there is no such run."""
        stored = self._kube.get(self._head)
        self._known = stored is not None and _is(stored, "run")
        return dict((stored or {}).get("data") or {}) if self._known else None

    def owned(self, uid: str) -> bool:
        """Return whether ``<run>`` is there and of the Workflow with that UID."""
        return (self.find() or {}).get(UID) == uid

    def write(self, **values: str | None) -> None:
        """Set values of ``<run>``; None removes one.  Raises as ``head`` does."""
        if not self._known:  # looked at once: a name alone does not say what it is
            self._stored()
        self._kube.merge(self._head, {"data": values}, accept=METADATA_ONLY)

    def append(self, entry: Mapping[str, Any]) -> None:
        """Add one entry durably, and to ``<run>`` what it says of the run as a whole."""
        self._append(entry, lambda: True)

    def append_once(self, entry: Mapping[str, Any]) -> bool:
        """Add one entry unless there is one of its type; return whether it was added.

        Of several writers one adds it: each looks after it read the version that it writes to.
        """
        kind = str(entry["type"])

        def missing() -> bool:
            self._tail = self._find_tail()
            return record.last(self._read(), kind) is None

        return self._append(entry, missing)

    def _append(self, entry: Mapping[str, Any], wanted: Callable[[], bool]) -> bool:
        text = record.canonical(entry)
        packed = base64.b64encode(zlib.compress(text.encode(), 9)).decode()
        for attempt in range(TRIES):
            if not wanted():
                return False
            try:
                self._add(packed)
                break
            except Conflict:
                self._tail = None
                if attempt == TRIES - 1:
                    raise
        self.summarize(entry)
        return True

    def summarize(self, entry: Mapping[str, Any]) -> None:
        """Say in ``<run>`` what an entry of the record says of the run as a whole, once more."""
        summary = _summary(entry)
        if summary:
            self.write(**summary)

    def entries(self) -> Sequence[Mapping[str, Any]]:
        """Return every entry so far."""
        return list(self._read())

    def publish(self, page: str) -> None:
        """Keep the report; the last one counts.  A page of more than 900 KiB is not kept."""
        if len(page.encode()) > MOST_PAGE_BYTES:
            return
        name = f"{self.run}{REPORT}"
        labels = {**MANAGED, RUN_LABEL: self.run, PART: "report"}
        manifest = _config_map({"name": name, "namespace": self.namespace, "labels": labels},
                               {"report.html": page})  # fmt: skip
        try:
            self._kube.create(manifest)
        except Conflict:
            key = _key(self.namespace, name)
            if not _is(self._kube.get(key), "report"):
                raise SpecError(f"{key} is not a report of crossfade") from None
            self._kube.merge(key, {"data": manifest["data"]}, accept=METADATA_ONLY)

    def remove(self) -> None:
        """Delete everything that the run has left, the log first.  Raises as ``head`` does."""
        head, key = self._stored(), _key(self.namespace, f"{self.run}{REPORT}")
        for stored in self._logs():
            self._kube.delete(ObjectKey.of(stored))
        report = self._kube.get(key)
        if report is not None and _is(report, "report"):
            self._kube.delete(key, uid=report["metadata"]["uid"])
        self._kube.delete(self._head, uid=head["metadata"]["uid"])

    def _read(self) -> Iterator[dict[str, Any]]:
        for stored in self._logs():
            for _, packed in sorted((stored.get("data") or {}).items()):
                yield json.loads(zlib.decompress(base64.b64decode(packed)))

    def _logs(self) -> list[dict[str, Any]]:
        selector = f"{RUN_LABEL}={self.run},{PART}=log"
        found = self._kube.list("", "ConfigMap", self.namespace, selector)
        for stored in found:  # a list's items do not say what they are
            stored.update({"apiVersion": "v1", "kind": "ConfigMap"})
        return sorted(found, key=lambda stored: str(stored["metadata"]["name"]))

    def _add(self, packed: str) -> None:
        """Add one key to the last log; its resourceVersion keeps two writers apart."""
        number, count, size, version = self._tail or self._find_tail()
        if size and size + len(packed) > MOST_BYTES:
            number, size, version = number + 1, 0, ""
        name = f"{self.run}-log-{number:03d}"
        data = {f"{count:06d}": packed}
        if version:
            part = {"metadata": {"resourceVersion": version}, "data": data}
            key = _key(self.namespace, name)
            stored = self._kube.merge(key, part, accept=METADATA_ONLY)
        else:
            labels = {**MANAGED, RUN_LABEL: self.run, PART: "log"}
            metadata = {"name": name, "namespace": self.namespace, "labels": labels}
            stored = self._kube.create(_config_map(metadata, data))
        version = str(stored["metadata"]["resourceVersion"])
        self._tail = (number, count + 1, size + len(packed), version)
        if len(stored.get("data") or {}) > 1:  # read again after a lost answer: it may hold more
            self._tail = None

    def _find_tail(self) -> tuple[int, int, int, str]:
        """Return the last log's number, how many entries there are, its size and version."""
        logs = self._logs()
        if not logs:
            return 0, 0, 0, ""
        count = sum(len(stored.get("data") or {}) for stored in logs)
        size = sum(map(len, (logs[-1].get("data") or {}).values()))
        return len(logs) - 1, count, size, str(logs[-1]["metadata"]["resourceVersion"])


def _summary(entry: Mapping[str, Any]) -> dict[str, str]:
    """Return what an entry says of the run as a whole."""
    kind = entry["type"]
    if kind == "phase":
        return {"phase": entry["phase"], "safe": json.dumps(entry["safe"])}
    if kind == "started":
        return {"start": str(entry["start"])}
    if kind == "decision":
        decision = entry["decision"]
        return {"iteration": str(decision["iteration"]), "sentence": decision["reason"],
                "weights": json.dumps(decision["weights"])}  # fmt: skip
    if kind == "outcome":
        return {"outcome": entry["outcome"], "sentence": entry["sentence"],
                "winner": entry["winner"] or ""}  # fmt: skip
    return {}


def _key(namespace: str, name: str) -> ObjectKey:
    return ObjectKey("", "ConfigMap", namespace, name)


def _is(stored: Object | None, part: str) -> bool:
    """Return whether an object is that part of some run's state."""
    return ((stored or {}).get("metadata", {}).get("labels") or {}).get(PART) == part


def _config_map(metadata: Mapping[str, Any], data: Mapping[str, str]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": dict(data)}
