"""Every public answer body gives the value, "no data", or the error that its row asks for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crossfade.spec.prometheus import SeveralSeries
from crossfade_steps.answers import jq_reading, prometheus_reading

PROMETHEUS = {
    "error-with-http-200.json": (None, "some error msg"),
    "infos-not-a-counter.json": (None, "metric might not be a counter"),
    "keda-plus-inf.json": (None, "+Inf"),
    "keda-value-empty.json": (None, "no data"),
    "scalar.json": (1.0, ""),
    "vector-empty.json": (None, "no data: the query matches no series"),
    "vector-nan.json": (None, "NaN (a division by zero?)"),
    "vector-no-metric-key.json": (21.7639, ""),
    "vector-seven-series.json": (21.763975155279503, ""),
    "vector-without-result.json": (None, "no data.result"),
    "vm-is-partial.json": (None, "isPartial"),
}
PROVIDERS = {
    "datadog-v1-response.json": (".series[0].pointlist[-1][1] | tonumber", 0.0003332881882246533),
    "datadog-v2-columns.json": (
        ".data.attributes.columns[0].values[0] | tonumber",
        0.0006332881882246533,
    ),
    "elastic-response.json": (
        ".aggregations.items_to_sell.avg_sales.value | tonumber",
        128.33333333333334,
    ),
    "newrelic-response.json": (".results[0].count | tonumber", 80275388.0),
    "sysdig-response.json": (".data[0].d[0] | tonumber", 6.481),
}


@pytest.mark.parametrize("name", PROMETHEUS)
def test_a_prometheus_answer_means_what_its_row_says(corpus: Path, name: str) -> None:
    value, reason = PROMETHEUS[name]

    reading = prometheus_reading(json.loads((corpus / "prometheus" / name).read_text()))

    assert reading.value == value
    assert reason in reading.reason


def test_further_series_are_a_warning_or_refused_when_strict(corpus: Path) -> None:
    body = json.loads((corpus / "prometheus" / "vector-seven-series.json").read_text())

    assert "6 ignored" in prometheus_reading(body).warnings[0]
    strict = prometheus_reading(body, several=SeveralSeries.REFUSE)
    assert strict.value is None
    assert "destination_workload=reviews-v2" in strict.reason


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_provider_s_answer_gives_its_number_through_jq(corpus: Path, name: str) -> None:
    expression, value = PROVIDERS[name]

    reading = jq_reading(json.loads((corpus / "providers" / name).read_text()), expression)

    assert reading.value == value


def test_prometheus_jq_on_another_provider_is_no_data_with_the_evidence(corpus: Path) -> None:
    body = json.loads((corpus / "providers" / "newrelic-response.json").read_text())
    expression = ".data.result[0].value[1] | tonumber"

    reading = jq_reading(body, expression)

    assert reading.value is None
    assert expression in reading.reason
    assert "beginTime" in reading.reason or "results" in reading.reason


def test_every_answer_of_the_corpus_is_tried(corpus: Path) -> None:
    assert {p.name for p in (corpus / "prometheus").iterdir()} == set(PROMETHEUS)
    assert {p.name for p in (corpus / "providers").glob("*.json")} == set(PROVIDERS)
