from typing import Any

import pytest

from crossfade.spec.requests import at_host, elsewhere, fortio_request
from crossfade.spec.rollout import Verify


def job(*command: str, **env: str) -> dict[str, Any]:
    container = {
        "name": "load",
        "command": list(command),
        "env": [{"name": name, "value": value} for name, value in env.items()],
    }
    side_car = {"name": "wait", "command": ["sh", "-c", "sleep 1"]}
    return {"kind": "Job", "spec": {"template": {"spec": {"containers": [side_car, container]}}}}


def test_a_fortio_job_gives_its_request_with_the_environment_put_in() -> None:
    words = ["fortio", "load", "-qps", "5", "-H", "Host: iris.example.com", "-payload", "{}"]

    request = fortio_request(job(*words, "$(URL)", URL="http://gateway/predict"))

    assert request == Verify(
        url="http://gateway/predict", payload="{}", headers={"Host": "iris.example.com"}
    )


def test_a_job_without_a_url_gives_no_request() -> None:
    assert fortio_request(job("fortio", "load", "$(URL)")) is None


def test_a_job_without_fortio_gives_no_request() -> None:
    assert fortio_request(job("wrk", "http://gateway/")) is None


def test_a_request_sent_to_a_host_keeps_its_path_and_query_and_drops_the_gateway_s_host() -> None:
    request = Verify(url="http://gateway/api?x=1", payload="{}", headers={"host": "a", "X-Y": "1"})

    assert at_host(request, "svc.ns", 8000) == Verify(
        url="http://svc.ns:8000/api?x=1", payload="{}", headers={"X-Y": "1"}
    )


SECRET = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "gateway", "key": "token"}}}
URL = "http://gateway/predict"


def taking(*words: str, more: Any = (), **fields: Any) -> dict[str, Any]:
    made = job("fortio", "load", *words, URL=URL)
    container = made["spec"]["template"]["spec"]["containers"][1]
    container["env"] += more
    container.update(fields)
    return made


@pytest.mark.parametrize(
    "words",
    [
        ("-H", "Authorization: Bearer $(TOKEN)", "$(URL)"),
        ("-payload", "$(TOKEN)", "$(URL)"),
        ("-payload=$(TOKEN)", "$(URL)"),
        ("http://$(TOKEN)/predict",),
    ],
)
def test_a_request_with_what_only_its_pod_is_given_is_not_known(words: tuple[str, ...]) -> None:
    """An empty credential is no request of a user's: the gateway refuses it for ever."""
    assert fortio_request(taking(*words, more=[SECRET])) is None
    assert fortio_request(taking(*words, envFrom=[{"secretRef": {"name": "gateway"}}])) is None
    assert elsewhere(taking(*words, more=[SECRET])) == ("TOKEN",)


def test_what_its_pod_is_given_for_anything_else_changes_no_request() -> None:
    whole = taking("-qps", "$(TOKEN)", "-H", "A: b", "$(URL)", more=[SECRET])

    assert fortio_request(whole) == Verify(url=URL, headers={"A": "b"})


def test_variables_are_put_in_as_kubernetes_does() -> None:
    """Once, unknown ones stay as they are, and two dollars are one."""
    more = [{"name": "A", "value": "a"}, {"name": "B", "value": "$(A)$(C)"}, {"name": "E"}]
    words = ("-payload", "$(A) $(B) $(C) $$(A) $(E) $9", "$(URL)")

    request = fortio_request(taking(*words, more=more))

    assert request is not None
    assert request.payload == "a a$(C) $(C) $(A)  $9"


@pytest.mark.parametrize("url", ["https://u:p@gateway/x", "ftp://gateway/x", "http://$(HOST)/x"])
def test_a_url_that_is_not_asked_from_here_gives_no_request(url: str) -> None:
    assert fortio_request(job("fortio", "load", url)) is None
