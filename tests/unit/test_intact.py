"""A damaged record is one message with the line, whoever reads it: exit 2 and no traceback."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crossfade import record
from crossfade.errors import SpecError
from crossfade.intact import check, reading

sys.path.insert(0, str(Path(__file__).parent))
from test_cli import call
from test_describe import entries

Edit = Callable[[list[dict[str, Any]]], object]


def written(tmp_path: Path, edit: Edit = lambda told: None) -> str:
    told = json.loads(json.dumps(entries()))
    edit(told)
    path = tmp_path / "record.jsonl"
    path.write_text("\n".join(map(record.canonical, told)) + "\n")
    return str(path)


@pytest.mark.parametrize(
    ("edit", "where"),
    [
        (lambda told: told[0].pop("run"), ":1: damaged entry run: run is missing"),
        (lambda told: told[0].update(units=3), ":1: damaged entry run: units: Input"),
        (lambda told: told[0].update(at="noon"), ":1: damaged entry run: at"),
        (lambda told: told[1].pop("safe"), ":2: damaged entry phase: safe is missing"),
        (lambda told: told[2].pop("observation"), ":3: damaged entry decision: observation is"),
        (lambda told: told[2]["decision"].pop("reason"), ":3: damaged entry decision: decision.re"),
        (lambda told: told[3].update(weights={"iris-v1": "a lot"}),
         ":4: damaged entry applied: weights.iris-v1: Input should be a valid integer"),
        (lambda told: told[4].pop("sentence"), ":5: damaged entry outcome: sentence is missing"),
    ],
)  # fmt: skip
def test_a_damaged_entry_is_named_by_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    edit: Edit, where: str,
) -> None:  # fmt: skip
    path = written(tmp_path, edit)

    for command in ("describe", "report", "replay"):
        assert call(monkeypatch, command, path) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith(f"error: {path}{where}")


def test_entries_that_do_not_fit_each_other_are_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def edit(told: list[dict[str, Any]]) -> None:
        told[0]["at"] = 1e30

    path = written(tmp_path, edit)

    assert call(monkeypatch, "report", path) == 2
    assert capsys.readouterr().err.startswith(f"error: {path}: damaged: its entries do not fit")


def test_every_entry_that_is_written_is_whole() -> None:
    told = [
        *entries(), record.started(1.0), record.put_back({"a": 1}, {"a": 2}), record.paused(2.0),
        record.late(3), record.trouble("deploy", "why"),
        record.not_applied(1, "why", None), record.not_applied(1, "why", {"a": 1}, {"a": 2}),
        record.settled({"a": 100}), record.created("Kind/n/a", "u"), record.at({"type": "x"}, 4),
    ]  # fmt: skip

    check([json.loads(record.canonical(entry)) for entry in told], "record")


def test_an_error_with_its_own_words_keeps_them() -> None:
    with pytest.raises(SpecError, match=r"^mine$"), reading("record"):
        raise SpecError("mine")


def test_the_report_is_utf_8_whatever_the_locale_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="latin-1"))

    assert call(monkeypatch, "report", written(tmp_path)) == 0
    assert "100/0 \u2192 90/10" in raw.getvalue().decode("utf-8")
