"""Rollouts whose direction, limit or unit is another are played as they are written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from edited import call, copied, edited


@pytest.fixture
def example(tmp_path: Path) -> Path:
    return copied(tmp_path)


def test_better_is_lower_where_lower_is_better(
    example: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def edit(experiment: dict[str, Any]) -> None:
        experiment["spec"]["criteria"]["rewards"][0]["preferredDirection"] = "Low"

    edited(example, "experiment", edit)
    words = ("simulate", str(example), "--runs", "5", "--reward-lift", "0.4", "--json")

    assert call(monkeypatch, *words) == 0
    assert json.loads(capsys.readouterr().out)["outcomes"] == {"promoted": 1.0}


def test_a_limit_from_below_is_played_from_above(
    example: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def edit(experiment: dict[str, Any]) -> None:
        objectives = experiment["spec"]["criteria"]["objectives"]
        objectives[:] = [{"metric": "error-rate", "lowerLimit": "0.9"}]

    edited(example, "experiment", edit)
    words = ("simulate", str(example), "--runs", "5", "--reward-lift", "0.4", "--json")

    assert call(monkeypatch, *words) == 0
    assert json.loads(capsys.readouterr().out)["outcomes"] == {"promoted": 1.0}


@pytest.mark.parametrize(
    ("query", "limit"),
    [
        ("histogram_quantile(0.95, sum by (le) (rate(x_bucket{d='$name'}[10s]))) * 1000", "500"),
        ("1000 * sum(rate(x_sum{d='$name'}[10s])) / sum(rate(x_count{d='$name'}[10s]))", "250"),
    ],
)
def test_a_limit_in_another_unit_is_played_in_that_unit(
    example: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    query: str, limit: str,
) -> None:  # fmt: skip
    metric = {"apiVersion": "iter8.tools/v2alpha2", "kind": "Metric",
              "metadata": {"name": "own", "namespace": "default"},
              "spec": {"provider": "prometheus", "urlTemplate": "http://p/api/v1/query",
                       "params": [{"name": "query", "value": query}]}}  # fmt: skip
    text = (example / "metrics.yaml").read_text()
    (example / "metrics.yaml").write_text(f"{text}\n---\n{yaml.safe_dump(metric)}")

    def edit(experiment: dict[str, Any]) -> None:
        experiment["spec"]["criteria"]["objectives"] = [{"metric": "own", "upperLimit": limit}]

    edited(example, "experiment", edit)
    words = ("simulate", str(example), "--runs", "5", "--reward-lift", "0.4", "--json")

    assert call(monkeypatch, *words) == 0
    assert json.loads(capsys.readouterr().out)["outcomes"] == {"promoted": 1.0}
