"""A value of a Secret travels everywhere a run goes, and must come out nowhere."""

from __future__ import annotations

import base64
import io
import json
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from fake_kube import Cluster, iterating
from requests.adapters import HTTPAdapter
from rich.console import Console
from rig import Rig, bundle

from crossfade import record
from crossfade.cli.app import main
from crossfade.compiler import compile_text
from crossfade.compiler.transport import encode
from crossfade.errors import BackendError
from crossfade.report.describe import describe
from crossfade.report.page import page
from crossfade.rights import rights
from crossfade.spec.metric import Metric
from crossfade.spec.rollout import Bundle, FeedbackLoad, FortioLoad, Verify
from crossfade.verdict import Outcome
from crossfade_steps import __main__ as container
from crossfade_steps import metrics
from crossfade_steps.cluster import load, steps
from crossfade_steps.cluster.events import news
from crossfade_steps.loop import conduct
from crossfade_steps.ports import MetricRequest, Response
from crossfade_steps.responder import responder_for

CANARY = "canary-3f9a/1c+77 d2"
SECRET = {"username": "user-of-it", "password": CANARY, "token": CANARY, "line": f"{CANARY}\n"}
BASIC = base64.b64encode(f"user-of-it:{CANARY}".encode()).decode()
SHOWN = ("canary-3", "canary%2D3", BASIC[:8])
"""What no text may hold: the value's beginning as it is and quoted, and as Basic sends it."""
HEADER = [{"name": "Authorization", "value": "Bearer ${token}"}]
QUERY = [{"name": "query", "value": "up"}]
URL = "https://store.example.com/api/v1/query"
Answer = Callable[[requests.PreparedRequest], requests.Response]


def clean(*texts: str) -> None:
    for text in texts:
        assert not [shown for shown in SHOWN if shown in text], text


def secrets(name: str) -> Mapping[str, str]:
    return SECRET


def echo(status: int, wrap: Callable[[str], Any]) -> Answer:
    """Return a store that answers with all that it was sent, cut nowhere and cut anywhere."""

    def answer(request: requests.PreparedRequest) -> requests.Response:
        told = f"{request.url} {dict(request.headers)} {request.body!r} {CANARY} {BASIC}"
        made = requests.Response()
        made.status_code, made.url, made.request = status, str(request.url), request
        made.raw = io.BytesIO(json.dumps(wrap(told)).encode())
        return made

    return answer


def down(request: requests.PreparedRequest) -> requests.Response:
    raise requests.ConnectionError(f"no route to {request.url}", request=request)


def broken(request: requests.PreparedRequest) -> requests.Response:
    raise RuntimeError(f"a bug at {request.url} with {request.headers}")


def partly(text: str) -> Any:
    return {"status": "success", "warnings": [text, text[40:], text[-300:]],
            "data": {"resultType": "vector", "result": []}}  # fmt: skip


def refused(text: str) -> Any:
    return {"status": "error", "errorType": text[:80], "error": text}


ANSWERS: dict[str, Answer] = {
    "refused": echo(403, refused), "text": echo(401, str), "value": echo(200, lambda t: {"v": t}),
    "value-is-it": echo(200, lambda t: {"v": CANARY}), "warned": echo(200, partly),
    "error": echo(200, refused), "down": down, "broken": broken,
}  # fmt: skip
ASKED: dict[str, dict[str, Any]] = {
    "url": {"urlTemplate": "https://store.example.com/${token}/api/v1/query"},
    "host": {"urlTemplate": "https://${token}/api/v1/query"},
    "scheme": {"urlTemplate": "${token}://store.example.com/api/v1/query"},
    "brackets": {"urlTemplate": "https://[${token}/api/v1/query"},
    "userinfo": {"urlTemplate": "https://u:${token}@store.example.com/api/v1/query"},
    "header": {"headerTemplates": HEADER},
    "line": {"headerTemplates": [{"name": "Authorization", "value": "Bearer ${line}"}]},
    "no-key": {"headerTemplates": [*HEADER, {"name": "X", "value": "${nothing}"}]},
    "basic": {"authType": "Basic"},
    "body": {"method": "POST", "body": '{"a": "$name"}', "headerTemplates": HEADER},
    "no-json": {"method": "POST", "body": "{$name}", "headerTemplates": HEADER},
}
PROGRAMS = (".v", ".v | tonumber", ".v | .[0]", ".data.result[0].value[1] | tonumber")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> dict[str, Answer]:
    """Put one answer in place of everything that is asked over HTTP."""
    now: dict[str, Answer] = {}

    def send(self: HTTPAdapter, request: requests.PreparedRequest, **_: Any) -> requests.Response:
        return now["answer"](request)

    monkeypatch.setattr(HTTPAdapter, "send", send)
    return now


