"""Input that would only have failed later."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from edited import Edit, call, copied, edited, told
from pydantic.alias_generators import to_camel

from crossfade.cli.loading import read
from crossfade.spec.rollout import Bundle, Rollout
from crossfade_steps.metrics.prometheus import Settings


@pytest.fixture
def example(tmp_path: Path) -> Path:
    return copied(tmp_path)


def inline(folder: Path, **changes: Any) -> Edit:
    """Return an edit that writes the experiment into the rollout, with changes of its spec."""
    experiment = yaml.safe_load((folder / "experiment.yaml").read_text())
    experiment["spec"].update(changes)
    return lambda rollout: rollout["spec"].update(experiment=experiment)


def test_an_experiment_in_the_rollout_itself_is_judged_like_a_file(example: Path) -> None:
    assert edited(example, "rollout", inline(example)) == []

    found = edited(example, "rollout", inline(example, duration={"intervalSecond": 10}))

    [finding] = [f for f in found if "intervalSecond" in f.message]
    assert finding.where.startswith(f"{example / 'rollout.yaml'}:")
    assert finding.line > 5
    assert "did you mean intervalSeconds" in finding.hint


def test_what_must_hold_beyond_the_schema_holds_there_too(example: Path) -> None:
    limits = {"objectives": [{"metric": "error-rate", "lowerLimit": 9, "upperLimit": "0.1"}],
              "rewards": [{"metric": "user-engagement", "preferredDirection": "High"}]}  # fmt: skip

    assert "lowerLimit 9 is above upperLimit" in told(
        edited(example, "rollout", inline(example, criteria=limits))
    )


def test_a_metric_and_a_manifest_in_the_rollout_are_judged(example: Path) -> None:
    metric = {"apiVersion": "iter8.tools/v2alpha2", "kind": "Metric",
              "metadata": {"name": "x"}, "spec": {"tipe": "Gauge"}}  # fmt: skip

    def edit(rollout: dict[str, Any]) -> None:
        rollout["spec"]["metrics"].append(metric)
        rollout["spec"]["deploy"].append({"a": 1})

    text = told(edited(example, "rollout", edit))

    assert "unknown field tipe" in text
    assert "apiVersion and kind missing" in text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"load": [{}]}, "exactly one of file, fortio and feedback"),
        ({"prometheus": {"scrape_interval": -5}}, "scrape_interval: expected seconds"),
        ({"prometheus": {"scrape_interval": 0}}, "scrape_interval: expected seconds"),
        ({"prometheus": {"scrape_interval": float("nan")}}, "expected seconds"),
        ({"prometheus": {"scrape_interval": ["x"]}}, "expected seconds"),
        ({"prometheus": {"scrape_interval": "soon"}}, "500ms or 1m, got 'soon'"),
        ({"prometheus": {"scrapeInterval": "15 seconds"}}, "500ms or 1m, got '15 seconds'"),
        ({"prometheus": {"latency": -1}}, "latency: expected seconds"),
        ({"prometheus": {"latency": "late"}}, "500ms or 1m, got 'late'"),
        ({"prometheus": {"urll": "http://p"}}, "unknown field urll"),
        ({"prometheus": {"timeout": "abc"}}, "spec.prometheus.timeout"),
        ({"prometheus": {"timeout": 61}}, "less than or equal to 60"),
        ({"prometheus": {"scrapeInterval": 2, "scrape_interval": 3}}, "are one setting"),
    ],
)
def test_what_the_rollout_says_of_its_surroundings_is_checked(
    example: Path, changes: dict[str, Any], message: str
) -> None:
    assert message in told(edited(example, "rollout", lambda r: r["spec"].update(changes)))


@pytest.mark.parametrize(("text", "seconds"), [("2s", 2), ("2.5", 2.5), ("500ms", 0.5), ("1m", 60)])
def test_a_scrape_interval_may_be_written_as_prometheus_writes_it(
    example: Path, text: str, seconds: float
) -> None:
    def edit(rollout: dict[str, Any]) -> None:
        rollout["spec"]["prometheus"].update(scrape_interval=text, latency=text)

    edited(example, "rollout", edit)
    whole = read([example]).bundle

    assert whole is not None
    assert whole.prometheus["scrape_interval"] == seconds
    assert whole.prometheus["latency"] == seconds


@pytest.mark.parametrize("camel", [True, False])
def test_the_settings_of_prometheus_are_written_like_the_rest_or_as_before(
    example: Path, camel: bool
) -> None:
    own = {"scrape_interval": "2s", "latency": 0, "most_retry_after": 3, "verify_tls": "ca.crt",
           "several_series": "refuse", "timeout": 5, "retries": 1, "url": "http://p"}  # fmt: skip
    written = {to_camel(name): value for name, value in own.items()} if camel else own

    edited(example, "rollout", lambda rollout: rollout["spec"].update(prometheus=written))
    whole = read([example]).bundle

    assert whole is not None
    assert whole.prometheus == {**own, "scrape_interval": 2}
    again = Bundle.from_json(whole.to_json())
    assert again.digest == whole.digest
    assert Settings.model_validate(again.prometheus).several_series == "refuse"


def test_a_setting_of_prometheus_is_told_at_its_line(example: Path) -> None:
    found = edited(example, "rollout", lambda r: r["spec"]["prometheus"].update(retries=99))

    [finding] = found
    lines = (example / "rollout.yaml").read_text().splitlines()
    assert "retries: 99" in lines[finding.line - 1]


def test_the_schema_describes_the_settings_of_prometheus() -> None:
    schema = Rollout.model_json_schema(by_alias=True)["$defs"]["PrometheusSettings"]

    known = schema["properties"]
    assert {"url", "scrapeInterval", "latency", "mostRetryAfter"} <= set(known)
    assert {name for name, own in known.items() if own.get("deprecated")} == {
        "scrape_interval", "most_retry_after", "verify_tls", "several_series",
    }  # fmt: skip


def test_settings_that_travelled_before_keep_their_bytes(example: Path) -> None:
    """A workflow of an earlier release carries them as they were written, under its digest."""
    whole = read([example]).bundle
    assert whole is not None
    data = json.loads(whole.to_json())
    data["prometheus"] = {"scrape_interval": 2.0, "timeout": 5, "retries": 1, "verify_tls": True}

    again = Bundle.from_json(json.dumps(data))

    assert json.loads(again.to_json())["prometheus"] == data["prometheus"]
    assert '"scrape_interval":2.0,"timeout":5' in again.to_json()


@pytest.mark.parametrize(
    ("rewards", "message"),
    [
        (
            {"iris-v1": 0.5, "iris-v3": 0.8},
            "rewards for iris-v3, the versions are iris-v1",
        ),
        ({"iris-v1": 50, "iris-v2": 0.8}, "less than or equal to 1"),
        ({"iris-v1": float("inf"), "iris-v2": 0.8}, "error field"),
    ],
)
def test_rewards_are_probabilities_of_the_experiment_s_versions(
    example: Path, rewards: dict[str, float], message: str
) -> None:
    def edit(rollout: dict[str, Any]) -> None:
        rollout["spec"]["load"][0]["feedback"]["rewards"] = rewards

    assert message in told(edited(example, "rollout", edit))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"provider": "promethues"}, "provider 'promethues' has no source here"),
        ({"provider": "x", "urlTemplate": "http://x/y", "jqExpression": ".["}, "jqExpression '.['"),
        ({"provider": "x", "urlTemplate": "ht!tp://", "jqExpression": "."}, "URL 'ht!tp://'"),
        ({"provider": "prometheus", "urlTemplate": "http://p/api/v1/query"}, "called query"),
    ],
)
def test_a_metric_that_nothing_could_answer_is_an_error_before_anything_is_deployed(
    example: Path, spec: dict[str, Any], message: str
) -> None:
    found = edited(example, "metrics", lambda metric: metric.update(spec=spec))

    [finding] = [f for f in found if f.rule == "Source"]
    assert message in finding.message
    assert finding.line > 0


def test_a_manifest_s_api_version_is_text(example: Path) -> None:
    found = edited(example, "baseline", lambda manifest: manifest.update(apiVersion=True))

    assert "apiVersion must be text" in told(found)


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.yaml")

    assert "not a regular file" in told(list(read([tmp_path / "x.yaml"]).findings))


def test_more_iterations_than_anybody_waits_for_are_refused(example: Path) -> None:
    def edit(experiment: dict[str, Any]) -> None:
        experiment["spec"]["duration"].update(iterationsPerLoop=1_000_000, maxLoops=1_000_000)

    assert "expected at most 1000000" in told(edited(example, "experiment", edit))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (['{"type":"run","format":1}'], "record.jsonl:1: damaged entry run: run is missing"),
        (
            ['{"type":"run","format":1,"run":"x","digest":"","experiment":{}}'],
            "record.jsonl:1: damaged entry run: experiment.",
        ),
        (['{"type":"run","format":1}', '{"foo":1}', "{}"], "record.jsonl:2: not an entry"),
    ],
)
def test_a_damaged_record_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    lines: list[str], message: str,
) -> None:  # fmt: skip
    path = tmp_path / "record.jsonl"
    path.write_text("\n".join(lines))

    assert call(monkeypatch, "describe", str(path)) == 2
    assert message in capsys.readouterr().err


def test_a_secret_in_the_rollout_itself_is_found_as_in_a_file(example: Path) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {}}

    found = edited(example, "rollout", lambda rollout: rollout["spec"]["deploy"].append(secret))

    assert "error Secret" in told(found)
