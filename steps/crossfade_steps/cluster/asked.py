"""What people ask of a run that goes on: it obeys within about a second, wherever they ask."""

from __future__ import annotations

import json

from crossfade.contract import ASKS
from crossfade.errors import CrossfadeError, SpecError
from crossfade_steps.cluster.store import RunStore


def ask(store: RunStore, what: str, who: str, version: str = "") -> str:
    """Ask a run to pause, resume, abort or promote; return the sentence that says so.

    Raises ``CrossfadeError`` for a run that has ended, ``SpecError`` for what no run can do.
    """
    if what not in ASKS:
        raise SpecError(f"ask {what!r}: expected {', '.join(ASKS)}")
    head = store.head()
    if head.get("outcome"):
        ended = f"{head['outcome']}: {head.get('sentence', '')}"
        raise CrossfadeError(f"run {store.run} has ended: {ended}")
    run = f"run {store.namespace}/{store.run}"
    if what == "promote":
        chosen = _candidate(head, version)
        store.write(**{"control": f"promote {chosen}", "control-by": who})
        return f"{run}: asked to promote {chosen} at its next iteration"
    asked = (None, None) if what == "resume" else (what, who)
    store.write(**dict(zip(("control", "control-by"), asked, strict=True)))
    return f"{run}: asked to {what}"


def _candidate(head: dict[str, str], version: str) -> str:
    candidates = json.loads(head["versions"])[1:]
    chosen = version or (candidates[0] if len(candidates) == 1 else "")
    if chosen not in candidates:
        raise SpecError(f"version {chosen or '(none)'}: expected {' or '.join(candidates)}")
    return str(chosen)
