"""Credentials in a rollout: named, never written; where load and ``verify`` get them from."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from fake_kube import FakeKube, iterating
from pydantic import ValidationError
from rig import bundle

from crossfade.cli.loading import read
from crossfade.errors import BackendError, Finding, Severity, SpecError
from crossfade.frame import frame
from crossfade.rights import rules_by_namespace
from crossfade.spec.requests import at_host, proving_request
from crossfade.spec.rollout import Bundle, FeedbackLoad, FortioLoad, JobLoad, Verify
from crossfade.spec.urls import http_url, masked
from crossfade_steps.cluster import load, steps
from crossfade_steps.embedded.admission import refuse_unknown_kinds
from crossfade_steps.loadgen.feedback import Feedback
from crossfade_steps.ports import Response
from crossfade_steps.responder import responder_for

EXAMPLE = Path(__file__).resolve().parents[2] / "workflows" / "examples" / "iris"
URL = "http://gateway/predict"
TOKEN = {"Authorization": "Bearer ${token}"}
FORTIO = {"url": URL, "qps": 10}
FEEDBACK = {"url": URL, "qps": 10, "payload": "{}", "rewards": {"iris-v1": 0.5}}


def found(tmp_path: Path, **spec: Any) -> list[Finding]:
    """Return the findings of the example with other keys of its rollout's spec."""
    folder = tmp_path / "iris"
    shutil.copytree(EXAMPLE, folder)
    path = folder / "rollout.yaml"
    rollout = yaml.safe_load(path.read_text())
    rollout["spec"].update(spec)
    path.write_text(yaml.safe_dump(rollout, sort_keys=False))
    return list(read([folder]).findings)


@pytest.mark.parametrize("url", [
    "file:///etc/passwd", "gopher://gateway/x", "http://", "-http://gateway", "http://[x",
    "http://gateway:port/", "http://gate way/", "gateway/predict", "",
])  # fmt: skip
@pytest.mark.parametrize(("spec", "field"), [
    (lambda url: {"verify": {"url": url}}, "spec.verify.url"),
    (lambda url: {"load": [{"fortio": {**FORTIO, "url": url}}]}, "spec.load[0].fortio.url"),
    (lambda url: {"load": [{"feedback": {**FEEDBACK, "url": url}}]}, "spec.load[0].feedback.url"),
    (lambda url: {"load": [{"feedback": {**FEEDBACK, "feedbackUrl": url}}]},
     "spec.load[0].feedback.feedbackUrl"),
])  # fmt: skip
def test_a_request_goes_to_http_with_a_host(
    tmp_path: Path, url: str, spec: Any, field: str
) -> None:
    [finding] = [f for f in found(tmp_path, **spec(url)) if f.field == field]

    assert finding.severity is Severity.ERROR
    assert "expected http:// or https:// and a host" in finding.message
    assert finding.file.endswith("rollout.yaml")
    assert finding.line > 0


def test_a_credential_in_a_url_is_refused_and_not_shown(tmp_path: Path) -> None:
    findings = found(tmp_path, verify={"url": "https://u:t0p-secret@gateway/predict"})

    [finding] = [f for f in findings if f.field == "spec.verify.url"]
    assert "holds a credential" in finding.message
    assert "name a Secret under secret" in finding.message
    assert "t0p" not in "".join(map(repr, findings))


@pytest.mark.parametrize("url", [URL, "https://g.example.com:8443/a?b=c@d", "http://10.0.0.1/x"])
def test_any_other_url_is_taken_as_it_is(url: str) -> None:
    assert http_url(url) == masked(url) == url


@pytest.mark.parametrize(("spec", "field"), [
    ({"verify": {"url": URL, "headers": {"Authorization": "Bearer t0p"}}},
     "spec.verify.headers.Authorization"),
    ({"load": [{"fortio": {**FORTIO, "headers": {"X-Api-Key": "t0p"}}}]},
     "spec.load[0].fortio.headers.X-Api-Key"),
    ({"load": [{"feedback": {**FEEDBACK, "headers": {"X-Token": "t0p"}}}]},
     "spec.load[0].feedback.headers.X-Token"),
    ({"prometheus": {"url": "http://u:t0p@prometheus:9090"}}, "spec.prometheus.url"),
])  # fmt: skip
def test_a_credential_in_clear_text_is_found_wherever_it_is_sent(
    tmp_path: Path, spec: dict[str, Any], field: str
) -> None:
    findings = found(tmp_path, **spec)

    [finding] = [f for f in findings if f.rule == "Credential"]
    assert finding.field == field
    assert finding.line > 0
    assert "t0p" not in finding.message


