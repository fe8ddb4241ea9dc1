"""Who owns a routed object: one run at a time, whatever the clocks of two machines say."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from fake_kube import Cluster, FakeKube, Kube, iterating
from rig import VS, Clock

from crossfade.errors import BackendError, Conflict
from crossfade_steps.cluster import guard, steps
from crossfade_steps.cluster.lease import SECONDS, TAKEN, WATCH_SECONDS, Lease, Leases
from crossfade_steps.ports import ObjectKey

OTHER = "shop/other-1"


class Skewed:
    """The clock of another machine, so many seconds ahead of the rig's."""

    def __init__(self, clock: Clock, ahead: float) -> None:
        self._clock, self._ahead = clock, ahead

    def now(self) -> float:
        return self._clock.now() + self._ahead

    def sleep(self, seconds: float) -> None:
        self._clock.sleep(seconds)


def lease_of(cluster: Cluster, holder: str = OTHER, ahead: float = 0.0) -> Lease:
    return Lease(cluster.stage.kube, VS, holder, Skewed(cluster.rig.clock, ahead))


def holder(cluster: Cluster) -> Any:
    return stored(cluster)["spec"]["holderIdentity"]


def stored(cluster: Cluster) -> Any:
    return cluster.fake.get(cluster.stage.lease._leases[0]._key)


def beating(cluster: Cluster, seconds: int) -> None:
    """Let the run's guard give its heartbeats for so long."""
    for after in range(0, seconds, 2):
        cluster.rig.at(after, lambda: guard._beat(cluster.stage))


@pytest.mark.parametrize("ahead", [95.0, 3600.0, -95.0])
def test_a_clock_that_is_wrong_steals_no_lease(ahead: float) -> None:
    cluster = iterating()
    beating(cluster, 200)

    with pytest.raises(BackendError, match="is being changed by run default/web-1"):
        lease_of(cluster, ahead=ahead).take()

    assert holder(cluster) == "default/web-1"
    assert cluster.rig.clock.now() - 1000 < 25, "the owner's next renewal tells"


def test_a_live_owner_is_told_at_once() -> None:
    cluster = iterating()

    with pytest.raises(BackendError, match="is being changed by run default/web-1"):
        lease_of(cluster, ahead=30.0).take()

    assert cluster.rig.clock.now() == 1000


@pytest.mark.parametrize("ahead", [0.0, 500.0])
def test_the_lease_of_an_owner_that_is_gone_is_taken_after_it_was_watched(ahead: float) -> None:
    cluster = iterating()
    cluster.rig.clock.sleep(SECONDS + 1)
    before = cluster.rig.clock.now()

    assert lease_of(cluster, ahead=ahead).take()

    assert SECONDS < cluster.rig.clock.now() - before <= SECONDS + 2 * WATCH_SECONDS
    assert holder(cluster) == OTHER


def test_a_lease_that_is_given_back_meanwhile_is_taken() -> None:
    cluster = iterating()
    cluster.rig.clock.sleep(SECONDS + 1)
    cluster.rig.at(10, cluster.stage.lease.release)
    other, before = lease_of(cluster), cluster.rig.clock.now()

    Leases([other]).take()

    assert holder(cluster) == OTHER
    assert cluster.rig.clock.now() - before < SECONDS / 2, "nobody has it: nothing to watch"


def test_the_leases_of_a_split_are_watched_together() -> None:
    cluster = iterating()
    kube, clock = cluster.stage.kube, cluster.rig.clock
    keys = [ObjectKey(VS.group, VS.kind, VS.namespace, name) for name in ("x", "y", "z")]
    Leases([Lease(kube, key, "default/web-1", clock) for key in keys]).take()
    clock.sleep(SECONDS + 1)
    before = clock.now()

    Leases([Lease(kube, key, OTHER, clock) for key in keys]).take()

    assert clock.now() - before <= SECONDS + 2 * WATCH_SECONDS


@pytest.mark.parametrize("ahead", [30.0, -30.0])
def test_a_part_whose_clock_differs_renews_all_the_same(ahead: float) -> None:
    """A time in its future would look new for as long as the clocks are apart."""
    cluster = iterating()
    lease_of(cluster, "default/web-1", ahead).take()
    version = stored(cluster)["metadata"]["resourceVersion"]

    guard._beat(cluster.stage)

    assert stored(cluster)["metadata"]["resourceVersion"] != version


def test_of_eight_that_want_a_lease_that_was_left_behind_one_gets_it() -> None:
    """All of them have seen the same record to its end when the first one takes it."""
    fake, many = FakeKube(), 8
    Lease(kube_of(fake), VS, "default/web-1", Clock()).take()
    together = threading.Barrier(many)
    told: list[Any] = []

    class Waiting(Kube):
        def merge(self, *given: Any, **more: Any) -> Any:
            together.wait(timeout=30)
            return fake.merge(*given, **more)

    def contend(i: int) -> None:
        clock = Clock()
        clock.time += SECONDS + 1
        kube: Any = Waiting(fake)
        try:
            told.append((f"shop/other-{i}", Lease(kube, VS, f"shop/other-{i}", clock).take()))
        except BackendError as error:
            told.append(error)

    threads = [threading.Thread(target=contend, args=(i,)) for i in range(many)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    won = [each for each in told if isinstance(each, tuple)]
    assert (len(won), len(told)) == (1, many)
    assert all(isinstance(each, Conflict) for each in told if each not in won)
    found: Any = fake.get(Lease(kube_of(fake), VS, "", Clock())._key)
    assert (found["spec"]["holderIdentity"], True) == won[0]
    assert found["metadata"]["annotations"][TAKEN] == "default/web-1"


def kube_of(fake: FakeKube) -> Any:
    return Kube(fake)


def test_what_an_owner_that_is_gone_has_sent_does_not_arrive_under_the_new_one() -> None:
    """Its machine stood still between the look at the Lease and the request."""
    cluster = iterating(None, 100, 0)
    late = cluster.fake.get(VS) or {}
    patch = [{"op": "test", "path": "/metadata/resourceVersion",
              "value": late["metadata"]["resourceVersion"]},
             {"op": "add", "path": "/spec/http/0/route/1/weight", "value": 90}]  # fmt: skip
    cluster.fake.merge(stored_key(cluster), {"spec": {"holderIdentity": OTHER}})
    cluster.rig.clock.sleep(SECONDS + 1)

    steps._take(cluster.stage)

    with pytest.raises(Conflict):
        cluster.fake.patch(VS, patch)
    assert cluster.weights() == [100, 0]
    assert TAKEN not in stored(cluster)["metadata"]["annotations"]


def test_a_retried_step_fences_what_the_first_try_did_not() -> None:
    cluster = iterating(None, 100, 0)
    cluster.fake.merge(stored_key(cluster), {"spec": {"holderIdentity": OTHER}})
    cluster.rig.clock.sleep(SECONDS + 1)
    cluster.stage.lease.take()
    before = version(cluster.fake)

    steps._take(cluster.another())

    assert version(cluster.fake) != before


def stored_key(cluster: Cluster) -> ObjectKey:
    return cluster.stage.lease._leases[0]._key


def version(fake: FakeKube) -> str:
    return str((fake.get(VS) or {})["metadata"]["resourceVersion"])
