"""A candidate that was rolled back is not silently tried again (faults C75).

What a candidate is, is a digest of its workloads without what scaling changes; the runs of the
namespace remember it with their outcome.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime

from crossfade.errors import CrossfadeError
from crossfade.spec.dependents import read_by
from crossfade.spec.ownership import object_name
from crossfade_steps.cluster.stage import Stage, labels_of
from crossfade_steps.deploy import parse_name
from crossfade_steps.likeness import identity, said
from crossfade_steps.ports import Object, ObjectKey
from crossfade_steps.run import Run
from crossfade_steps.versions import objects_of

DAYS = 7
"""For so long a rejected candidate is remembered, as long as nobody cleans its run."""
EXPERIMENT = "crossfade.dev/experiment"
ROLLED_BACK = "rolled-back"


def digest(run: Run) -> str:
    """Return what identifies all candidates together, empty where their workloads are unknown."""
    parts = []
    try:
        for version in run.versions[1:]:
            parts += [f"{version.name} {_identity(run, name)}" for name in objects_of(run,
                      version.name)]  # fmt: skip
    except CrossfadeError:
        return ""
    return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()[:16] if parts else ""


def _identity(run: Run, name: str) -> str:
    key = parse_name(name)
    own = [m for m in run.bundle.deploy if ObjectKey.of(m, run.bundle.namespace) == key]
    stored = own[0] if own else run.objects.get(key)
    read = read_by(stored, run.bundle.namespace) if stored is not None else []
    named = [m for m in run.bundle.deploy if object_name(m, run.bundle.namespace) in read]
    return (identity(stored) or "") + (said(named) if named else "")


def earlier(stage: Stage, candidates: str) -> str | None:
    """Return the sentence about a run that rolled the same candidates back; None without one."""
    if not candidates or stage.run.bundle.retry_rejected:
        return None
    label = labels_of(stage.run.bundle)[EXPERIMENT]
    runs = stage.kube.list("", "ConfigMap", stage.namespace,
                           f"crossfade.dev/part=run,{EXPERIMENT}={label}")  # fmt: skip
    return told(runs, candidates, stage.run.clock.now())


def told(runs: Iterable[Object], candidates: str, now: float) -> str | None:
    """Return the sentence about the newest of these runs that counts (``now`` in seconds)."""
    found = [
        (when, run) for run in runs
        if (data := run.get("data") or {}).get("outcome") == ROLLED_BACK
        and data.get("candidates") == candidates
        and now - (when := _made(run)) <= DAYS * 86400
    ]  # fmt: skip
    if not found:
        return None
    when, run = max(found, key=lambda pair: pair[0])
    day = datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%d %H:%M")
    return (
        f"the same candidate was rolled back by run {run['metadata']['name']} on {day} UTC: "
        f"{run['data'].get('sentence', '')}; retryRejected: true (submit --force) tries it again"
    )


def _made(run: Object) -> float:
    text = str(run["metadata"]["creationTimestamp"]).replace("Z", "+00:00")
    return datetime.fromisoformat(text).timestamp()
