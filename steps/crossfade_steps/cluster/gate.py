"""The gate where a run waits for a person: what may be asked of it there, and who ends the wait."""

from __future__ import annotations

from crossfade.errors import CrossfadeError
from crossfade_steps.cluster import workflow
from crossfade_steps.cluster.asked import ask
from crossfade_steps.cluster.kube import Kube
from crossfade_steps.cluster.stage import ABORT, PROMOTE
from crossfade_steps.cluster.store import UID, RunStore

APPROVAL, DECISION = "approval", "decision"


def steer(kube: Kube, store: RunStore, what: str, who: str, version: str = "") -> tuple[str, str]:
    """Ask a run to pause, resume, abort or promote; return what was asked, and what was not done.

    An abort also ends the waiting of the run's Workflow; the second text is empty if it did, or
    if there was none.  Raises as ``asked.ask``, and ``CrossfadeError`` for an order at the gate.
    """
    if what == PROMOTE:
        refuse_order(kube, store)
    told = ask(store, what, who, version)
    return told, stop_waiting(kube, store) if what == ABORT else ""


def refuse_order(kube: Kube, store: RunStore) -> None:
    """Refuse to order what a person is asked for right now: an order would never be read."""
    stored = kube.get(workflow.key(store.namespace, store.run))
    if workflow.waits(stored, APPROVAL):
        raise CrossfadeError(
            f"run {store.run} waits for its approval, not for an order",
            hint=f"crossfade approve {store.run}, or resume its node {APPROVAL} with decision yes "
            "in the Argo UI",
        )


def stop_waiting(kube: Kube, store: RunStore) -> str:
    """Stop a run's Workflow where it waits for a person or a timer.

    No step is awake: it would hold its mutex, and keep a CronWorkflow from its next run, until its
    deadline.  Returns why it was not stopped, empty if it was or does not wait: the run itself has
    ended all the same.
    """
    key = workflow.key(store.namespace, store.run)
    try:
        stored, uid = kube.get(key), (store.find() or {}).get(UID, "")
        if stored is None or uid not in ("", stored["metadata"]["uid"]):
            return ""
        if workflow.waits(stored):
            kube.merge(key, {"spec": {"shutdown": "Stop"}})
    except CrossfadeError as error:
        return (f"its Workflow waits and was not stopped ({error}): "
                f"argo stop {store.run} -n {store.namespace}")  # fmt: skip
    return ""