def metric(kind: str, **spec: Any) -> Metric:
    whole = {"provider": kind, "urlTemplate": URL, "params": QUERY, "secret": "ns/store",
             "jqExpression": PROGRAMS[0], **spec}  # fmt: skip
    return Metric.model_validate({
        "apiVersion": "iter8.tools/v2alpha2", "kind": "Metric",
        "metadata": {"name": "errors", "namespace": "default"}, "spec": whole,
    })  # fmt: skip


def rollout(kind: str, **spec: Any) -> Bundle:
    """Return a rollout that names the Secret wherever one may be named."""
    headers = {"Host": "iris.example.com", "Authorization": "Bearer ${token}"}
    whole = bundle()
    feedback = FeedbackLoad(url="http://gateway/predict", qps=1, payload="{}", headers=headers,
                            secret="store", rewards={"v1": 0.5})  # fmt: skip
    return whole.model_copy(update={
        "metrics": {**whole.metrics, "default/errors": metric(kind, **spec)},
        "load": (FortioLoad(url="http://gateway/predict", qps=1, headers=headers, secret="store"),
                 feedback),
        "verify": Verify(url="http://gateway/predict", payload="{}", headers=headers,
                         secret="ns/store"),
    })  # fmt: skip


def screen(entries: Any) -> str:
    console = Console(file=io.StringIO(), width=400)
    console.print(describe(entries))
    return str(console.file.getvalue())  # type: ignore[attr-defined]


def told(entries: list[Mapping[str, Any]]) -> list[str]:
    """Return every text that a record becomes."""
    events = [" ".join(event) for event in map(news, entries) if event is not None]
    return [*map(record.canonical, entries), *events, page(entries), screen(entries)]


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("kind", ["prometheus", "other"])
def test_a_reading_and_an_error_hold_no_secret(
    world: dict[str, Answer], kind: str, asked: str, answer: str
) -> None:
    world["answer"] = ANSWERS[answer]
    for program in PROGRAMS:
        whole = metric(kind, **{"jqExpression": program, **ASKED[asked]})
        source = metrics.connect({"m": whole}, {}, secrets)["m"]
        try:
            said = repr(source.read(MetricRequest(whole, "default/errors", "v1", {}, 60)))
        except Exception as error:
            said = f"{error} {error!r} {getattr(error, 'hint', '')}"
        clean(said)


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("asked", ASKED)
def test_a_run_s_record_events_and_report_hold_no_secret(
    world: dict[str, Answer], asked: str, answer: str
) -> None:
    world["answer"] = ANSWERS[answer]
    whole = rollout("other", **ASKED[asked])
    rig = Rig(whole, sources=metrics.connect(whole.metrics, {}, secrets))

    ended = conduct(rig.run)

    clean(ended.sentence, *rig.run.notes, *told(rig.record.list))


