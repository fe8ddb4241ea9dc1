"""What surrounds a run on this machine: who is told of it, and which signals end it."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from typing import Any

import pytest
from rig import Memory

from crossfade_steps.embedded.here import _interrupts, _Told, until_it_fails


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
