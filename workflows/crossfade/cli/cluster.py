"""Runs on a cluster: follow one, describe it, wait for its outcome, and ask something of it."""

from __future__ import annotations

import getpass
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from crossfade.cli.output import err, out
from crossfade.contract import bundle_name
from crossfade.errors import BackendError, CrossfadeError, SpecError
from crossfade.report.live import line
from crossfade.spec.durations import seconds
from crossfade.verdict import Outcome
from crossfade_steps.cluster import gate, guard, leftovers, workflow
from crossfade_steps.cluster.kube import Kube, own_namespace, reached
from crossfade_steps.cluster.store import RUN_LABEL, RunStore
from crossfade_steps.ports import Object, ObjectKey

POLL_SECONDS = 2.0
OTHER_EXIT, TIMEOUT_EXIT = 1, 4


def store_of(run: str, namespace: str | None, kube: Kube | None = None) -> RunStore:
    """Return the state of a run on that cluster, the current one if not said."""
    return RunStore(kube or reached(), namespace or own_namespace(), run)


def follow(kube: Kube, namespace: str, run: str) -> int:
    """Print a run's news until it has an outcome; 0 for a decision, 3 for trouble."""
    store, shown = RunStore(kube, namespace, run), 0
    while True:
        if store.find() is not None:
            entries = store.entries()
            for count in range(shown + 1, len(entries) + 1):
                if (text := line(entries[:count])) is not None:
                    err.print(text)
            shown = len(entries)
            if entries and entries[-1]["type"] == "outcome":
                return _tell(entries[-1])
        else:
            _refuse_dead(kube, namespace, run)
        time.sleep(POLL_SECONDS)


def _refuse_dead(kube: Kube, namespace: str, run: str) -> None:
    """Raise when a run has ended before it began: nothing will ever be there to follow."""
    state = workflow.look(kube, namespace, run)
    if state.ended or not state.there:
        raise BackendError(
            f"workflow {namespace}/{run} ended before the run began: {state.message or 'deleted'}",
            hint=f"kubectl logs -n {namespace} -l workflows.argoproj.io/workflow={run} -c main",
        )


def _tell(entry: Mapping[str, Any]) -> int:
    winner = f", winner {entry['winner']}" if entry.get("winner") else ""
    out.print(f"outcome: {entry['outcome']}{winner}", soft_wrap=True)
    out.print(str(entry["sentence"]), soft_wrap=True)
    return 0 if Outcome(entry["outcome"]).is_decision else 3


def entries_of_run(
    run: str, namespace: str | None, kube: Kube | None = None
) -> list[Mapping[str, Any]]:
    """Return a run's record.  Raises ``BackendError`` when there is no such run."""
    store = store_of(run, namespace, kube)
    store.head()
    return list(store.entries())


def await_outcome(run: str, namespace: str | None, outcomes: Sequence[str], timeout: str) -> int:
    """Wait for an outcome: 0 when it is one of those named, 1 for another, 4 when time is up."""
    wanted = [_outcome(word) for name in outcomes for word in name.split(",")]
    limit = seconds(timeout, where="--timeout")
    store, until = store_of(run, namespace), time.monotonic() + limit
    while True:
        head = store.find() or {}
        if head.get("outcome"):
            met = Outcome(head["outcome"]) in wanted
            out.print(f"{head['outcome']}: {head.get('sentence', '')}", soft_wrap=True)
            return 0 if met else OTHER_EXIT
        if time.monotonic() > until:
            err.print(f"no outcome within {timeout}: phase {head.get('phase', 'not begun')}, "
                      f"{head.get('sentence', 'nothing decided yet')}")  # fmt: skip
            return TIMEOUT_EXIT
        time.sleep(1.0)


def _outcome(word: str) -> Outcome:
    if word not in set(Outcome):
        raise SpecError(f"--outcome {word}: expected {', '.join(Outcome)}")
    return Outcome(word)


def ask(run: str, namespace: str | None, what: str, version: str = "") -> None:
    """Ask a run to pause, resume, abort or promote; it obeys within about a second."""
    told, undone = gate.steer(reached(), store_of(run, namespace), what, getpass.getuser(), version)
    out.print(told)
    if undone:
        err.print(undone)


def clean(run: str, namespace: str | None, *, force: bool, kube: Kube | None = None) -> None:
    """Remove an ended run's state and record."""
    kube = kube or reached()
    store = store_of(run, namespace, kube)
    head = store.head()
    if not head.get("outcome") and not force:
        raise CrossfadeError(
            f"run {run} has no outcome yet: its state is what its safety rests on",
            hint="crossfade abort it first; --force removes the state of a run that is surely dead",
        )
    _remove(kube, store)
    if head.get("digest"):
        name = bundle_name(head["digest"])
        _remove_bundles(kube, store.namespace, lambda stored: _name(stored) == name)


def _remove_bundles(kube: Kube, namespace: str, wanted: Callable[[Object], bool]) -> None:
    """Remove those rollouts' ConfigMaps that nobody refers to; in doubt they stay."""
    try:
        for stored in leftovers.unused(kube, namespace):
            if wanted(stored):
                leftovers.remove(kube, namespace, stored)
                out.print(f"rollout {namespace}/{_name(stored)} removed")
    except CrossfadeError as error:
        err.print(f"rollouts that nothing needs may still be there: {error}")


def _name(stored: Object) -> str:
    return str(stored["metadata"]["name"])


def _remove(kube: Kube, store: RunStore) -> None:
    """Remove a run's state, and its guard's Job: a run of the same name needs one of its own."""
    store.remove()
    key = ObjectKey("batch", "Job", store.namespace, guard.job_name(store.run))
    try:
        job = kube.get(key)
        if job is not None and (job["metadata"].get("labels") or {}).get(RUN_LABEL) == store.run:
            kube.delete(key, uid=job["metadata"]["uid"])
    except CrossfadeError as error:
        err.print(f"{key} is still there ({error}): it goes 10 minutes after its end")
    out.print(f"run {store.namespace}/{store.run} removed")


def clean_older(namespace: str | None, older_than: str, kube: Kube | None = None) -> None:
    """Remove the state and record of every run that has ended and began that long ago."""
    kube, place = kube or reached(), namespace or own_namespace()
    before = datetime.now(UTC) - timedelta(seconds=seconds(older_than, where="--older-than"))

    def old(stored: Object) -> bool:
        return datetime.fromisoformat(str(stored["metadata"]["creationTimestamp"])) < before

    for stored in kube.list("", "ConfigMap", place, "crossfade.dev/part=run"):
        if old(stored) and (stored.get("data") or {}).get("outcome"):
            _remove(kube, RunStore(kube, place, _name(stored)))
    _remove_bundles(kube, place, old)
