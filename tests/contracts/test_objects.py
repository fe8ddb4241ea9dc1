"""One suite over every adapter of the port ``Objects``: the embedded store here."""

from __future__ import annotations

from typing import Any

import pytest

from crossfade.errors import BackendError, Conflict
from crossfade_steps.embedded.store import Store
from crossfade_steps.ports import ObjectKey, Objects

PLACE = "default"


def manifest(namespace: str, weight: int = 100) -> dict[str, Any]:
    route = [{"destination": {"host": "a"}, "weight": weight}]
    return {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
            "metadata": {"name": "x", "namespace": namespace},
            "spec": {"hosts": ["h"], "http": [{"route": route}]}}  # fmt: skip


def key(namespace: str) -> ObjectKey:
    return ObjectKey("networking.istio.io", "VirtualService", namespace, "x")


@pytest.fixture
def objects() -> Objects:
    return Store()


@pytest.fixture
def namespace() -> str:
    return PLACE


def test_what_is_not_there_is_none(objects: Objects, namespace: str) -> None:
    assert objects.get(key(namespace)) is None


def test_a_created_object_has_a_uid_and_a_version(objects: Objects, namespace: str) -> None:
    made = objects.create(manifest(namespace))

    assert made["metadata"]["uid"]
    assert made["metadata"]["resourceVersion"]
    stored = objects.get(key(namespace))
    assert stored is not None
    assert stored["spec"] == manifest(namespace)["spec"]


def test_creating_again_is_a_conflict(objects: Objects, namespace: str) -> None:
    objects.create(manifest(namespace))

    with pytest.raises(Conflict):
        objects.create(manifest(namespace))


def test_a_patch_is_done_as_a_whole_or_not_at_all(objects: Objects, namespace: str) -> None:
    objects.create(manifest(namespace))
    path = "/spec/http/0/route/0/weight"

    with pytest.raises(Conflict):
        objects.patch(key(namespace), [
            {"op": "replace", "path": path, "value": 7}, {"op": "test", "path": path, "value": 8},
        ])  # fmt: skip

    stored = objects.get(key(namespace))
    assert stored is not None
    assert stored["spec"]["http"][0]["route"][0]["weight"] == 100


def test_a_version_of_before_is_a_conflict(objects: Objects, namespace: str) -> None:
    made = objects.create(manifest(namespace))
    test = {"op": "test", "path": "/metadata/resourceVersion",
            "value": made["metadata"]["resourceVersion"]}  # fmt: skip
    label = {"op": "add", "path": "/metadata/labels", "value": {"a": "b"}}
    objects.patch(key(namespace), [test, label])

    with pytest.raises(Conflict):
        objects.patch(key(namespace), [test, label])


def test_patching_what_is_not_there_is_an_error(objects: Objects, namespace: str) -> None:
    with pytest.raises(BackendError):
        objects.patch(key(namespace), [{"op": "add", "path": "/metadata/labels", "value": {}}])


def test_applying_creates_and_then_takes_over_what_is_said(
    objects: Objects, namespace: str
) -> None:
    objects.apply(manifest(namespace))
    applied = objects.apply(manifest(namespace, weight=40))

    assert applied["spec"]["http"][0]["route"][0]["weight"] == 40
    again = objects.apply(manifest(namespace, weight=40))
    assert again["metadata"]["uid"] == applied["metadata"]["uid"]


def test_only_the_object_that_is_meant_is_deleted(objects: Objects, namespace: str) -> None:
    made = objects.create(manifest(namespace))

    with pytest.raises(Conflict):
        objects.delete(key(namespace), uid="00000000-0000-0000-0000-000000000000")
    assert objects.get(key(namespace)) is not None
    objects.delete(key(namespace), uid=made["metadata"]["uid"])
    objects.delete(key(namespace))
    assert objects.get(key(namespace)) is None
