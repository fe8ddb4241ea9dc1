"""What is told and what stays in force when Envoy or the disk takes no change."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from envoys import KEY, Mesh, to

from crossfade.errors import BackendError

pytestmark = pytest.mark.embedded


def test_a_change_that_envoy_refuses_is_told(tmp_path: Path) -> None:
    mesh = Mesh(tmp_path)
    try:
        unclosed = [{"uri": {"regex": "/v["}}]
        mesh.route(to(("b", 100), match=unclosed))
        reason = mesh.gateway.failed()
    finally:
        mesh.stop()

    assert reason is not None
    assert "envoy refuses version" in reason


def test_a_weight_is_in_force_also_when_the_disk_is_full(tmp_path: Path) -> None:
    mesh = Mesh(tmp_path)
    for name in ("rds", "cds"):  # a file that is no file: nothing can be written beside it
        (tmp_path / "envoy" / f".{name}.yaml.new").mkdir()
    try:
        for weight, name in ((0, "b"), (100, "a")) * 5:
            mesh.route(to(("a", weight), ("b", 100 - weight)))
            assert {mesh.name() for _ in range(5)} == {name}
        mesh.gateway.serve(("a.ns", 80), mesh.echoes[1].port)
        assert mesh.name() == "b"
        reason = mesh.gateway.failed()
    finally:
        mesh.stop()

    assert reason is None


def test_a_route_that_cannot_be_written_is_refused_and_stays_as_it_was(tmp_path: Path) -> None:
    mesh = Mesh(tmp_path)
    try:
        mesh.route(to(("a", 100)))
        before = mesh.store.get(KEY)
        (tmp_path / "envoy" / ".rds.yaml.new").mkdir()
        many = [to(("b", 100), match=[{"uri": {"exact": "/" + "x" * 200 + str(i)}}])
                for i in range(100)]  # fmt: skip
        with pytest.raises(BackendError, match=r"rds.yaml: cannot be written"):
            mesh.route(*many)
        assert mesh.store.get(KEY) == before
        mesh.route(to(("b", 100)))
        assert mesh.name() == "b"
    finally:
        mesh.stop()


def test_a_gateway_that_died_is_told_without_waiting(tmp_path: Path) -> None:
    mesh = Mesh(tmp_path)
    try:
        mesh.processes.stop(*mesh.processes._children)
        begin = time.monotonic()
        mesh.route(to(("a", 100)))
        took = time.monotonic() - begin
        reason = mesh.gateway.failed()
    finally:
        mesh.stop()

    assert took < 1
    assert (reason or "").startswith("envoy does not answer")
