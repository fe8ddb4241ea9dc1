"""``crossfade list``: the runs of a namespace."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from crossfade.cli.output import out
from crossfade.contract import PART_LABEL
from crossfade_steps.cluster.kube import own_namespace, reached


def runs(namespace: str | None, *, as_json: bool) -> None:
    """Print the runs of a namespace, the newest last."""
    found = reached().list("", "ConfigMap", namespace or own_namespace(), f"{PART_LABEL}=run")
    told = listed(found)
    if as_json:
        print(json.dumps(told, indent=1))
        return
    for run in told:
        state = run["outcome"] or run["phase"] or ""
        planned = run["planned_iterations"]
        at = f"{run['iteration']}/{'?' if planned is None else planned}"
        out.print(f"{run['run']:40} {state:18} {at:8} {run['sentence'] or ''}", soft_wrap=True)


def listed(stored: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what the ConfigMaps of runs say of them, the newest last; null for what none says."""
    by_age = sorted(stored, key=lambda o: str(o["metadata"]["creationTimestamp"]))
    return [_run(one["metadata"], one.get("data") or {}) for one in by_age]


def _run(metadata: Mapping[str, Any], data: Mapping[str, str]) -> dict[str, Any]:
    weights = data.get("weights")
    return {
        "run": metadata["name"],
        "namespace": metadata.get("namespace"),
        "created": metadata["creationTimestamp"],
        "experiment": data.get("experiment"),
        "phase": data.get("phase"),
        "outcome": data.get("outcome") or None,
        "winner": data.get("winner") or None,
        "iteration": int(data.get("iteration") or 0),
        "planned_iterations": int(data["iterations"]) if data.get("iterations") else None,
        "decided_weights": json.loads(weights) if weights else None,
        "sentence": data.get("sentence") or None,
    }
