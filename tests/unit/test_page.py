"""The HTML report: everything escaped, unknown said as such, the record's outcome at the top."""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from crossfade import record
from crossfade.report.page import MOST_ROWS, page
from crossfade.verdict import Outcome

sys.path.insert(0, str(Path(__file__).parent))
from test_describe import entries


class Tags(HTMLParser):
    """Collects the names of tags and whatever they refer to."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.links += [str(v) for k, v in attrs if k in ("src", "href", "action", "onload")]


def tags(text: str) -> Tags:
    parser = Tags()
    parser.feed(text)
    return parser


def test_the_outcome_and_the_objectives_are_told() -> None:
    told = [*entries(), record.outcome(Outcome.PROMOTED, "iris-v2 it is", "iris-v2")]

    text = page(told)

    assert "quickstart: promoted, winner iris-v2" in text
    assert "iris-v2 it is" in text
    assert '<span class="met">met</span>' in text


def test_an_unknown_value_is_unknown_and_has_its_reason() -> None:
    text = page(entries(known=False))

    assert "unknown: no data" in text
    assert '<span class="unknown">unknown</span>' in text


def test_text_from_a_record_is_never_markup() -> None:
    hostile = '<script>alert(1)</script>"><img src=x onerror=y>{{ 7*7 }}'
    told: list[dict[str, Any]] = [*entries(), record.trouble("deploy", hostile)]
    told[0] = {**told[0], "run": hostile}

    found = tags(page(told))

    assert not {"script", "img"} & set(found.names)
    assert found.links == []
    assert "{{ 7*7 }}" in page(told)


def test_a_very_long_run_keeps_its_report_small() -> None:
    decision = next(entry for entry in entries() if entry["type"] == "decision")
    told = [*entries(), *[decision] * 2000]

    text = page(told)

    assert f"{2001 - MOST_ROWS} iterations in the middle are left out" in text
    assert len(text) < 400_000
