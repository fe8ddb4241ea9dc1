"""Weights in several objects: all change, or none does (C33)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from crossfade.errors import BackendError, Conflict, SpecError
from crossfade.spec.experiment import Experiment
from crossfade_steps import routers
from crossfade_steps.embedded.store import Store
from crossfade_steps.ports import ObjectKey
from crossfade_steps.routers.spread import SpreadRouter

GROUP = "networking.istio.io"


def key(name: str) -> ObjectKey:
    return ObjectKey(GROUP, "VirtualService", "ns", name)


def service(name: str, weight: int) -> dict[str, Any]:
    routes = [{"destination": {"host": f"{name}.ns"}, "weight": weight},
              {"destination": {"host": "legacy.ns"}, "weight": 7}]  # fmt: skip
    return {"apiVersion": f"{GROUP}/v1", "kind": "VirtualService",
            "metadata": {"name": name, "namespace": "ns"},
            "spec": {"http": [{"retries": {"attempts": 3}, "route": routes}]}}  # fmt: skip


def experiment(*, last: bool = True) -> Experiment:
    def version(name: str, *, placed: bool = True) -> dict[str, Any]:
        ref = {"apiVersion": f"{GROUP}/v1", "kind": "VirtualService", "name": name,
               "namespace": "ns", "fieldPath": ".spec.http[0].route[0].weight"}  # fmt: skip
        return {"name": name, "weightObjRef": ref} if placed else {"name": name}

    return Experiment.model_validate({
        "apiVersion": "iter8.tools/v2alpha2", "kind": "Experiment",
        "metadata": {"name": "e", "namespace": "ns"},
        "spec": {"target": "t", "strategy": {"testingPattern": "A/B/N"},
                 "versionInfo": {"baseline": version("a"),
                                 "candidates": [version("b"), version("c", placed=last)]}},
    })  # fmt: skip


class Flaky(Store):
    """A store that refuses patches of one object while it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.refused: dict[str, BackendError] = {}

    def patch(self, key: ObjectKey, operations: Sequence[Mapping[str, Any]]) -> Any:
        if key.name in self.refused:
            raise self.refused[key.name]
        return super().patch(key, operations)


@pytest.fixture
def store() -> Flaky:
    made = Flaky()
    for name, weight in (("a", 80), ("b", 20), ("c", 0)):
        made.create(service(name, weight))
    return made


def weights(store: Store) -> list[int]:
    return [(store.get(key(n)) or {})["spec"]["http"][0]["route"][0]["weight"] for n in "abc"]


def test_one_router_reads_and_writes_all_objects(store: Flaky) -> None:
    router = routers.connect(experiment(), store)
    before = [store.get(key(n)) for n in "abc"]
    assert isinstance(router, SpreadRouter)
    assert dict(router.read().weights) == {"a": 80, "b": 20, "c": 0}

    written = router.write(router.read(), {"a": 50, "b": 30, "c": 20})

    assert dict(written.weights) == {"a": 50, "b": 30, "c": 20}
    assert weights(store) == [50, 30, 20]
    for n, old in zip("abc", before, strict=True):
        now: Any = store.get(key(n))
        assert now["spec"]["http"][0]["retries"] == {"attempts": 3}
        assert now["spec"]["http"][0]["route"][1] == (old or {})["spec"]["http"][0]["route"][1]
    assert router.hosts([]) == {n: (f"{n}.ns", 80) for n in "abc"}


@pytest.mark.parametrize("which", ["a", "b", "c"])
@pytest.mark.parametrize("error", [Conflict("409"), BackendError("503")])
def test_an_object_that_cannot_be_written_leaves_every_other_as_it_was(
    store: Flaky, which: str, error: BackendError
) -> None:
    router = SpreadRouter(experiment(), store)
    state = router.read()
    store.refused[which] = error

    with pytest.raises(type(error)):
        router.write(state, {"a": 50, "b": 30, "c": 20})

    assert weights(store) == [80, 20, 0]


def test_a_change_by_somebody_else_is_a_conflict(store: Flaky) -> None:
    router = SpreadRouter(experiment(), store)
    state = router.read()
    path = "/spec/http/0/route/0/weight"
    store.patch(key("c"), [{"op": "replace", "path": path, "value": 1}])

    with pytest.raises(Conflict, match="changed since"):
        router.write(state, {"a": 50, "b": 30, "c": 20})
    with pytest.raises(SpecError, match="a 80, b 20, c 1, expected 100 together"):
        router.read()


def test_a_version_without_a_place_is_refused_by_name(store: Flaky) -> None:
    with pytest.raises(SpecError, match="c without a weightObjRef"):
        SpreadRouter(experiment(last=False), store)


def test_two_versions_with_one_field_of_an_object_are_refused(store: Flaky) -> None:
    data = experiment().model_dump(mode="json", by_alias=True, exclude_unset=True)
    candidates = data["spec"]["versionInfo"]["candidates"]
    candidates[1]["weightObjRef"] = dict(candidates[0]["weightObjRef"])
    router = routers.connect(Experiment.model_validate(data), store)

    with pytest.raises(SpecError, match="b and c both have the fieldPath"):
        router.read()