def test_what_names_a_secret_s_key_is_none(tmp_path: Path) -> None:
    fine = {"url": URL, "headers": TOKEN, "secret": "gateway"}

    assert found(tmp_path, verify=fine, load=[{"fortio": {**fine, "qps": 50}}]) == []


@pytest.mark.parametrize(("spec", "message"), [
    ({"verify": {"url": URL, "headers": TOKEN}}, "verify: token in the headers, but no secret"),
    ({"load": [{"fortio": {**FORTIO, "headers": TOKEN}}]}, "fortio: token in the headers"),
    ({"load": [{"fortio": {**FORTIO, "headers": TOKEN, "secret": "other/gateway"}}]},
     "secret other/gateway, expected one of namespace default"),
])  # fmt: skip
def test_a_key_that_nothing_could_fill_is_an_error(
    tmp_path: Path, spec: dict[str, Any], message: str
) -> None:
    [finding] = [f for f in found(tmp_path, **spec) if f.rule == "Key"]

    assert finding.severity is Severity.ERROR
    assert message in finding.message
    assert finding.line > 0


@pytest.mark.parametrize("name", ["Gateway", "a/b/c", "-x", "", "x/"])
def test_a_secret_s_name_is_one_that_kubernetes_takes(name: str) -> None:
    with pytest.raises(ValidationError, match="expected a Secret as name or namespace/name"):
        Verify(url=URL, secret=name)


def with_secret(*loads: Any, **fields: Any) -> Bundle:
    return bundle().model_copy(update={"load": loads, "verify": None, **fields})


def containers(whole: Bundle) -> list[dict[str, Any]]:
    jobs = load.jobs(whole, "run", "image", {})
    return [job["spec"]["template"]["spec"]["containers"][0] for job in jobs]


VARIABLE = [{"name": "CROSSFADE_KEY_1",
             "valueFrom": {"secretKeyRef": {"name": "gateway", "key": "token"}}}]  # fmt: skip


@pytest.mark.parametrize("secret", ["gateway", "default/gateway"])
def test_fortio_gets_a_secret_s_key_from_the_kubelet(secret: str) -> None:
    headers = {"Host": "iris", **TOKEN}
    whole = with_secret(FortioLoad(url=URL, qps=10, headers=headers, secret=secret))

    [container] = containers(whole)

    assert container["env"] == VARIABLE
    words = container["args"]
    sent = [value for flag, value in pairwise(words) if flag == "-H"]
    assert sent == ["Host: iris", "Authorization: Bearer $(CROSSFADE_KEY_1)"]
    assert container["command"] == ["fortio"]


def test_feedback_gets_it_too_and_sends_it_to_its_own_host_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    headers = {"Host": "iris", **TOKEN}
    whole = with_secret(FeedbackLoad(url=URL, qps=10, payload="{}", headers=headers,
                                     secret="gateway", rewards={"v1": 0.5}))  # fmt: skip
    [container] = containers(whole)
    settings = json.loads(base64.b64decode(container["args"][0]))
    monkeypatch.setenv("CROSSFADE_KEY_1", "t0p-${token}")

    generator = Feedback(settings, None)

    assert container["env"] == VARIABLE
    assert settings["headers"] == headers
    own = {"Authorization": "Bearer t0p-${token}"}
    assert generator._headers == {"Host": "iris", **own}
    assert generator._credentials("http://gateway/seldon/a/b/feedback") == own
    assert generator._credentials("http://elsewhere/feedback") == {}
    assert generator._credentials("https://gateway/feedback") == {}


def test_load_without_a_secret_is_as_it_was() -> None:
    whole = with_secret(FortioLoad(url=URL, qps=10, headers={"X": "${a} $(b)"}))

    [container] = containers(whole)

    assert "env" not in container
    assert "X: ${a} $(b)" in container["args"]


def test_a_job_can_refer_to_no_secret_of_another_namespace() -> None:
    whole = with_secret(FortioLoad(url=URL, qps=10, headers=TOKEN, secret="other/gateway"))

    with pytest.raises(SpecError, match="secret other/gateway, expected one of namespace default"):
        load.jobs(whole, "run", "image", {})


def secret_rules(whole: Bundle) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for namespace, rules in rules_by_namespace(whole).items():
        own = [r for r in rules if "secrets" in r["resources"]]
        found[namespace] = [(r["verbs"], r["resourceNames"]) for r in own]
    return found


