"""One suite over every metric source that asks over HTTP."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from metric_store import Asker, Store, vector

from crossfade.errors import SpecError
from crossfade_steps.embedded.tools import free_port


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
