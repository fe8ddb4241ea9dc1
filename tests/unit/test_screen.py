"""A run on screens of every kind: small, dumb, a file with colour forced, and one that is gone."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from crossfade.cli.output import Screen, out
from crossfade.cli.watching import fitting, shown

sys.path.insert(0, str(Path(__file__).parent))
from test_describe import entries


class Terminal(io.StringIO):
    """A terminal that keeps what it was sent."""

    def isatty(self) -> bool:
        return True


def run_of(iterations: int) -> list[dict[str, Any]]:
    """Return the entries of a longer run."""
    start, phase, decision, *_ = entries()
    return [start, phase, *({**decision, "decision": {**decision["decision"], "iteration": i}}
                            for i in range(1, iterations + 1))]  # fmt: skip


def played(console: Console, told: Sequence[dict[str, Any]]) -> str:
    with shown(console) as show:
        for i in range(len(told)):
            show(told[: i + 1])
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def terminal(**environment: str) -> Console:
    return Console(file=Terminal(), width=80, height=24, no_color=True, soft_wrap=True,
                   _environ={"TERM": "xterm", **environment})  # fmt: skip


def test_the_newest_iterations_are_on_a_small_screen_and_all_at_the_end() -> None:
    told = run_of(30)
    console = terminal()
    lines = console.render_lines(fitting(told, console), pad=False)
    text = "\n".join("".join(segment.text for segment in line) for line in lines)

    assert len(lines) < 24
    assert "\u2502  30 \u2502" in text
    assert "\u2502   1 \u2502" not in text
    assert all(f"\u2502 {i:3} \u2502" in played(terminal(), told)[-20_000:] for i in range(1, 31))


def test_an_iteration_that_has_no_room_for_a_table_is_told_by_its_reason() -> None:
    told = run_of(3)
    told[-1]["decision"]["reason"] = "the latest " + "reason " * 80

    text = str(fitting(told, terminal()))

    assert text.startswith("quickstart: iterating, iteration 3/2\nthe latest reason")


@pytest.mark.parametrize(
    ("file", "environment"),
    [
        pytest.param(Terminal(), {"TERM": "dumb"}, id="dumb"),
        pytest.param(io.StringIO(), {"TERM": "xterm", "FORCE_COLOR": "1"}, id="colour-forced"),
        pytest.param(io.StringIO(), {}, id="file"),
    ],
)
def test_what_cannot_be_written_over_gets_a_line_for_what_is_news(
    file: io.StringIO, environment: dict[str, str]
) -> None:
    console = Console(file=file, soft_wrap=True, highlight=False, _environ=environment)

    text = played(console, run_of(3))

    assert "\x1b" not in text
    assert [line.partition(":")[0] for line in text.splitlines() if line.startswith("it")] == [
        "iteration 1/2", "iteration 2/2", "iteration 3/2",
    ]  # fmt: skip


def test_a_pipe_that_nobody_reads_silences_its_own_screen_and_ends_nothing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as file:
        screen = Screen(file=file)
        screen.print("not read")
        screen.tell("nor this")

        assert screen.quiet
        assert os.fstat(file.fileno()).st_rdev == os.stat(os.devnull).st_rdev
    assert os.isatty(1) or os.fstat(1).st_rdev != os.stat(os.devnull).st_rdev


def test_a_screen_that_is_closed_is_told_nothing_and_ends_nothing() -> None:
    file = io.StringIO()
    screen = Screen(file=file)
    file.close()

    screen.tell("the outcome")

    assert screen.quiet


def test_a_sentence_is_one_line_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    sentence = "word " * 60 + "end"

    out.print(sentence)

    assert capsys.readouterr().out == sentence + "\n"
