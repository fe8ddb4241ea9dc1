from typing import Any

import pytest

from crossfade.errors import BackendError, Conflict
from crossfade_steps.embedded.store import Store
from crossfade_steps.ports import ObjectKey

MANIFEST: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Thing",
    "metadata": {"name": "a"},
    "spec": {"x": 1},
}
KEY = ObjectKey("", "Thing", "default", "a")


def test_an_object_is_stored_with_uid_and_version_and_told_to_subscribers() -> None:
    store, told = Store(), []
    store.subscribe(lambda event, stored: told.append((event, stored["spec"])))

    created = store.create(MANIFEST)
    store.patch(KEY, [{"op": "replace", "path": "/spec/x", "value": 2}])
    store.delete(KEY, uid=created["metadata"]["uid"])

    assert told == [("added", {"x": 1}), ("modified", {"x": 2}), ("deleted", {"x": 2})]
    assert store.get(KEY) is None


def test_a_failed_test_is_a_conflict_and_changes_nothing() -> None:
    store = Store()
    created = store.create(MANIFEST)
    operations = [
        {"op": "replace", "path": "/spec/x", "value": 9},
        {"op": "test", "path": "/metadata/resourceVersion", "value": "old"},
    ]

    with pytest.raises(Conflict):
        store.patch(KEY, operations)

    assert store.get(KEY) == created


def test_a_path_that_is_not_there_is_refused() -> None:
    store = Store()
    store.create(MANIFEST)

    with pytest.raises(BackendError, match="patch refused"):
        store.patch(KEY, [{"op": "replace", "path": "/spec/y/z", "value": 1}])


def test_creating_twice_is_a_conflict() -> None:
    store = Store()
    store.create(MANIFEST)

    with pytest.raises(Conflict, match="exists already"):
        store.create(MANIFEST)


def test_another_object_of_the_same_name_is_not_deleted() -> None:
    store = Store()
    store.create(MANIFEST)

    with pytest.raises(Conflict):
        store.delete(KEY, uid="another")


def test_applying_merges_mappings_replaces_lists_and_counts_generations() -> None:
    store = Store()
    store.create({**MANIFEST, "spec": {"x": 1, "list": [1, 2]}})

    applied = store.apply({**MANIFEST, "spec": {"list": [3]}})

    assert applied["spec"] == {"x": 1, "list": [3]}
    assert applied["metadata"]["generation"] == 2
    assert store.apply({**MANIFEST, "spec": {"list": [3]}}) == applied


def test_a_caller_cannot_change_what_is_stored() -> None:
    store = Store()
    stored = store.create(MANIFEST)

    stored["spec"]["x"] = 5  # type: ignore[index]

    assert (store.get(KEY) or {})["spec"] == {"x": 1}
