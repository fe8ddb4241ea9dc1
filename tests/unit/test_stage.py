"""One container's view of a run: its API, its rollout, and who hears of its record."""

from __future__ import annotations

import base64
from argparse import Namespace
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from fake_kube import NAMESPACE, RUN, Cluster, iterating

from crossfade import record
from crossfade.cli.output import show_error
from crossfade.errors import Finding, Severity, SpecError
from crossfade.spec.rollout import Bundle
from crossfade_steps.__main__ import main, run
from crossfade_steps.cluster import progress, stage
from crossfade_steps.cluster.store import UID, RunStore


def packed(whole: Bundle) -> str:
    return base64.b64encode(whole.to_json().encode()).decode()


def replaced(cluster: Cluster) -> Bundle:
    """Return another rollout, in the ConfigMap that the run's is read from."""
    whole = cluster.rig.run.bundle
    document = whole.experiment.model_dump(mode="json", by_alias=True)
    for version in (document["spec"]["versionInfo"]["baseline"],
                    *document["spec"]["versionInfo"]["candidates"]):  # fmt: skip
        version["weightObjRef"]["name"] = "another"
    other = Bundle.model_validate({**whole.model_dump(mode="json"), "experiment": document})
    cluster.fake.create({"apiVersion": "v1", "kind": "ConfigMap",
                         "metadata": {"name": "big", "namespace": NAMESPACE},
                         "data": {"bundle": packed(other)}})  # fmt: skip
    return other


def test_the_objects_are_of_the_rollout_s_namespace_and_the_state_of_the_run_s() -> None:
    cluster = iterating()
    whole = cluster.rig.run.bundle.model_copy(update={"namespace": "shop"})
    kube = cluster.stage.kube

    found = stage.stage_on(kube, RunStore(kube, NAMESPACE, RUN), packed(whole), "deploy")

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


@pytest.mark.parametrize("step", ["deploy", "evaluate", "promote"])
def test_a_bundle_that_was_replaced_in_mid_run_is_refused(step: str) -> None:
    cluster = iterating()
    began = cluster.rig.run.bundle.digest
    cluster.rig.run = replace(cluster.rig.run, bundle=replaced(cluster))
    given = Namespace(step=step, run=RUN, bundle="configmap:big", digest=began)

    with pytest.raises(SpecError, match="its rollout was replaced during the run"):
        run(given, cluster.another())
    assert "was replaced" in str(
        (record.last(cluster.stage.entries(), "trouble") or {})["sentence"]
    )
    assert SpecError.exit_code == 2


@pytest.mark.parametrize("text", ["configmap:big", "configmap:gone", "nonsense"])
def test_who_ends_a_run_restores_what_the_run_has_changed(text: str) -> None:
    cluster = iterating()
    replaced(cluster)
    kube, store = cluster.stage.kube, cluster.stage.store

    found = stage.begun(text, kube, store, ending=True)

    assert found.experiment == cluster.rig.run.bundle.experiment
    if text != "configmap:big":
        with pytest.raises(SpecError):
            stage.begun(text, kube, store, ending=False)


def test_a_bundle_that_is_the_one_that_began_is_taken_whole() -> None:
    cluster = iterating()
    whole = cluster.rig.run.bundle

    found = stage.begun(packed(whole), cluster.stage.kube, cluster.stage.store, ending=True)

    assert found == whole


@pytest.mark.parametrize("text", ["configmap:big", "configmap:gone"])
@pytest.mark.parametrize("step", ["restore", "finish"])
def test_who_ends_a_run_never_refuses_a_bundle(step: str, text: str) -> None:
    cluster = iterating()
    cluster.stage.store.write(**{UID: "u1"})
    replaced(cluster)
    kube = cluster.stage.kube
    here = stage.stage_on(kube, RunStore(kube, NAMESPACE, RUN), text, step)
    given = {"uid": "u1"} if step == "finish" else {"digest": "of the one that began"}

    run(Namespace(step=step, run=RUN, bundle=text, **given), here)

    assert cluster.weights() == [100, 0]
