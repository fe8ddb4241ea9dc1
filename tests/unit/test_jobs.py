from typing import Any

import pytest

from crossfade.errors import SpecError
from crossfade_steps.embedded.jobs import local_command


def job(*command: str, url: str = "http://gateway/x") -> dict[str, Any]:
    container = {"name": "c", "command": list(command), "env": [{"name": "URL", "value": url}]}
    spec = {"template": {"spec": {"containers": [container]}}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "load"}, "spec": spec}


def resolve(url: str) -> str:
    return url.replace("gateway", "127.0.0.1:1")


def test_a_job_becomes_a_local_command_without_its_output_file() -> None:
    words = ("fortio", "load", "-json", "/shared/out.json", "-H", "X: http://y", "$(URL)")

    assert local_command(job(*words), "/bin/fortio", resolve) == [
        "/bin/fortio", "load", "-H", "X: http://y", "http://127.0.0.1:1/x",
    ]  # fmt: skip


@pytest.mark.parametrize("url", ["URL_VALUE/api", "", "file:///etc/passwd"])
def test_a_load_that_goes_to_no_url_is_refused_with_the_way_out(url: str) -> None:
    with pytest.raises(SpecError, match="Job load: its load goes to") as error:
        local_command(job("fortio", "load", "$(URL)", url=url), "fortio", resolve)

    assert "--set" in error.value.hint


def test_a_job_without_fortio_is_refused() -> None:
    with pytest.raises(SpecError, match="no container runs fortio"):
        local_command(job("wrk", "http://gateway/"), "fortio", resolve)
