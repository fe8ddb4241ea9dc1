"""Rollouts in ConfigMaps of their own go when nothing refers to them; in doubt they stay."""

from __future__ import annotations

from typing import Any

import pytest
from fake_kube import HEAD, NAMESPACE, RUN, FakeKube, Kube, iterating
from rig import bundle

from crossfade.cli import cluster as cli
from crossfade.compiler import documents
from crossfade.contract import bundle_name
from crossfade.errors import BackendError
from crossfade_steps.cluster import leftovers

OLD = "2020-01-01T00:00:00Z"
NAME = bundle_name("0" * 64)


def stored(kind: str, name: str, labels: Any = None, **more: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": NAMESPACE, "labels": labels or {},
                "creationTimestamp": OLD}  # fmt: skip
    group = "v1" if kind == "ConfigMap" else "batch/v1" if kind == "Job" else "argoproj.io/v1alpha1"
    return {"apiVersion": group, "kind": kind, "metadata": metadata, **more}


def rollout(name: str = NAME) -> dict[str, Any]:
    return stored("ConfigMap", name, {"crossfade.dev/part": "bundle"}, data={"bundle": "e30="})


def left(fake: FakeKube) -> list[str]:
    found = (o["metadata"]["name"] for o in fake.listed("ConfigMap", ""))
    return [name for name in found if name.startswith("crossfade-bundle-")]


def carried(name: str = NAME) -> dict[str, Any]:
    return {"arguments": {"parameters": [{"name": "bundle", "value": f"configmap:{name}"}]}}


REFERRING = {
    "a run": stored("Workflow", "w", spec=carried()),
    "a template": stored("WorkflowTemplate", "t", spec=carried()),
    "a schedule": stored("CronWorkflow", "c", spec={"workflowSpec": carried()}),
    "an event": stored("Sensor", "s", spec={"triggers": [carried()]}),
    "a guard": stored("Job", "g", spec={"args": ["--bundle", f"configmap:{NAME}"]}),
    "a run's state": stored("ConfigMap", "r", {"crossfade.dev/part": "run"},
                            data={"digest": "0" * 64, "outcome": "kept"}),
}  # fmt: skip


def test_a_large_rollout_says_what_it_is() -> None:
    large = {"apiVersion": "v1", "kind": "X", "metadata": {"name": "x"}, "data": "x" * 30_000}
    whole = bundle()
    whole = whole.model_copy(update={"deploy": (*whole.deploy, large)})

    [config_map, _] = documents(whole)

    assert config_map["metadata"]["labels"]["crossfade.dev/part"] == "bundle"
    assert config_map["metadata"]["name"] == bundle_name(whole.digest)


@pytest.mark.parametrize("who", REFERRING)
def test_a_rollout_that_somebody_refers_to_stays(who: str) -> None:
    fake, other = FakeKube(), bundle_name("1" * 64)
    for manifest in (rollout(), rollout(other), REFERRING[who]):
        fake.create(manifest)
    kube: Any = Kube(fake)

    assert [o["metadata"]["name"] for o in leftovers.unused(kube, NAMESPACE)] == [other]


def test_a_run_that_goes_on_and_does_not_say_of_what_keeps_them_all() -> None:
    fake = FakeKube()
    fake.create(rollout())
    fake.create(stored("ConfigMap", "r", {"crossfade.dev/part": "run"}, data={}))
    kube: Any = Kube(fake)

    with pytest.raises(BackendError, match="run r does not say"):
        leftovers.unused(kube, NAMESPACE)


def test_clean_older_removes_the_old_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = iterating()
    cluster.fake.merge(HEAD, {"data": {"digest": "2" * 64}, "metadata": {"creationTimestamp": OLD}})
    new = rollout(bundle_name("3" * 64))
    new["metadata"]["creationTimestamp"] = "2999-01-01T00:00:00Z"
    for manifest in (rollout(), rollout(bundle_name("2" * 64)), new):
        cluster.fake.create(manifest)
    monkeypatch.setattr(cli, "reached", lambda: cluster.stage.kube)

    cli.clean_older(NAMESPACE, "30d")

    assert left(cluster.fake) == [bundle_name("2" * 64), bundle_name("3" * 64)]


def test_clean_removes_the_rollout_of_that_run(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = iterating()
    cluster.fake.merge(HEAD, {"data": {"digest": "2" * 64, "outcome": "kept"}})
    for manifest in (rollout(), rollout(bundle_name("2" * 64))):
        cluster.fake.create(manifest)
    monkeypatch.setattr(cli, "reached", lambda: cluster.stage.kube)

    cli.clean(RUN, NAMESPACE, force=False)

    assert left(cluster.fake) == [NAME]


def test_where_nobody_can_tell_the_run_is_removed_and_the_rollouts_stay(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = iterating()
    cluster.fake.merge(HEAD, {"data": {"digest": "0" * 64, "outcome": "kept"}})
    cluster.fake.create(rollout())

    class Forbidden(Kube):
        def list(self, group: str, kind: str, namespace: str, selector: str = "") -> Any:
            if kind == "CronWorkflow":
                raise BackendError("cronworkflows: forbidden")
            return super().list(group, kind, namespace, selector)

    monkeypatch.setattr(cli, "reached", lambda: Forbidden(cluster.fake))

    cli.clean(RUN, NAMESPACE, force=False)

    assert left(cluster.fake) == [NAME]
    assert cluster.fake.get(HEAD) is None
    assert "cronworkflows: forbidden" in capsys.readouterr().err
