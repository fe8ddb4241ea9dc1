"""Jobs of fortio's own image name no command: it runs fortio."""

from __future__ import annotations

from typing import Any

import pytest

from crossfade.spec.requests import fortio_command

PREDICT = "http://g/api/v1.0/predictions"


def entrypoint(*args: str, image: str = "fortio/fortio:1.69.5", **more: Any) -> dict[str, Any]:
    container = {"name": "c", "image": image, "args": list(args), **more}
    spec = {"template": {"spec": {"containers": [container]}}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": spec}


@pytest.mark.parametrize("image", ["fortio/fortio:1.69.5", "r:5000/fortio@sha256:00", "fortio"])
def test_fortio_s_image_runs_fortio(image: str) -> None:
    found = fortio_command(entrypoint("load", "-qps", "8", PREDICT, image=image))

    assert found == ["fortio", "load", "-qps", "8", PREDICT]


def test_another_image_and_another_command_run_what_they_say() -> None:
    assert fortio_command(entrypoint("load", PREDICT, image="team/fortio-report:1")) is None
    assert fortio_command(entrypoint("-c", "true", command=["/bin/sh"])) is None
