"""An API server that is busy, away, or loses an answer: what is repeated, and what became of it."""

from __future__ import annotations

import ssl
from typing import Any

import pytest
from fake_api import LATE, LOST, REFUSED, Api

from crossfade.errors import BackendError, Conflict, SpecError
from crossfade_steps.cluster.transport import TOTAL_SECONDS, WRITE_SECONDS
from crossfade_steps.ports import ObjectKey

KEY = ObjectKey("", "ConfigMap", "shop", "a")
PLACE = "/api/v1/namespaces/shop/configmaps"


def manifest(**data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "a", "namespace": "shop", "labels": {"of": "us"},
                         "creationTimestamp": None},
            "data": data}  # fmt: skip


def filled(**data: str) -> Api:
    api = Api()
    api.store.create(manifest(**data))
    return api


def data(api: Api) -> Any:
    return (api.store.get(KEY) or {}).get("data")


@pytest.mark.parametrize("fault", [429, 500, 502, 503, 504, LATE, REFUSED])
def test_a_read_is_repeated_until_it_is_answered(fault: Any) -> None:
    api = filled(x="1")
    api.faults = [fault, fault]

    assert (api.kube().get(KEY) or {})["data"] == {"x": "1"}
    assert api.waits == [0.25, 0.5]


@pytest.mark.parametrize("status", [400, 401, 403, 422])
def test_what_the_api_refuses_is_not_asked_again(status: int) -> None:
    api = filled()
    api.faults = [status]

    with pytest.raises(BackendError):
        api.kube().get(KEY)
    assert api.waits == []


def test_an_api_that_stays_away_is_given_up_in_time() -> None:
    api = filled()
    api.faults = [503] * 99

    with pytest.raises(BackendError, match="503 no"):
        api.kube().get(KEY)
    assert TOTAL_SECONDS / 2 < api.now <= TOTAL_SECONDS
    assert max(api.waits) == 4.0


def test_who_has_a_deadline_gives_up_sooner() -> None:
    api = filled()
    api.faults = [REFUSED] * 99

    with pytest.raises(BackendError, match="NewConnectionError: GET"):
        api.kube().within(3.0).get(KEY)
    assert api.now <= 3.0


def test_the_api_says_how_long_to_wait() -> None:
    api = filled()
    api.faults = [{"Retry-After": "7"}, {"Retry-After": "soon"}]

    api.kube().get(KEY)

    assert api.waits == [7.0, 0.5]


def test_a_wait_that_nobody_has_time_for_is_not_begun() -> None:
    api = filled()
    api.faults = [{"Retry-After": "3600"}]

    with pytest.raises(BackendError, match="429"):
        api.kube().get(KEY)
    assert api.now == 0


def test_a_create_that_was_carried_out_unheard_is_no_conflict() -> None:
    api = Api()
    api.faults = [LOST]

    assert api.kube().create(manifest(x="1"))["metadata"]["uid"]
    assert api.now == WRITE_SECONDS + 0.25


def test_what_somebody_else_created_meanwhile_is_a_conflict() -> None:
    api = Api()
    api.faults = [503]
    api.between = lambda: api.store.create(manifest(x="2"))

    with pytest.raises(Conflict):
        api.kube().create(manifest(x="1"))


def test_what_was_there_before_is_a_conflict_though_it_is_the_same() -> None:
    with pytest.raises(Conflict):
        filled(x="1").kube().create(manifest(x="1"))


@pytest.mark.parametrize(("fault", "made"), [(LOST, 1), (504, 0), (REFUSED, 1), (429, 1)])
def test_what_the_server_names_is_never_created_twice(fault: Any, made: int) -> None:
    api = Api()
    api.faults = [fault]
    named = manifest()
    named["metadata"] = {"generateName": "a-", "namespace": "shop"}

    try:
        api.kube().create(named)
    except BackendError:
        assert fault in (LOST, 504)
    assert len(api.store.listed("ConfigMap", "")) == made


def versioned(api: Api, value: str) -> list[dict[str, Any]]:
    version = (api.store.get(KEY) or {})["metadata"]["resourceVersion"]
    return [{"op": "test", "path": "/metadata/resourceVersion", "value": version},
            {"op": "add", "path": "/data/x", "value": value}]  # fmt: skip


def test_a_patch_that_was_carried_out_unheard_is_nobody_else_s_change() -> None:
    api = filled(x="1")
    api.faults = [LOST]

    stored = api.kube().patch(KEY, versioned(api, "2"))

    assert stored["data"] == {"x": "2"}