@pytest.mark.parametrize("asked", ["url", "scheme", "brackets", "header", "no-key"])
def test_a_container_s_words_and_what_it_records_hold_no_secret(
    world: dict[str, Answer], monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    capsys: pytest.CaptureFixture[str], asked: str,
) -> None:  # fmt: skip
    world["answer"] = ANSWERS["refused"]
    whole = rollout("other", **ASKED[asked])
    cluster = iterating(whole)
    sources = metrics.connect(whole.metrics, {}, secrets)
    cluster.rig.run = replace(cluster.rig.run, sources=sources)
    (tmp_path / "log").touch()
    monkeypatch.setenv("CROSSFADE_TERMINATION_LOG", str(tmp_path / "log"))
    monkeypatch.setenv("CROSSFADE_OUTPUTS", str(tmp_path / "outputs"))
    monkeypatch.setattr(signal, "signal", lambda *_: None)

    container.main(["evaluate", "--run", "web-1", "--bundle", encode(whole), "--digest", "d",
                    "--k", "1", "--start", "1000"], cluster.another())  # fmt: skip

    screens = capsys.readouterr()
    clean(screens.out, screens.err, (tmp_path / "log").read_text(), *told(cluster.stage.entries()))


class Echo:
    """A gateway that answers with what it was sent (port ``Responder``)."""

    def __init__(self, status: int) -> None:
        self.status = status
        self.seen: list[dict[str, str]] = []

    def send(self, url: str, payload: str | None, headers: Mapping[str, str]) -> Response:
        self.seen.append(dict(headers))
        if not self.status:
            raise BackendError(f"{url} with {dict(headers)}: ConnectionError")
        text = f"{dict(headers)}"
        return Response(self.status, {"version": text}, text.encode())


@pytest.mark.parametrize("status", [0, 200, 401, 503])
def test_a_promotion_is_asked_for_with_the_secret_and_tells_nothing_of_it(status: int) -> None:
    whole = rollout("other").model_copy(update={"metrics": bundle().metrics})
    gateway = Echo(status)
    rig = Rig(whole, responder=responder_for(whole.verify, gateway, secrets))

    ended = conduct(rig.run)

    assert ended.outcome is Outcome.PROMOTION_FAILED
    assert {sent["Authorization"] for sent in gateway.seen} == {f"Bearer {CANARY}"}
    clean(ended.sentence, *rig.run.notes, *told(rig.record.list))


def stored(cluster: Cluster, **data: str) -> None:
    values = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    cluster.fake.create({"apiVersion": "v1", "kind": "Secret", "data": values,
                         "metadata": {"name": "store", "namespace": "ns"}})  # fmt: skip


def test_nothing_that_a_cluster_is_given_holds_a_secret() -> None:
    whole = rollout("other", **ASKED["header"])
    cluster = iterating(whole)
    stored(cluster, token=CANARY)

    steps.require_keys(cluster.stage)
    jobs = load.jobs(whole, "web-1", "image", {"v1": "base/m"})

    encoded = base64.b64decode(encode(whole)).decode()
    texts = [compile_text(whole), encoded, json.dumps(rights(whole)), json.dumps(jobs)]
    texts += [base64.b64decode(jobs[1]["spec"]["template"]["spec"]["containers"][0]["args"][0])
              .decode()]  # fmt: skip
    clean(*texts)
    assert '"secret":"ns/store"' in encoded


def test_the_command_line_tells_nothing_of_a_run_with_a_secret(
    world: dict[str, Answer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    world["answer"] = ANSWERS["refused"]
    whole = rollout("other", **ASKED["url"])
    rig = Rig(whole, sources=metrics.connect(whole.metrics, {}, secrets))
    conduct(rig.run)
    path = tmp_path / "record.jsonl"
    path.write_text("\n".join(map(record.canonical, rig.record.list)))

    for command in ("describe", "replay", "report"):
        monkeypatch.setattr(sys, "argv", ["crossfade", command, str(path)])
        with pytest.raises(SystemExit):
            main()
        screens = capsys.readouterr()
        assert screens.out
        clean(screens.out, screens.err)
