"""One suite over every metric source that asks over HTTP, and Prometheus for real."""

from __future__ import annotations

import base64
import json
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from crossfade.errors import SpecError
from crossfade.spec.metric import Metric
from crossfade.verdict import Counts, Reading
from crossfade_steps import metrics
from crossfade_steps.embedded.tools import free_port
from crossfade_steps.ports import MetricRequest
from crossfade_steps.scraping import Scraped

JQ = ".data.result[0].value[1] | tonumber"


def vector(*values: str) -> str:
    result = [{"metric": {"i": str(i)}, "value": [1, v]} for i, v in enumerate(values)]
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}})


def matrix(*points: tuple[float, str]) -> str:
    result = [{"metric": {}, "values": [list(point) for point in points]}]
    return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}})


class Store:
    """A local HTTP server that answers from a list and keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, str], str]] = []
        self.requests: list[tuple[str, str, dict[str, list[str]], bytes]] = []
        self.hang = threading.Event()
        store = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                headers = {k: self.headers.get_all(k) or [] for k in self.headers}
                store.requests.append((self.command, self.path, headers, self.rfile.read(length)))
                if not store.answers:
                    store.hang.wait(10)
                    return
                status, extra, body = store.answers.pop(0)
                self.send_response(status)
                for name, value in extra.items():
                    self.send_header(name, value)
                data = body.encode()
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = answer

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/api/v1/query"

    def close(self) -> None:
        self.hang.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def store() -> Iterator[Store]:
    made = Store()
    yield made
    made.close()


class Asker:
    """A source of one kind, asking one metric."""

    def __init__(self, kind: str, url: str) -> None:
        self.kind, self.url = kind, url
        self.secret = {"username": "u", "password": "p", "token": "t"}

    def read(
        self, *, settings: dict[str, Any] | None = None,
        window: tuple[float, float] | None = None, **spec: Any,
    ) -> Reading:  # fmt: skip
        document = {
            "apiVersion": "iter8.tools/v2alpha2",
            "kind": "Metric",
            "metadata": {"name": "m"},
            "spec": {
                "provider": self.kind if self.kind == "prometheus" else "other",
                "params": [{"name": "query", "value": "up{v='$name'}[${elapsedTime}s]"}],
                "urlTemplate": self.url,
                "jqExpression": JQ,
                **spec,
            },
        }
        metric = Metric.model_validate(document)
        quick = {"timeout": 0.3, **(settings or {})}
        secret = self.secret
        source = metrics.connect({"m": metric}, {self.kind: quick}, lambda name: secret)["m"]
        return source.read(MetricRequest(metric, "default/m", "v1", {}, 60, window))


@pytest.fixture(params=["prometheus", "http"])
def asker(request: pytest.FixtureRequest, store: Store) -> Asker:
    return Asker(request.param, store.url)


def test_a_value_is_read(asker: Asker, store: Store) -> None:
    store.answers = [(200, {}, vector("0.25"))]

    assert asker.read().value == 0.25
    assert "up%7Bv%3D%27v1%27%7D%5B60s%5D" in store.requests[0][1]


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        pytest.param(200, vector(), "no data", id="empty"),
        pytest.param(200, vector("NaN"), "no data", id="nan"),
        pytest.param(200, vector("+Inf"), "Inf", id="infinity"),
        pytest.param(200, "<html>", "", id="no-json"),
        pytest.param(400, '{"status":"error","error":"parse error"}', "parse error", id="refused"),
        pytest.param(401, "", "401", id="unauthorized"),
    ],
)
def test_everything_else_is_no_value_with_a_reason(
    asker: Asker, store: Store, status: int, body: str, reason: str
) -> None:
    store.answers = [(status, {}, body)]

    reading = asker.read()

    assert reading.value is None
    assert reading.reason
    assert reason in reading.reason


def test_a_busy_store_is_asked_again_when_it_says(asker: Asker, store: Store) -> None:
    busy = (429, {"Retry-After": "0"}, "")
    store.answers = [busy, busy, (200, {}, vector("0.01"))]

    assert asker.read().value == 0.01
    assert len(store.requests) == 3


def test_an_error_is_retried_inside_the_iteration(asker: Asker, store: Store) -> None:
    store.answers = [(500, {}, ""), (200, {}, vector("1"))]

    assert asker.read().value == 1.0


def test_retries_are_bounded_and_the_last_answer_is_told(asker: Asker, store: Store) -> None:
    store.answers = [(503, {}, "down")] * 9

    reading = asker.read(settings={"retries": 1})

    assert reading.value is None
    assert "503" in reading.reason
    assert len(store.requests) == 2


def test_a_store_that_does_not_answer_is_no_value(asker: Asker) -> None:
    reading = asker.read(settings={"retries": 0})

    assert reading.value is None
    assert "no answer in time" in reading.reason


def test_a_store_that_is_not_there_is_no_value(asker: Asker) -> None:
    asker.url = f"http://127.0.0.1:{free_port()}/api/v1/query"

    assert "connection failed" in asker.read(settings={"retries": 0}).reason


def test_a_credential_is_sent_once_a_request(asker: Asker, store: Store) -> None:
    header = [{"name": "Authorization", "value": "Bearer ${token}"}]
    for _ in range(3):
        store.answers = [(200, {}, vector("1"))]
        asker.read(authType="Bearer", secret="ns/s", headerTemplates=header)

    assert [r[2]["Authorization"] for r in store.requests] == [["Bearer t"]] * 3


def test_basic_credentials_come_from_the_secret(asker: Asker, store: Store) -> None:
    store.answers = [(200, {}, vector("1"))]
    asker.read(authType="Basic", secret="ns/s")

    assert store.requests[0][2]["Authorization"] == ["Basic dTpw"]


CANARY = "canary-3f9a1c77d2"


@pytest.mark.parametrize("padding", [0, 180, 225, 240])
@pytest.mark.parametrize("spec", [
    {"authType": "Bearer", "headerTemplates": [{"name": "Authorization",
                                                "value": "Bearer ${token}"}]},
    {"authType": "Basic"},
], ids=["bearer", "basic"])  # fmt: skip
def test_a_store_that_answers_what_it_was_sent_gives_no_secret_away(
    asker: Asker, store: Store, spec: dict[str, Any], padding: int
) -> None:
    asker.secret = {"username": "user-of-it", "password": CANARY, "token": CANARY}
    basic = base64.b64encode(f"user-of-it:{CANARY}".encode()).decode()
    for body in (f"{'x' * padding} {CANARY} {basic}", f"{'x' * padding} {basic} {CANARY}"):
        store.answers = [(403, {}, body)]

        reading = asker.read(secret="ns/s", **spec)

        assert reading.value is None
        for hidden in (CANARY, basic):
            assert hidden[:4] not in repr(reading)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://x/y", "nonsense", ""])
def test_only_http_is_asked(asker: Asker, url: str) -> None:
    asker.url = url

    with pytest.raises(SpecError):
        asker.read()


@pytest.mark.parametrize("url", ["${token}://store/x", "http://[${token}/x", "http://s:${token}/"])
def test_an_error_about_a_url_shows_what_was_written_and_no_secret(store: Store, url: str) -> None:
    asker = Asker("http", url)
    asker.secret = {"token": CANARY}

    with pytest.raises(SpecError) as error:
        asker.read(secret="ns/s")

    assert f"URL {url!r}, expected http:// or https:// and a host" in str(error.value)
    assert CANARY[:4] not in repr(error.value)


def test_a_setting_that_is_not_known_is_refused_with_those_there_are(store: Store) -> None:
    with pytest.raises(SpecError, match=r"spec\.prometheus\.timeoutt") as error:
        Asker("prometheus", store.url).read(settings={"timeoutt": 1})

    assert "timeout, retries" in error.value.hint


def test_a_body_is_interpolated_and_sent_as_json(store: Store) -> None:
    store.answers = [(200, {}, '{"data": [{"d": [6.481]}]}')]

    reading = Asker("http", store.url).read(
        method="POST", body='{"last": ${elapsedTime}, "v": "$name"}', params=[],
        jqExpression=".data[0].d[0] | tonumber",
    )  # fmt: skip

    assert reading.value == 6.481
    assert json.loads(store.requests[0][3]) == {"last": 60, "v": "v1"}


def test_a_body_that_is_no_json_is_refused(store: Store) -> None:
    with pytest.raises(SpecError, match="not JSON after interpolation"):
        Asker("http", store.url).read(method="POST", body="{last: 1}")


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


@pytest.mark.parametrize(
    ("bodies", "gap"),
    [
        pytest.param([matrix((1, "1"), (31, "2"), (61, "3")), matrix((1, "1"), (16, "2"))], 30.0,
                     id="the-slower-one"),
        pytest.param([matrix((1, "1"), (16.01, "2"), (61, "9"), (76, "9")), matrix()], 15.0,
                     id="a-scrape-failed"),
        pytest.param([matrix((1, "1")), matrix()], None, id="no-two-samples"),
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
    assert "a_total%7Bv%3D%22v1%22%7D%5B300s%5D" in store.requests[0][1]


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
