"""One suite over every kind of routing object, against the object store."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from route_kinds import KINDS, Case, destination

from crossfade.errors import Conflict, SpecError


@pytest.fixture(params=KINDS)
def case(request: pytest.FixtureRequest) -> Case:
    return Case(KINDS[request.param])


def test_the_weights_in_force_are_read(case: Case) -> None:
    assert dict(case.router.read().weights) == {"v1": 100, "v2": 0}


@pytest.mark.parametrize("candidate", [100, 50, 5, 0])
def test_what_is_written_reads_back(case: Case, candidate: int) -> None:
    assert case.write(candidate) == {"v1": 100 - candidate, "v2": candidate}


def test_zero_is_written_and_not_left_out(case: Case) -> None:
    case.write(30)
    case.write(0)

    text = str(case.stored()["spec"])
    assert case.router.read().weights["v2"] == 0
    assert ": 0" in text


def without_weights(node: Any) -> Any:
    if isinstance(node, dict):
        return {k: without_weights(v) for k, v in node.items()
                if k not in ("weight", "percent", "traffic", "canaryTrafficPercent")
                or isinstance(v, list)}  # fmt: skip
    return [without_weights(item) for item in node] if isinstance(node, list) else node


def test_nothing_but_weights_changes(case: Case) -> None:
    case.write(40)

    assert without_weights(case.stored()["spec"]) == without_weights(case.kind.spec)


def test_a_destination_of_nobody_keeps_its_weight(case: Case) -> None:
    if not case.kind.foreign:
        pytest.skip("this kind's case has no foreign destination")
    case.write(50)

    assert at(case.stored()["spec"], case.kind.foreign) == at(case.kind.spec, case.kind.foreign)


def at(spec: Any, path: tuple[str | int, ...]) -> Any:
    for part in path:
        spec = spec[part]
    return spec


def test_other_weights_in_between_are_a_conflict_and_change_nothing(case: Case) -> None:
    state = case.router.read()
    case.write(40)
    before = case.stored()

    with pytest.raises(Conflict, match="changed since"):
        case.router.write(state, {"v1": 50, "v2": 50})

    assert case.stored()["spec"] == before["spec"]


def test_any_other_change_in_between_is_kept_and_does_not_matter(case: Case) -> None:
    """An operator writes a status, a person a label: the weights are still those that were read."""
    state = case.router.read()
    case.store.patch(case.key, [{"op": "add", "path": "/metadata/labels", "value": {"a": "b"}}])

    assert dict(case.router.write(state, {"v1": 50, "v2": 50}).weights) == {"v1": 50, "v2": 50}
    assert case.stored()["metadata"]["labels"]["a"] == "b"


def test_a_rule_that_is_put_first_keeps_its_weights_and_ours_are_found(case: Case) -> None:
    """A team adds a rule while a run goes on: an index is no destination."""
    rules = {"VirtualService": "http", "HTTPRoute": "rules"}.get(case.kind.kind)
    if rules is None:
        pytest.skip("this kind has one list of destinations")
    case.write(30)
    case.router.pin(case.router.identities())
    rule = {"VirtualService": {"route": [destination("x", weight=60), destination("y", weight=40)]},
            "HTTPRoute": {"backendRefs": [{"name": "x", "port": 1, "weight": 60},
                                          {"name": "y", "port": 1, "weight": 40}]}}  # fmt: skip
    first = {"op": "add", "path": f"/spec/{rules}/0", "value": rule[case.kind.kind]}
    case.store.patch(case.key, [first])

    assert dict(case.router.read().weights) == {"v1": 70, "v2": 30}
    assert case.write(45) == {"v1": 55, "v2": 45}
    [put] = [rule for rule in case.stored()["spec"][rules][:1]]
    listed = put["route" if rules == "http" else "backendRefs"]
    assert [each["weight"] for each in listed] == [60, 40]


def test_a_fence_lets_no_earlier_write_through_and_changes_nothing(case: Case) -> None:
    before = case.stored()
    version = str(before["metadata"]["resourceVersion"])
    late = [{"op": "test", "path": "/metadata/resourceVersion", "value": version},
            {"op": "add", "path": "/metadata/labels", "value": {"late": "yes"}}]  # fmt: skip

    case.router.fence(case.router.read())

    with pytest.raises(Conflict):
        case.store.patch(case.key, late)
    after = case.stored()
    assert after["spec"] == before["spec"]
    for name in ("labels", "annotations", "generation"):
        assert after["metadata"].get(name) == before["metadata"].get(name)


def test_a_fence_is_for_the_weights_that_were_read(case: Case) -> None:
    state = case.router.read()
    case.write(40)

    with pytest.raises(Conflict, match="changed since"):
        case.router.fence(state)


def zeroed(node: Any) -> Any:
    """Return a spec with every weight 0, as somebody sets who takes all versions out."""
    if isinstance(node, dict):
        return {k: 0 if k in ("weight", "percent", "traffic") and not isinstance(v, list)
                else zeroed(v) for k, v in node.items()}  # fmt: skip
    return [zeroed(item) for item in node] if isinstance(node, list) else node


def test_weights_that_are_all_0_are_restored(case: Case) -> None:
    """No split can be read then, and on some gateways every request is answered by a 500."""
    if None in case.kind.paths:
        pytest.skip("what this kind's candidate has not, the baseline has")
    case.write(30)
    spec, foreign = zeroed(case.stored()["spec"]), case.kind.foreign
    if foreign:
        at(spec, foreign[:-1])[foreign[-1]] = at(case.kind.spec, foreign)
    case.store.patch(case.key, [{"op": "replace", "path": "/spec", "value": spec}])
    with pytest.raises(SpecError, match="all managed weights are 0"):
        case.router.read()

    assert dict(case.router.restore({"v1": 100, "v2": 0}).weights) == {"v1": 100, "v2": 0}
    if case.kind.kind == "VirtualService":
        assert [r["weight"] for r in spec["http"][1]["route"]] == [0, 0, 20]
        assert [r["weight"] for r in case.stored()["spec"]["http"][1]["route"]] == [80, 0, 20]


def test_weights_that_do_not_sum_to_100_are_refused(case: Case) -> None:
    with pytest.raises(SpecError, match="sum of 100"):
        case.router.write(case.router.read(), {"v1": 50, "v2": 51})


@given(st.sampled_from(sorted(KINDS)), st.lists(st.integers(0, 100), min_size=1, max_size=5))
def test_any_sequence_of_weights_reads_back_up_to_the_grain_of_the_kind(
    name: str, sequence: list[int]
) -> None:
    case = Case(KINDS[name])
    for candidate in sequence:
        read = case.write(candidate)
        assert sum(read.values()) == 100
        # beside a foreign destination of 20 the managed part is 80 points: 1.25 % each
        assert abs(read["v2"] - candidate) <= (1 if name == "VirtualService" else 0)
