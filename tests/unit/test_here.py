"""What surrounds a run on this machine: who is told of it, what ends it, what is waited for."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rig import Clock, Memory, bundle

from crossfade import Rollout
from crossfade.errors import BackendError, SpecError
from crossfade.spec.rollout import Approval
from crossfade_steps.embedded.here import (
    _interrupts,
    _run,
    _Told,
    overdue,
    require_answer,
    until_it_fails,
)
from crossfade_steps.embedded.local import wait_for
from crossfade_steps.embedded.store import Store


@pytest.mark.parametrize(
    "error", [BrokenPipeError(), ValueError("closed file"), SystemExit(1), KeyError("type")]
)
def test_a_screen_that_is_gone_is_told_no_more_and_everything_is_recorded(
    error: BaseException,
) -> None:
    kept, seen = Memory(), []

    def listener(entry: Mapping[str, Any]) -> None:
        seen.append(entry["type"])
        if entry["type"] == "second":
            raise error

    told = _Told(kept, until_it_fails(listener))
    for kind in ("first", "second", "third"):
        told.append({"type": kind})

    assert seen == ["first", "second"]
    assert [entry["type"] for entry in kept.list] == ["first", "second", "third"]


def test_a_signal_that_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with _interrupts() as interrupted:
            signal.raise_signal(signal.SIGHUP)
            assert not interrupted.is_set()
            signal.raise_signal(signal.SIGTERM)
            assert interrupted.is_set()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_rollout_that_a_person_decides_about_is_not_promoted_without_an_answer(
    tmp_path: Path,
) -> None:
    asks = bundle().model_copy(update={"approval": Approval.BEFORE_PROMOTE})

    with pytest.raises(SpecError, match="before-promote: nobody is asked on one machine") as told:
        Rollout(asks).run(tmp_path / "run")

    assert "--yes" in told.value.hint
    assert not (tmp_path / "run").exists(), "before anything is made"
    require_answer(asks, approved=True)
    require_answer(bundle(), approved=False)


def test_a_deadline_is_kept_on_one_machine() -> None:
    clock = Clock()
    late = overdue(bundle().model_copy(update={"deadline": "15m"}), clock)

    clock.sleep(900)
    assert late() is None
    clock.sleep(1)
    assert "deadline of 15m" in (late() or "")
    assert overdue(bundle(), clock)() is None


@pytest.mark.parametrize(("written", "seconds"), [("9m", 540.0), (None, 300.0)])
def test_objects_have_as_long_to_become_ready_as_the_rollout_says(
    tmp_path: Path, written: str | None, seconds: float
) -> None:
    whole = bundle().model_copy(update={"ready_timeout": written})
    world: Any = SimpleNamespace(objects=Store(), monitoring=SimpleNamespace(url="http://prom"))

    run = _run(whole, tmp_path, world, lambda entry: None)

    assert run.ready_timeout_seconds == seconds


def test_a_child_that_died_is_not_waited_for() -> None:
    with pytest.raises(BackendError, match="envoy ended with exit code 127"):
        wait_for("envoy", "http://127.0.0.1:9/ready", 60, lambda: "envoy ended with exit code 127")
