"""Text that the screen must not eat, and a verdict for each objective."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rig import Rig, bundle

from crossfade import record
from crossfade.cli.output import out
from crossfade.report.describe import describe
from crossfade.report.page import page
from crossfade_steps.loop import conduct


def test_text_in_brackets_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """Logs and answers of stores hold what a screen may take for markup."""
    text = "upstream [nginx] of [/api/v1/query] is down"

    out.print(text)

    assert capsys.readouterr().out.strip() == text


def entries_with(reason: str) -> list[dict[str, Any]]:
    rig = Rig(bundle())
    conduct(rig.run)
    entries = json.loads(json.dumps(rig.record.list))
    for entry in record.of_type(entries, "decision"):
        for reading in entry["observation"]["readings"]["default/r"].values():
            reading.update(value=None, reason=reason)
    return list(entries)


def test_a_reason_in_brackets_is_described(capsys: pytest.CaptureFixture[str]) -> None:
    out.print(describe(entries_with("HTTP 404 [/a]")))

    assert "[/a]" in capsys.readouterr().out


def test_two_objectives_of_one_metric_have_a_verdict_each(
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole = bundle(errors=(0.0, 0.3))
    document = whole.experiment.model_dump(mode="json", by_alias=True)
    document["spec"]["criteria"]["objectives"] = [
        {"metric": "errors", "upperLimit": 0.5}, {"metric": "errors", "upperLimit": 0.01},
    ]  # fmt: skip
    experiment = type(whole.experiment).model_validate(document)
    rig = Rig(whole.model_copy(update={"experiment": experiment}))
    conduct(rig.run)

    out.print(describe(rig.record.list))
    rows = [line for line in capsys.readouterr().out.splitlines() if "errors <=" in line]
    html = page(rig.record.list)

    assert [row.split("│")[2:4] for row in rows] == [[" true ", " true  "], [" true ", " false "]]
    assert html.index("errors \u2264 0.5") < html.index("above the limit 0.01")
    assert "above the limit 0.01" not in html.split("errors \u2264 0.5")[1].split("\u2264 0.01")[0]
