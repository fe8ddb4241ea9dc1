"""What the run's Workflow object says: whether it lives, was stopped, suspended, or is gone."""

from __future__ import annotations

import base64
import gzip
import json
from dataclasses import dataclass
from typing import Any

from crossfade.spec.source import mapped
from crossfade_steps.cluster.kube import Kube
from crossfade_steps.ports import Object, ObjectKey

ENDED = ("Succeeded", "Failed", "Error")


@dataclass(frozen=True, slots=True)
class State:
    """A Workflow as far as a run's safety is concerned; ``message`` is Argo's own word."""

    there: bool = False
    ended: bool = False
    shutdown: str = ""
    suspended: bool = False
    message: str = ""


def key(namespace: str, name: str) -> ObjectKey:
    """Return the key of a run's Workflow."""
    return ObjectKey("argoproj.io", "Workflow", namespace, name)


def look(kube: Kube, namespace: str, name: str, uid: str = "") -> State:
    """Return the state of a Workflow; one of that name with another UID is not the run's."""
    stored = kube.get(key(namespace, name))
    if stored is not None and uid not in ("", stored["metadata"]["uid"]):
        return State()
    return read(stored)


def read(stored: Object | None) -> State:
    """Return the state that a Workflow object says."""
    if stored is None:
        return State()
    spec, status = mapped(stored, ("spec",)), mapped(stored, ("status",))
    return State(
        there="deletionTimestamp" not in stored["metadata"],
        ended=status.get("phase") in ENDED,
        shutdown=str(spec.get("shutdown") or ""),
        suspended=bool(spec.get("suspend")),
        message=str(status.get("message") or ""),
    )


def waits(stored: Object | None, template: str = "") -> bool:
    """Return whether a Workflow waits at a gate or a timer, of that template if one is named."""
    nodes = _nodes(stored)
    waiting = [n for n in nodes if n.get("type") == "Suspend" and n.get("phase") == "Running"]
    return any(not template or n.get("templateName") == template for n in waiting)


def answered(stored: Object | None, node: str) -> bool:
    """Return whether a node of that template is over (a gate that was answered)."""
    nodes = _nodes(stored)
    found = [n for n in nodes if n.get("templateName") == node]
    return any(n.get("phase") in (*ENDED, "Skipped", "Omitted") for n in found)


def said(stored: Object | None, node: str, parameter: str) -> str:
    """Return what was answered at a gate that is over, empty for nothing."""
    for own in _nodes(stored):
        if own.get("templateName") == node:
            for given in (own.get("outputs") or {}).get("parameters") or ():
                if given.get("name") == parameter and given.get("value"):
                    return str(given["value"])
    return ""


def _nodes(stored: Object | None) -> list[Any]:
    """Return a Workflow's nodes, which Argo compresses where they are many."""
    status = mapped(stored or {}, ("status",))
    packed = status.get("compressedNodes")
    if packed:
        return list(json.loads(gzip.decompress(base64.b64decode(packed))).values())
    return list(mapped(status, ("nodes",)).values())
