"""Weights in several objects: all change, or none does (C33)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from crossfade.errors import BackendError, Conflict, SpecError, Unsettled
from crossfade.spec.experiment import Experiment
from crossfade.verdict import Outcome
from crossfade_steps import routers
from crossfade_steps.cluster.leased import LeasedObjects
from crossfade_steps.embedded.store import Store
from crossfade_steps.ports import ObjectKey
from crossfade_steps.routers.spread import SpreadRouter
from crossfade_steps.run import Stopped

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
    """A store that refuses patches of one object while it is told to.

    ``totals`` are the versions' weights together after each patch; ``before_patch`` is what
    somebody else does right before one.
    """

    def __init__(self) -> None:
        super().__init__()
        self.refused: dict[str, BackendError] = {}
        self.totals: list[int] = []
        self.before_patch: Callable[[str], None] = lambda name: None

    def patch(self, key: ObjectKey, operations: Sequence[Mapping[str, Any]]) -> Any:
        self.before_patch(key.name)
        if key.name in self.refused:
            raise self.refused[key.name]
        stored = super().patch(key, operations)
        self.totals.append(sum(weights(self)))
        return stored

    def put(self, name: str, weight: int) -> None:
        """Set a weight as somebody else does."""
        path = "/spec/http/0/route/0/weight"
        Store.patch(self, key(name), [{"op": "add", "path": path, "value": weight}])


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
    store.put("c", 1)

    with pytest.raises(Conflict, match="changed since"):
        router.write(state, {"a": 50, "b": 30, "c": 20})


def test_a_split_that_does_not_make_100_may_be_in_the_middle_of_a_change(store: Flaky) -> None:
    """A reader beside a writer sees it: an exit code that says "never again" would end the run."""
    store.put("c", 1)

    with pytest.raises(Unsettled, match="a 80, b 20, c 1, expected 100 together") as error:
        SpreadRouter(experiment(), store).read()

    assert error.value.exit_code == BackendError.exit_code
    assert isinstance(error.value, BackendError), "who is patient with a back end is so with this"


def test_what_gets_more_is_raised_before_anything_is_lowered(store: Flaky) -> None:
    router = SpreadRouter(experiment(), store)

    router.write(router.read(), {"a": 50, "b": 30, "c": 20})
    router.restore({"a": 100, "b": 0, "c": 0})

    assert min(store.totals) == 100
    assert weights(store) == [100, 0, 0]


def test_what_was_lowered_last_is_put_back_first(store: Flaky) -> None:
    router = SpreadRouter(experiment(), store)
    state = router.read()
    store.refused["a"] = BackendError("503")

    with pytest.raises(BackendError):
        router.write(state, {"a": 0, "b": 10, "c": 90})

    assert weights(store) == [80, 20, 0]
    assert min(store.totals) == 100


def test_weights_that_are_not_ours_are_not_put_back(store: Flaky) -> None:
    """Somebody takes b out of traffic right before our write of it."""
    router = SpreadRouter(experiment(), store)
    state = router.read()
    store.before_patch = lambda name: store.put("b", 0) if name == "b" else None

    with pytest.raises(Conflict):
        router.write(state, {"a": 50, "b": 30, "c": 20})

    assert weights(store) == [80, 0, 0]


def test_one_object_that_cannot_be_put_back_keeps_no_other_from_it(store: Flaky) -> None:
    router = SpreadRouter(experiment(), store)
    state = router.read()

    def down(name: str) -> None:
        if name == "a":
            store.refused.update(a=BackendError("down"), b=BackendError("down"))

    store.before_patch = down
    with pytest.raises(BackendError, match="VirtualService ns/b could not be put back to") as error:
        router.write(state, {"a": 50, "b": 30, "c": 20})

    assert "half changed" in error.value.hint
    assert weights(store) == [80, 30, 0], "c, raised first, is put back all the same"


def test_a_split_that_reads_back_wrong_is_put_back(store: Flaky) -> None:
    """Somebody raises a while c is written: what was a wrong sum is a conflict to try again."""
    router = SpreadRouter(experiment(), store)
    state = router.read()
    patched: list[str] = []

    def meanwhile(name: str) -> None:
        patched.append(name)
        if len(patched) == 3:
            store.put("c", 70)

    store.before_patch = meanwhile
    with pytest.raises(Conflict, match="read back"):
        router.write(state, {"a": 50, "b": 30, "c": 20})

    assert weights(store) == [80, 20, 70]


def test_a_version_without_a_place_is_refused_by_name(store: Flaky) -> None:
    with pytest.raises(SpecError, match="c without a weightObjRef"):
        SpreadRouter(experiment(last=False), store)


def test_the_lease_is_looked_at_before_each_object_of_a_split(store: Flaky) -> None:
    looks: list[int] = []

    class Lost:
        def hold(self) -> None:
            looks.append(len(store.totals))
            if len(looks) == 3:
                raise Stopped(Outcome.CONTESTED, "lost")

    lease: Any = Lost()
    router = SpreadRouter(experiment(), LeasedObjects(store, lease))
    with pytest.raises(Stopped):
        router.write(router.read(), {"a": 50, "b": 30, "c": 20})

    assert looks == [0, 1, 2], "one before each patch, and none is sent after it is lost"


def test_two_versions_with_one_field_of_an_object_are_refused(store: Flaky) -> None:
    data = experiment().model_dump(mode="json", by_alias=True, exclude_unset=True)
    candidates = data["spec"]["versionInfo"]["candidates"]
    candidates[1]["weightObjRef"] = dict(candidates[0]["weightObjRef"])
    router = routers.connect(Experiment.model_validate(data), store)

    with pytest.raises(SpecError, match="b and c both have the fieldPath"):
        router.read()
