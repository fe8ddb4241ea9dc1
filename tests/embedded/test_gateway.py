"""Store, admission and real Envoy in front of light servers that say their name."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from envoys import KEY, Echo, Mesh, to

from crossfade.errors import SpecError
from crossfade_steps.ports import ObjectKey

pytestmark = pytest.mark.embedded


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    made = Mesh(tmp_path_factory.mktemp("mesh"))
    yield made
    made.stop()


@pytest.fixture
def mesh(shared: Mesh) -> Iterator[Mesh]:
    yield shared
    assert shared.gateway.failed() is None
    for stored in shared.store.list("VirtualService"):
        shared.store.delete(ObjectKey.of(stored))


def test_a_weight_is_in_force_as_soon_as_it_is_written(mesh: Mesh) -> None:
    mesh.route(to(("a", 100), ("b", 0)))
    for weight, name in ((100, "b"), (0, "a")) * 5:
        path = "/spec/http/0/route"
        mesh.store.patch(
            KEY,
            [
                {"op": "replace", "path": f"{path}/0/weight", "value": 100 - weight},
                {"op": "replace", "path": f"{path}/1/weight", "value": weight},
            ],
        )
        assert {mesh.name() for _ in range(10)} == {name}


def test_the_version_header_is_that_of_the_destination_that_answered(mesh: Mesh) -> None:
    mesh.route(to(("a", 50), ("b", 50)))

    seen = Counter(
        (answer.json()["name"], answer.headers["version"])
        for answer in (mesh.get() for _ in range(200))
    )

    assert set(seen) == {("a", "a"), ("b", "b")}
    assert 50 < seen["a", "a"] < 150  # 7 standard deviations around 100


@pytest.mark.parametrize(
    ("match", "hit", "miss"),
    [
        pytest.param({"uri": {"exact": "/v1"}}, {"path": "/v1"}, {"path": "/v1/x"}, id="exact"),
        pytest.param({"uri": {"prefix": "/v1"}}, {"path": "/v1/x"}, {"path": "/v2"}, id="prefix"),
        pytest.param({"uri": {"regex": "/v[12]"}}, {"path": "/v2"}, {"path": "/v3"}, id="regex"),
        pytest.param(
            {"uri": {"prefix": "/V1"}, "ignoreUriCase": True}, {"path": "/v1"}, {}, id="any-case"
        ),
        pytest.param({"headers": {"user": {"exact": "me"}}}, {"user": "me"}, {"user": "you"},
                     id="header"),
        pytest.param({"headers": {"user": {}}}, {"user": "me"}, {}, id="header-present"),
        pytest.param({"withoutHeaders": {"user": {}}}, {}, {"user": "me"}, id="without-header"),
        pytest.param({"queryParams": {"q": {"exact": "1"}}}, {"path": "/?q=1"}, {"path": "/?q=2"},
                     id="query"),
    ],
)  # fmt: skip
def test_a_match_is_honoured(
    mesh: Mesh, match: dict[str, Any], hit: dict[str, str], miss: dict[str, str]
) -> None:
    mesh.route(to(("b", 100), match=[match]), to(("a", 100)))

    assert mesh.name(**hit) == "b"
    assert mesh.name(**miss) == "a"


@pytest.mark.parametrize(("method", "name"), [("GET", "b"), ("POST", "a")])
def test_a_match_of_the_method_is_honoured(mesh: Mesh, method: str, name: str) -> None:
    mesh.route(to(("b", 100), match=[{"method": {"exact": method}}]), to(("a", 100)))

    assert mesh.name() == name, "it asks with GET"


def test_timeout_rewrite_and_request_headers_are_honoured(mesh: Mesh) -> None:
    rule = to(("a", 100), timeout="1m30s", rewrite={"uri": "/new"},
              match=[{"uri": {"prefix": "/old"}}],
              headers={"request": {"set": {"added": "yes"}, "remove": ["gone"]}},
              retries={"attempts": 1, "perTryTimeout": "250ms"})  # fmt: skip
    mesh.route(rule)

    asked = mesh.get("/old/x", gone="no").json()

    assert asked["path"] == "/new/x"
    assert asked["headers"]["added"] == "yes"
    assert "gone" not in asked["headers"]


def test_a_host_is_matched_with_any_port_and_nothing_else_is_routed(mesh: Mesh) -> None:
    mesh.route(to(("a", 100)))
    mesh.route(to(("b", 100)), name="wild", host="*.Example.org")

    assert mesh.name(host="x.example:8080") == "a"
    assert mesh.name(host="deep.example.org") == "b"
    assert mesh.name(host="other.example") == "404"


def test_two_rules_for_one_host_follow_each_other(mesh: Mesh) -> None:
    mesh.route(to(("b", 100), match=[{"uri": {"prefix": "/b"}}]), name="first")
    mesh.route(to(("a", 100)), name="second")

    assert (mesh.name("/b"), mesh.name("/")) == ("b", "a")


def test_a_prefix_reaches_its_services_by_weight_and_is_cut_off(mesh: Mesh) -> None:
    prefix = "/seldon/ns/iris/"
    mesh.gateway.prefix(prefix, {("a.ns", 80): 0, ("b.ns", 80): 100})
    answer = mesh.get(f"{prefix}api/v1.0/feedback", host="any.example").json()
    mesh.gateway.prefix(prefix, {})

    assert (answer["name"], answer["path"]) == ("b", "/api/v1.0/feedback")
    assert mesh.name(f"{prefix}x", host="any.example") == "404"


def test_a_service_that_is_not_there_is_an_error_and_not_a_silence(mesh: Mesh) -> None:
    mesh.route(to(("nobody", 100)))

    assert mesh.name() == "503"


def test_a_rule_that_is_not_understood_changes_nothing(mesh: Mesh) -> None:
    mesh.route(to(("a", 100)))

    with pytest.raises(SpecError, match=r"default/rule: spec.http\[0\].fault is not understood"):
        mesh.route(to(("b", 100), fault={"abort": {"httpStatus": 500}}))

    assert mesh.name() == "a"


def test_requests_survive_changes_of_weights_and_of_the_service_behind_a_name(
    mesh: Mesh,
) -> None:
    mesh.route(to(("a", 50), ("b", 50)))
    third = Echo("a")
    stop = threading.Event()

    def ask() -> Counter[str]:
        seen: Counter[str] = Counter()
        while not stop.is_set():
            seen[mesh.name()] += 1
        return seen

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask) for _ in range(4)]
        for i in range(50):
            mesh.route(to(("a", 30 + i % 41), ("b", 70 - i % 41)))
            mesh.gateway.serve(("a.ns", 80), (third if i % 2 else mesh.echoes[0]).port)
            time.sleep(0.02)
        mesh.gateway.serve(("a.ns", 80), mesh.echoes[0].port)
        stop.set()
        total = sum((future.result() for future in asking), Counter[str]())
    third.stop()

    assert set(total) == {"a", "b"}
    assert total.total() > 200
