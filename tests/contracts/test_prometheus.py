"""Prometheus, as it answers and for real."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from metric_store import Asker, Store, matrix, vector

from crossfade.spec.metric import Metric
from crossfade.verdict import Counts, Reading
from crossfade_steps import metrics
from crossfade_steps.embedded.tools import free_port
from crossfade_steps.ports import MetricRequest
from crossfade_steps.scraping import Scraped


def test_warnings_of_prometheus_survive_the_library(store: Store) -> None:
    body = {**json.loads(vector("1")), "warnings": ["one shard is down"]}
    store.answers = [(200, {}, json.dumps(body))]

    assert Asker("prometheus", store.url).read().warnings == ("one shard is down",)


@pytest.mark.parametrize(
    ("settings", "window", "value"),
    [
        pytest.param({}, (100.0, 110.0), None, id="a-policy-that-counts"),
        pytest.param({}, None, 0.001, id="the-predecessor-s"),
        pytest.param({"several_series": "first"}, (100.0, 110.0), 0.001, id="said-so"),
        pytest.param({"several_series": "refuse"}, None, None, id="said-not-to"),
    ],
)
def test_several_series_are_one_value_only_where_that_is_said(
    store: Store, settings: dict[str, Any], window: tuple[float, float] | None, value: float | None
) -> None:
    """Pod a has 0.1 % errors and pod b 90 %: the first of them is no error rate (faults C12)."""
    query = "sum by (i) (rate(bad[1m])) / sum by (i) (rate(n[1m]))"
    store.answers = [(200, {}, vector("0.001", "0.9"))]

    reading = Asker("prometheus", store.url).read(
        window=window, params=[{"name": "query", "value": query}], settings=settings
    )

    assert reading.value == value
    told = reading.reason if value is None else reading.warnings[0]
    assert "2 series where one was expected (i=0; i=1)" in told
    assert ("sum(...)" in told) is (value is None)


@pytest.mark.parametrize(
    ("jq", "value"),
    [
        pytest.param("[.data.result[].value[1] | tonumber] | max", 0.9, id="of-all"),
        pytest.param("(.data.result[0].value[1] | tonumber) * 1000", None, id="of-the-first"),
    ],
)
def test_jq_may_make_one_value_of_several_series(
    store: Store, jq: str, value: float | None
) -> None:
    store.answers = [(200, {}, vector("0.001", "0.9"))]

    reading = Asker("prometheus", store.url).read(window=(100.0, 110.0), jqExpression=jq)

    assert reading.value == value


def scrapes(*times: float) -> str:
    return matrix(*((when, str(i)) for i, when in enumerate(times)))


@pytest.mark.parametrize(
    ("bodies", "gap"),
    [
        pytest.param([scrapes(1, 31, 61, 91, 121), scrapes(1, 16, 31, 46, 61)], 30.0,
                     id="the-slower-one"),
        pytest.param([scrapes(1, 16.01, 61, 76, 91, 106), matrix()], 15.0, id="a-scrape-failed"),
        pytest.param([scrapes(1, 91, 181), matrix()], 90.0, id="a-slow-one"),
        pytest.param([scrapes(1, 61, 181, 241), matrix()], 60.0, id="a-slow-one-failed"),
        pytest.param([scrapes(1, 31), matrix()], None, id="one-gap-may-be-a-failed-scrape"),
        pytest.param([scrapes(1), matrix()], None, id="no-two-samples"),
    ],
)  # fmt: skip
def test_prometheus_says_how_far_apart_its_samples_are(
    store: Store, bodies: list[str], gap: float | None
) -> None:
    store.answers = [(200, {}, body) for body in bodies]
    document = {"apiVersion": "iter8.tools/v2alpha2", "kind": "Metric", "metadata": {"name": "m"},
                "spec": {"provider": "prometheus", "urlTemplate": store.url, "params": [
                    {"name": "query", "value": "sum(rate(a_total{v='$name'}[1m])) / "
                                               "sum(rate(b_total{v='$name'}[1m]))"}]}}  # fmt: skip
    metric = Metric.model_validate(document)
    source = metrics.connect({"m": metric}, {"prometheus": {"timeout": 0.3}})["m"]

    assert isinstance(source, Scraped)
    assert source.scrape_gap(MetricRequest(metric, "default/m", "v1", {}, 60)) == gap
    assert "a_total%7Bv%3D%22v1%22%7D%5B900s%5D" in store.requests[0][1]


@pytest.mark.embedded
def test_a_real_prometheus_gives_a_value_no_data_and_its_own_error(tmp_path: Path) -> None:
    port = free_port()
    config = tmp_path / "p.yml"
    config.write_text(
        "global: {scrape_interval: 1s}\nscrape_configs:\n- job_name: self\n"
        f"  static_configs: [{{targets: ['127.0.0.1:{port}']}}]\n"
    )
    command = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={tmp_path / 'd'}",
               f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]  # fmt: skip
    asker = Asker("prometheus", f"http://127.0.0.1:{port}/api/v1/query")

    def ask(query: str) -> Reading:
        return asker.read(params=[{"name": "query", "value": query}], settings={"timeout": 2})

    with subprocess.Popen(command) as process:
        try:
            end = time.monotonic() + 20
            while (reading := ask("up")).value is None and time.monotonic() < end:
                time.sleep(0.2)
            assert reading.value == 1.0
            assert ask("1 + 1").value == 2.0
            assert ask("nothing_like_this").reason == "no data: the query matches no series"
            assert "NaN" in ask("vector(0) / vector(0)").reason
            assert "parse error" in ask("sum(").reason
            assert "matrix" in ask("up[1m]").reason
        finally:
            process.terminate()


def test_prometheus_counts_at_both_ends_of_a_window(store: Store) -> None:
    query = "sum(increase(hits_total{v='$name'}[20s]))"
    store.answers = [(200, {}, vector("5")), (200, {}, matrix((99, "90"), (101, "110"))),
                     (200, {}, matrix((109, "120"), (111, "140")))]  # fmt: skip

    reading = Asker("prometheus", store.url).read(
        window=(100.0, 110.0), params=[{"name": "query", "value": query}],
        settings={"scrape_interval": 2},
    )  # fmt: skip

    assert (reading.value, reading.counts) == (5, Counts(30))
    paths = [path for _, path, _, _ in store.requests]
    assert ["time=" in path for path in paths] == [False, True, True]
    assert "time=102.000" in paths[1]
    assert "time=112.000" in paths[2]
    assert "%5B62s%5D" in paths[1], "a minute back and a scrape ahead"


def test_prometheus_says_that_scrapes_are_further_apart_than_stated(store: Store) -> None:
    points = [(t, str(t)) for t in (39, 69, 99, 129)]
    query = "sum(increase(hits_total[60s]))"

    def warnings(**settings: float) -> tuple[str, ...]:
        store.answers = [(200, {}, vector("5")), *[(200, {}, matrix(*points))] * 2]
        return Asker("prometheus", store.url).read(
            window=(100.0, 110.0), params=[{"name": "query", "value": query}], settings=settings
        ).warnings  # fmt: skip

    assert warnings() == (
        "its samples are 30 s apart, not 15: state spec.prometheus.scrape_interval",
    )
    assert warnings(scrape_interval=30) == ()


def test_a_window_that_cannot_be_read_keeps_the_value_and_says_so(store: Store) -> None:
    query = "sum(increase(hits_total[20s]))"
    store.answers = [(200, {}, vector("5")), (200, {}, matrix((99, "1"))), (400, {}, "{}")]

    reading = Asker("prometheus", store.url).read(
        window=(100.0, 110.0), params=[{"name": "query", "value": query}]
    )

    assert (reading.value, reading.counts) == (5, None)
    assert reading.warnings[-1].startswith("not counted: query failed: HTTP 400")
