"""What people ask of a run, from the command line or a form."""

from __future__ import annotations

import json
from typing import Any

import pytest

from crossfade.errors import CrossfadeError, SpecError
from crossfade_steps.cluster.asked import ask


class FakeStore:
    """A run's state in memory."""

    namespace, run = "shop", "web-1"

    def __init__(self, *candidates: str, **data: str) -> None:
        self.data: dict[str, Any] = {"versions": json.dumps(["v1", *candidates]), **data}

    def head(self) -> dict[str, Any]:
        return self.data

    def write(self, **values: str | None) -> None:
        self.data.update(values)


@pytest.mark.parametrize(
    ("what", "held"),
    [
        ("pause", ("pause", "ann")),
        ("abort", ("abort", "ann")),
        ("resume", (None, None)),
        ("promote", ("promote v2", "ann")),
    ],
)
def test_what_is_asked_is_held_in_the_run(what: str, held: tuple[str | None, str | None]) -> None:
    store = FakeStore("v2", control="pause")

    told = ask(store, what, "ann")  # type: ignore[arg-type]

    assert (store.data["control"], store.data["control-by"]) == held
    assert told.startswith(f"run shop/web-1: asked to {what}")


@pytest.mark.parametrize(
    ("store", "what", "version", "text"),
    [
        (FakeStore("v2"), "delete", "", "expected pause, resume, promote, abort"),
        (FakeStore("v2", "v3"), "promote", "", "expected v2 or v3"),
        (FakeStore("v2"), "promote", "v1", "expected v2"),
    ],
)
def test_what_no_run_can_do_is_refused(
    store: FakeStore, what: str, version: str, text: str
) -> None:
    before = dict(store.data)

    with pytest.raises(SpecError, match=text):
        ask(store, what, "ann", version)  # type: ignore[arg-type]

    assert store.data == before


def test_a_run_that_has_ended_is_asked_nothing() -> None:
    with pytest.raises(CrossfadeError, match="has ended: promoted"):
        ask(FakeStore("v2", outcome="promoted"), "abort", "ann")  # type: ignore[arg-type]
