from typing import Any

from crossfade.spec.requests import at_host, fortio_request
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
