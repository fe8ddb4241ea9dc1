"""What makes every write fail that is still on its way to an object.

Each write of ours tests the version that it was made for.  A fence gives the object another version
and leaves what is in it byte for byte: only the list of who has written which field changes, which
no controller copies on (as KServe does with annotations, into the pods).  Afterwards no entry of
our writes is in it, so that ``kubectl apply --server-side`` finds nobody to conflict with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crossfade_steps.ports import FIELD_MANAGER, Object, ObjectKey, Objects

MARK = f"{FIELD_MANAGER}-fence"
"""In whose name an entry is put in where none of ours is there to be taken out."""
FIELDS: Mapping[str, Any] = {"f:metadata": {"f:annotations": {"f:crossfade.dev/fence": {}}}}
Entries = Sequence[Mapping[str, Any]]


def fence(objects: Objects, key: ObjectKey, stored: Object) -> None:
    """Let every write fail that was made for this version of the object or an older one.

    Raises ``Conflict`` when the object has another version already.
    """
    entries = list(stored["metadata"].get("managedFields") or [])
    kept = without_ours(entries)
    if kept == entries:  # the API server keeps no version for a write that changes nothing
        mark = {"manager": MARK, "operation": "Update", "apiVersion": stored["apiVersion"],
                "fieldsType": "FieldsV1", "fieldsV1": FIELDS}  # fmt: skip
        stored = objects.patch(key, _listing(stored, [*entries, mark]))
    objects.patch(key, _listing(stored, kept or [{}]))


def without_ours(entries: Entries) -> list[Mapping[str, Any]]:
    """Return the entries without those of our writes.

    What was applied stays ours, or a field that the next promotion leaves out would stay, too.  An
    object of which we alone have written anything (we made it) keeps that: the server takes an
    object without any entry for one that somebody unknown has written whole.
    """
    writes = [e for e in entries if e.get("operation") == "Update"]
    ours = [e for e in writes if e.get("manager") in (FIELD_MANAGER, MARK)]
    others = [e for e in entries if e not in ours]
    return others or [e for e in entries if e.get("manager") != MARK]


def _listing(stored: Object, entries: Entries) -> list[dict[str, Any]]:
    """Return the JSON Patch that replaces the list; a list of one empty entry is none at all."""
    version = stored["metadata"]["resourceVersion"]
    return [{"op": "test", "path": "/metadata/resourceVersion", "value": version},
            {"op": "add", "path": "/metadata/managedFields", "value": list(entries)}]  # fmt: skip
