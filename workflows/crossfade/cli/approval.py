"""``crossfade approve`` and ``crossfade reject``: a person's answer at the gate of a run."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime

from crossfade.cli.output import out
from crossfade_steps.cluster import approval
from crossfade_steps.cluster.kube import own_namespace, reached
from crossfade_steps.cluster.store import RunStore


def answer(run: str, namespace: str | None, *, promote: bool) -> None:
    """Give the answer and print what comes of it."""
    kube = reached()
    store = RunStore(kube, namespace or own_namespace(), run)
    who, now = getpass.getuser(), datetime.now(UTC)
    out.print(approval.answer(kube, store, promote=promote, who=who, now=now))