@pytest.mark.parametrize("fault", [LOST, 503])
def test_a_patch_that_somebody_else_s_change_came_before_is_a_conflict(fault: Any) -> None:
    api = filled(x="1")
    api.faults = [fault]
    api.between = lambda: api.store.merge(KEY, {"data": {"x": "3"}})

    with pytest.raises(Conflict):
        api.kube().patch(KEY, versioned(api, "2"))
    assert data(api) == {"x": "3"}


def test_what_would_be_inserted_twice_is_not_repeated() -> None:
    api = filled()
    api.store.merge(KEY, {"list": []})
    api.faults = [LOST]

    with pytest.raises(BackendError, match="ReadTimeoutError"):
        api.kube().patch(KEY, [{"op": "add", "path": "/list/-", "value": 1}])
    assert (api.store.get(KEY) or {})["list"] == [1]


def test_a_versioned_merge_that_was_carried_out_unheard_counts() -> None:
    api = filled(x="1", y="1")
    version = (api.store.get(KEY) or {})["metadata"]["resourceVersion"]
    part = {"metadata": {"resourceVersion": version}, "data": {"x": "2", "y": None}}
    api.faults = [LOST]

    assert api.kube().merge(KEY, part)["data"] == {"x": "2"}


def test_a_delete_that_was_carried_out_unheard_is_done() -> None:
    api = filled()
    uid = (api.store.get(KEY) or {})["metadata"]["uid"]
    api.faults = [LOST, LOST]

    api.kube().delete(KEY)
    assert data(api) is None

    api = filled()
    uid = (api.store.get(KEY) or {})["metadata"]["uid"]
    api.faults = [LOST]
    api.between = lambda: api.store.create(manifest(x="new"))
    api.kube().delete(KEY, uid=uid)
    assert data(api) == {"x": "new"}


NAMES = ["../secrets/db", "?labelSelector=app", "a/b", "a#b", "a%2fb", "..", ".", ""]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_is_another_object_s_path_is_never_sent(name: str) -> None:
    api = filled()
    kube = api.kube()

    for key in (ObjectKey("", "ConfigMap", "shop", name), ObjectKey("", "ConfigMap", name, "a")):
        for call in (
            kube.get,
            kube.delete,
            lambda k: kube.patch(k, []),
            lambda k: kube.merge(k, {}),
        ):
            with pytest.raises(SpecError, match=r"ConfigMap .* expected a name") as refused:
                call(key)
            assert repr(name) in str(refused.value)
    assert api.asked == []


@pytest.mark.parametrize("name", NAMES[:-1])
def test_nothing_is_created_under_such_a_name(name: str) -> None:
    api = filled()
    named = {**manifest(), "metadata": {"name": name, "namespace": "shop"}}

    for call in (api.kube().create, api.kube().apply):
        with pytest.raises(SpecError, match="expected a name"):
            call(named)
    assert api.asked == []


def test_names_that_are_odd_but_legal_go_as_they_are() -> None:
    api = filled()

    api.kube().get(ObjectKey("", "ConfigMap", "shop", "system:a b"))

    assert api.asked == [("GET", f"{PLACE}/system:a%20b")]


@pytest.mark.parametrize("group", ["../../api", "batch?x", "batch/v1/x%"])
def test_a_group_that_is_another_path_is_not_known(group: str) -> None:
    api = Api()

    assert not api.kube().knows(group, "Job")
    assert api.kube().get(ObjectKey(group, "Job", "shop", "a")) is None


def test_a_kind_is_looked_up_with_the_time_of_who_asks() -> None:
    api = filled()
    api.discovery = 503

    with pytest.raises(BackendError):
        api.kube().within(3).get(KEY)
    assert 1 < api.now <= 3


@pytest.mark.parametrize("error", [ssl.SSLEOFError("EOF"), ssl.SSLCertVerificationError("expired")])
def test_only_a_certificate_that_is_not_accepted_is_final(error: ssl.SSLError) -> None:
    api = filled(x="1")
    api.faults = [error]

    if isinstance(error, ssl.SSLCertVerificationError):
        with pytest.raises(BackendError, match="expired"):
            api.kube().get(KEY)
        return
    assert (api.kube().get(KEY) or {})["data"] == {"x": "1"}


def test_what_was_made_need_not_be_readable() -> None:
    """An account may make Jobs and not read them: the second try's 409 says that it is there."""
    api = Api()
    api.faults = [LOST, None, 403]

    with pytest.raises(Conflict):
        api.kube().create(manifest(x="1"))
