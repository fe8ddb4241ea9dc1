"""One container's view of a run: which API it talks to, and who hears of its record."""

from __future__ import annotations

import base64
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from fake_kube import NAMESPACE, RUN, iterating

from crossfade.cli.output import show_error
from crossfade.errors import Finding, Severity, SpecError
from crossfade_steps.__main__ import main
from crossfade_steps.cluster import progress, stage
from crossfade_steps.cluster.store import RunStore


def test_the_objects_are_of_the_rollout_s_namespace_and_the_state_of_the_run_s() -> None:
    cluster = iterating()
    whole = cluster.rig.run.bundle.model_copy(update={"namespace": "shop"})
    text = base64.b64encode(whole.to_json().encode()).decode()
    kube = cluster.stage.kube

    found = stage.stage_on(kube, RunStore(kube, NAMESPACE, RUN), text, "deploy")

    hurried = [lease._kube.namespace for lease in found.lease._leases]
    assert (found.kube.namespace, hurried) == ("shop", ["shop"])
    assert (found.namespace, found.run.name) == (NAMESPACE, RUN)


def test_argo_is_told_how_far_a_loop_is_and_the_run_is_the_same_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, file = iterating().stage, tmp_path / "progress"
    assert progress.told_to_argo(before) is before
    monkeypatch.setenv(progress.VARIABLE, str(file))

    told = progress.told_to_argo(before)
    decided = {"iteration": 3, "reason": "", "weights": {}}
    told.run.record.append({"type": "decision", "decision": decided})

    assert file.read_text() == f"3/{before.run.bundle.experiment.iterations}"
    for field in fields(before.run):
        same = getattr(told.run, field.name) is getattr(before.run, field.name)
        assert same is (field.name != "record")


class Refusing:
    """A stage of a rollout that is wrong."""

    def __init__(self, error: SpecError) -> None:
        self._error = error

    @property
    def run(self) -> Any:
        raise self._error


def test_a_container_prints_an_error_as_the_command_does(
    capsys: pytest.CaptureFixture[str],
) -> None:
    place = Finding(Severity.ERROR, "D1", "nothing is limited", hint="set a limit", file="e.yaml")
    error = SpecError("1 error(s) in what was given", hint="crossfade lint", findings=[place])
    here: Any = Refusing(error)

    assert main(["deploy", "--run", "x", "--bundle", "y", "--digest", "z"], here) == 2
    told = capsys.readouterr().err
    show_error(error)

    assert told == capsys.readouterr().err
    assert told.splitlines() == [
        "error: 1 error(s) in what was given", "e.yaml: error D1: nothing is limited",
        "    hint: set a limit", "", "hint: crossfade lint",
    ]  # fmt: skip
