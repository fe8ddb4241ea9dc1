"""Every kind of routing object is whole: a case in the suite, a shape, its fields."""

from __future__ import annotations

import pytest
from route_kinds import KINDS

from crossfade import routes
from crossfade.errors import SpecError
from crossfade.routes import additions, pointing


def test_every_kind_has_a_case() -> None:
    assert {kind for _, kind in routes.kinds()} == set(KINDS)


def test_every_kind_is_complete() -> None:
    """A table that lacks a kind would say that nothing is missing, or that nobody is served."""
    for module in routes.kinds().values():
        assert isinstance(module.EXAMPLE, str), module.KIND
        for name in ("members", "host", "notes"):
            assert callable(getattr(module, name)), f"{module.KIND}: {name}"
        assert module.KIND in additions.SHAPES
        assert module.KIND in pointing.FIELDS


def test_no_table_has_a_kind_that_there_is_not() -> None:
    known = {kind for _, kind in routes.kinds()}

    assert set(additions.SHAPES) == set(pointing.FIELDS) == known
    assert set(pointing.BLOCKS) <= known


def test_a_kind_without_a_shape_is_refused_and_not_taken_to_lack_nothing() -> None:
    manifest = {"kind": "Mesh", "metadata": {"name": "m"}, "spec": {}}

    with pytest.raises(SpecError, match="not known how a Mesh gets a destination"):
        additions.missing(manifest, manifest)
