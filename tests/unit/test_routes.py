import copy
from typing import Any

import pytest

from crossfade.errors import SpecError
from crossfade.routes import resolve
from crossfade.routes.member import parse_field_path, pointer

A, B = ".spec.http[0].route[0].weight", ".spec.http[0].route[1].weight"


def virtual_service(*weights: int | None) -> dict[str, Any]:
    routes = []
    for name, weight in zip("abc", weights, strict=False):
        route: dict[str, Any] = {"destination": {"host": name}}
        routes.append(route if weight is None else {**route, "weight": weight})
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "vs", "namespace": "ns"},
        "spec": {"http": [{"route": routes}]},
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(".spec.http[0].route[1].weight", "/spec/http/0/route/1/weight", id="usual"),
        pytest.param(" .spec.to.weight  ", "/spec/to/weight", id="spaces-around"),
        pytest.param(".a[0][1]", "/a/0/1", id="index-after-index"),
        pytest.param(r".a\.b.c", "/a.b/c", id="escaped-dot"),
        pytest.param(".m['a/b~c']", "/m/a~1b~0c", id="quoted-key"),
    ],
)
def test_a_field_path_becomes_a_json_pointer(text: str, expected: str) -> None:
    assert pointer(parse_field_path(text)) == expected


@pytest.mark.parametrize("text", ["", "spec.x", ".a[", ".a[x]", ".a]b"])
def test_a_field_path_that_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match="fieldPath"):
        parse_field_path(text)


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        pytest.param((100, 0), {"v1": 100, "v2": 0}, id="written"),
        pytest.param((100, None), {"v1": 100, "v2": 0}, id="zero-left-out"),
        pytest.param((1, 3), {"v1": 25, "v2": 75}, id="relative"),
    ],
)
def test_weights_read_as_whole_percent(
    weights: tuple[int | None, ...], expected: dict[str, int]
) -> None:
    assert resolve(virtual_service(*weights), {"v1": A, "v2": B}).percent() == expected


def test_the_version_without_a_reference_owns_the_destination_left() -> None:
    rule = resolve(virtual_service(30, 70), {"v1": None, "v2": B})

    assert rule.percent() == {"v1": 30, "v2": 70}


def test_two_versions_without_a_reference_are_refused() -> None:
    with pytest.raises(SpecError, match="v2, v3 have no weightObjRef, at most one may lack it"):
        resolve(virtual_service(30, 70), {"v1": A, "v2": None, "v3": None})


def test_a_foreign_destination_keeps_its_weight() -> None:
    rule = resolve(virtual_service(80, 0, 20), {"v1": A, "v2": B})

    written = [op["value"] for op in rule.patch(None, {"v1": 50, "v2": 50}) if op["op"] == "add"]

    assert written == [40, 40]


def test_a_patch_tests_what_it_was_computed_from_before_it_adds() -> None:
    operations = resolve(virtual_service(100, 0), {"v1": A, "v2": B}).patch(
        "7", {"v1": 100, "v2": 0}
    )

    assert operations == [
        {"op": "test", "path": "/metadata/resourceVersion", "value": "7"},
        {"op": "test", "path": "/spec/http/0/route/0/destination", "value": {"host": "a"}},
        {"op": "test", "path": "/spec/http/0/route/1/destination", "value": {"host": "b"}},
        {"op": "add", "path": "/spec/http/0/route/0/weight", "value": 100},
        {"op": "add", "path": "/spec/http/0/route/1/weight", "value": 0},
    ]


def test_a_route_that_is_gone_is_named_with_what_is_left() -> None:
    with pytest.raises(SpecError, match=r"route\[1\] does not exist \(there is .*route\[0\]\)"):
        resolve(virtual_service(100), {"v1": A, "v2": B})


@pytest.mark.parametrize("weights", [{"v1": 50, "v2": 40}, {"v1": 100}])
def test_weights_that_are_not_the_versions_or_not_100_are_refused(weights: dict[str, int]) -> None:
    rule = resolve(virtual_service(100, 0), {"v1": A, "v2": B})

    with pytest.raises(SpecError, match="sum of 100"):
        rule.patch(None, weights)


def test_another_group_of_the_same_kind_is_refused_by_name() -> None:
    other = copy.deepcopy(virtual_service(100, 0))
    other["apiVersion"] = "appmesh.k8s.aws/v1beta2"

    with pytest.raises(SpecError, match=r"unsupported group appmesh\.k8s\.aws of VirtualService"):
        resolve(other, {"v1": A, "v2": B})


@pytest.mark.parametrize("other", [A, f" {A} ", ".spec['http'][0].route[0].weight"])
def test_two_versions_with_one_field_are_refused_however_it_is_spelled(other: str) -> None:
    with pytest.raises(SpecError, match=r"v1 and v2 both have the fieldPath \.spec\.http\[0\]"):
        resolve(virtual_service(100, 0), {"v1": A, "v2": other})


def with_destinations(*entries: dict[str, Any]) -> dict[str, Any]:
    service = virtual_service(100, 0)
    for route, entry in zip(service["spec"]["http"][0]["route"], entries, strict=True):
        route.update(entry)
    return service


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param({"host": "a"}, {"host": "a"}, id="same"),
        pytest.param({"host": "a"}, {"host": "a.ns.svc.cluster.local"}, id="shorter"),
        pytest.param({"host": "a", "subset": "s"}, {"host": "a", "subset": "s"}, id="subset"),
    ],
)
def test_two_versions_with_one_destination_are_refused(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    marks = [{"headers": {"response": {"set": {"version": v}}}} for v in ("v1", "v2")]
    service = with_destinations(
        {"destination": one, **marks[0]}, {"destination": other, **marks[1]}
    )

    with pytest.raises(SpecError, match=r"v1 \(.*route\[0\].*v2 \(.*same destination a"):
        resolve(service, {"v1": A, "v2": B})


@pytest.mark.parametrize(
    "entries",
    [
        pytest.param(({"destination": {"host": "a", "subset": "s"}},
                      {"destination": {"host": "a", "subset": "t"}}), id="subsets"),
        pytest.param(({"destination": {"host": "a.x.svc.cluster.local"}},
                      {"destination": {"host": "a.y.svc.cluster.local"}}), id="namespaces"),
        pytest.param(tuple({"destination": {"host": "mesh"},
                            "headers": {"request": {"set": {"mm-vmodel-id": model}}}}
                           for model in ("m-1", "m-2")), id="models-behind-one-host"),
    ],
)  # fmt: skip
def test_destinations_that_get_other_requests_are_two(entries: tuple[dict[str, Any], ...]) -> None:
    rule = resolve(with_destinations(*entries), {"v1": A, "v2": B})

    assert rule.percent() == {"v1": 100, "v2": 0}