def test_only_what_a_step_reads_may_be_read_and_by_name_only() -> None:
    plain = FortioLoad(url=URL, qps=10)
    loading = FortioLoad(url=URL, qps=10, headers=TOKEN, secret="load-only")
    verify = Verify(url=URL, headers=TOKEN, secret="shop/gateway")

    assert secret_rules(with_secret(loading, verify=verify))["shop"] == [(["get"], ["gateway"])]
    assert secret_rules(with_secret(loading, verify=verify))["default"] == []
    assert secret_rules(with_secret(plain, loading))["default"] == []
    proving = secret_rules(with_secret(loading))
    assert proving["default"] == [(["get"], ["load-only"])]  # whose request proves the promotion


def test_the_request_of_a_load_proves_with_its_secret_at_the_host_too() -> None:
    request = proving_request(with_secret(FortioLoad(url=URL, qps=1, headers=TOKEN, secret="s")))

    assert request == Verify(url=URL, headers=TOKEN, secret="s")
    assert at_host(request, "m.ns", 8000).secret == "s"


class Gateway:
    """Keeps the headers that it was sent."""

    def __init__(self) -> None:
        self.headers: list[Mapping[str, str]] = []

    def send(self, url: str, payload: str | None, headers: Mapping[str, str]) -> Response:
        self.headers.append(headers)
        return Response(200, {}, b"{}")


REQUEST = Verify(url=URL, headers={"Host": "iris", **TOKEN}, secret="ns/gateway")


def test_the_step_fills_the_headers_from_the_secret_when_it_asks() -> None:
    gateway, keys = Gateway(), {"token": "one"}
    responder = responder_for(REQUEST, gateway, lambda name: {**keys, "name": name})

    responder.send(URL, None, REQUEST.headers)
    keys["token"] = "two-${token}"  # rotated, and text that looks like a key
    responder.send(URL, None, REQUEST.headers)

    sent = [headers["Authorization"] for headers in gateway.headers]
    assert sent == ["Bearer one", "Bearer two-${token}"]
    plain = Verify(url=URL)
    assert responder_for(plain, gateway, lambda name: {}) is gateway


def test_a_key_that_went_away_ends_a_promotion_in_order() -> None:
    responder = responder_for(REQUEST, Gateway(), lambda name: {"tokn": "x"})

    with pytest.raises(BackendError, match="token is no key of secret ns/gateway") as error:
        responder.send(URL, None, REQUEST.headers)

    assert error.value.hint == "it has tokn"


def put(fake: FakeKube, **data: str) -> None:
    values = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    fake.create({"apiVersion": "v1", "kind": "Secret", "data": values,
                 "metadata": {"name": "gateway", "namespace": "ns"}})  # fmt: skip


def test_a_run_does_not_begin_without_the_secret_that_its_promotion_takes() -> None:
    whole = bundle().model_copy(update={"verify": REQUEST})
    cluster = iterating(whole)

    with pytest.raises(SpecError, match="secret ns/gateway does not exist"):
        steps.check(cluster.stage, frame(whole), "")
    put(cluster.fake, tokn="x")
    with pytest.raises(SpecError, match="token is no key of secret ns/gateway"):
        steps.require_keys(cluster.stage)
    cluster.fake.patch(next(key for key in cluster.fake._objects if key.kind == "Secret"),
                       [{"op": "add", "path": "/data/token", "value": "dDBw"}])  # fmt: skip
    steps.require_keys(cluster.stage)


@pytest.mark.parametrize("whole", [
    with_secret(FortioLoad(url=URL, qps=1, headers=TOKEN, secret="gateway")),
    with_secret(verify=Verify(url=URL, headers=TOKEN, secret="gateway")),
])  # fmt: skip
def test_one_machine_knows_no_secret(whole: Bundle) -> None:
    with pytest.raises(SpecError, match="secret gateway cannot be read here"):
        refuse_unknown_kinds(whole)


def test_one_machine_runs_no_job_that_takes_its_request_from_the_cluster() -> None:
    container = {"name": "c", "command": ["fortio", "load", "-H", "X: $(TOKEN)", URL],
                 "envFrom": [{"secretRef": {"name": "gateway"}}]}  # fmt: skip
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "load"},
           "spec": {"template": {"spec": {"containers": [container]}}}}  # fmt: skip

    with pytest.raises(SpecError, match="Job load: TOKEN of its request comes from an object"):
        refuse_unknown_kinds(with_secret(JobLoad(jobs=(job,))))
