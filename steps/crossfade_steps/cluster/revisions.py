"""Whether what makes revisions serves its latest one: InferenceService (KServe), Knative Service.

Their Ready condition is about all traffic: with a new revision at weight 0 it says nothing of that.
"""

from __future__ import annotations

from crossfade.routes import inferenceservice, knative
from crossfade.spec.source import listed, look, mapped
from crossfade_steps.ports import Object, ObjectKey


def pending(key: ObjectKey, stored: Object) -> str | None:
    """Return why the latest revision is not ready; None when it is, and for any other kind."""
    if (key.group, key.kind) == (knative.GROUP, knative.KIND):
        return _not_seen(stored) or _not_latest(stored, "status", suffix="Name") or _unready(stored)
    if key.kind == inferenceservice.KIND:
        predictor = ("status", "components", "predictor")
        return (_not_seen(stored) or _unready(stored) or _not_latest(stored, *predictor)
                or _alone(stored))  # fmt: skip
    return None


def _not_seen(stored: Object) -> str | None:
    seen = look(stored, ("status", "observedGeneration"))
    late = seen is not None and seen < stored["metadata"]["generation"]
    return "its controller has not seen it yet" if late else None


def _unready(stored: Object) -> str | None:
    for condition in listed(stored, ("status", "conditions")):
        if condition.get("type") == "Ready":
            ready = condition.get("status") == "True"
            return None if ready else str(condition.get("message") or condition.get("reason"))
    return "it has no Ready condition yet"


def _not_latest(stored: Object, *path: str, suffix: str = "") -> str | None:
    """Return why the newest revision is not the newest ready one, as far as the status tells."""
    status = mapped(stored, path)
    created = status.get(f"latestCreatedRevision{suffix}")
    ready = status.get(f"latestReadyRevision{suffix}")
    if created is None or created == ready:
        return None
    return f"revision {created} is not ready yet, {ready or 'none'} is"


def _alone(stored: Object) -> str | None:
    """Return that a candidate is to have a part, and its revision is not there yet.

    Right after a change the status is still that of the revision that has all traffic, and KServe
    gives no generation with it.
    """
    given = (look(stored, path) for path in inferenceservice.PATHS)
    percent = next((value for value in given if value is not None), None)
    status = mapped(stored, ("status", "components", "predictor"))
    ready, rolled = status.get("latestReadyRevision"), status.get("latestRolledoutRevision")
    if percent in (None, 100) or ready is None or ready != rolled:
        return None
    return f"there is no revision beside {rolled} yet"
