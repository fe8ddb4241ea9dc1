"""A write that is on its way when its run ends, or loses its Lease, does not arrive."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fake_kube import WORKFLOW, Cluster, FakeKube, iterating
from rig import VS, bundle, route

from crossfade import record
from crossfade.errors import BackendError, Conflict
from crossfade.verdict import Outcome
from crossfade_steps.cluster.conclude import conclude
from crossfade_steps.ports import FIELD_MANAGER
from crossfade_steps.routers.fence import fence, without_ours
from crossfade_steps.run import Stopped
from crossfade_steps.safety import Phase, enter


def on_its_way(cluster: Cluster, meanwhile: Callable[[], object]) -> None:
    """Let something happen after the next patch of the route was sent, before it arrives."""
    patch = cluster.fake.patch

    def late(key: Any, operations: Any) -> Any:
        if key == VS:
            cluster.fake.patch = patch  # type: ignore[method-assign]
            meanwhile()
        return patch(key, operations)

    cluster.fake.patch = late  # type: ignore[method-assign]


def managers(fake: FakeKube) -> list[str]:
    return [e["manager"] for e in (fake.get(VS) or {})["metadata"]["managedFields"]]


def untouched(fake: FakeKube) -> Any:
    stored: Any = fake.get(VS)
    for name in ("resourceVersion", "generation", "managedFields"):
        del stored["metadata"][name]
    return stored


@pytest.mark.parametrize("weights", [(100, 0), (70, 30)])
def test_a_write_that_arrives_after_its_run_has_ended_is_refused(weights: tuple[int, int]) -> None:
    cluster = iterating(None, *weights)
    router = cluster.stage.run.router
    state = router.read()
    cluster.fake.merge(WORKFLOW, {"spec": {"shutdown": "Terminate"}})
    on_its_way(cluster, lambda: conclude(cluster.another()))

    with pytest.raises((Stopped, Conflict), match=r"now belongs to run nobody|changed since"):
        router.write(state, {"v1": 90, "v2": 10})

    assert cluster.weights() == [100, 0]
    assert cluster.head()["outcome"] == "cancelled"


def test_a_write_is_not_tried_again_under_another_runs_lease() -> None:
    """Somebody's status makes the first try a conflict; by the second the Lease is another's."""
    cluster = iterating(None, 100, 0)
    router, lease = cluster.stage.run.router, cluster.stage.lease._leases[0]

    def taken() -> None:
        cluster.fake.merge(lease._key, {"spec": {"holderIdentity": "shop/other-1"}})
        cluster.fake.merge(VS, {"status": {"observed": 1}})

    on_its_way(cluster, taken)
    with pytest.raises(Stopped, match="now belongs to run shop/other-1"):
        router.write(router.read(), {"v1": 90, "v2": 10})

    assert cluster.weights() == [100, 0]


def test_an_ended_run_leaves_nothing_but_weights() -> None:
    cluster = iterating(None, 100, 0)
    before = untouched(cluster.fake)
    cluster.set_weights(70, 30)
    assert managers(cluster.fake) == ["kubectl", FIELD_MANAGER]
    cluster.fake.delete(WORKFLOW)

    conclude(cluster.another())

    assert managers(cluster.fake) == ["kubectl"], "kubectl apply --server-side meets no conflict"
    assert untouched(cluster.fake) == before


def test_a_route_of_which_all_is_ours_stays_ours() -> None:
    """The server takes an object without entries for one that somebody unknown has written."""
    fake = FakeKube()
    stored = fake.create(route())

    fence(fake, VS, stored)

    after = fake.get(VS) or {}
    assert managers(fake) == [FIELD_MANAGER]
    assert after["metadata"]["resourceVersion"] != stored["metadata"]["resourceVersion"]
    with pytest.raises(Conflict):
        fence(fake, VS, stored)


def test_what_was_applied_stays_ours() -> None:
    user = {"manager": "kubectl", "operation": "Apply"}
    applied = {"manager": FIELD_MANAGER, "operation": "Apply"}
    wrote = {"manager": FIELD_MANAGER, "operation": "Update"}

    assert without_ours([user, applied, wrote]) == [user, applied]
    assert without_ours([user]) == [user]
    assert without_ours([]) == []


def test_a_status_in_between_lets_the_fence_be_tried_again() -> None:
    cluster = iterating(None, 100, 0)
    on_its_way(cluster, lambda: cluster.fake.merge(VS, {"status": {"observed": 1}}))
    cluster.fake.delete(WORKFLOW)

    conclude(cluster.another())

    assert cluster.stage.store.head()["outcome"] == "cancelled"
    assert managers(cluster.fake)[:1] == ["kubectl"]
    assert not any("fence" in name for name in managers(cluster.fake))


def test_a_route_that_is_safe_and_cannot_be_written_ends_its_run(
    capsys: pytest.CaptureFixture[str],
) -> None:
    cluster = iterating(None, 100, 0)
    cluster.fake.delete(WORKFLOW)
    patch = cluster.fake.patch

    def refused(key: Any, operations: Any) -> Any:
        if key == VS:
            raise BackendError("admission webhook denied the request")
        return patch(key, operations)

    cluster.fake.patch = refused  # type: ignore[method-assign]

    assert conclude(cluster.another()).outcome == "cancelled"
    assert "note: a write that is on its way may still arrive: admission" in capsys.readouterr().out


def test_a_promoted_route_is_fenced_as_it_stands() -> None:
    cluster = iterating(bundle(), 40, 60)
    enter(cluster.stage.run, Phase.VERIFIED, {})
    cluster.stage.store.append(record.concluded(Outcome.PROMOTED, "v2 serves all", "v2"))
    cluster.fake.delete(WORKFLOW)

    conclude(cluster.another())

    assert cluster.weights() == [40, 60]
    assert managers(cluster.fake) == ["kubectl"]
