"""Whose a run, a ConfigMap or a Job is: a name alone does not say it."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

import pytest
from fake_kube import HEAD, NAMESPACE, RUN, WORKFLOW, Cluster, FakeKube, Kube, iterating, stage_of
from rig import Rig, bundle, deployment, route

from crossfade import record
from crossfade.cli import cluster as cli
from crossfade.errors import BackendError, SpecError
from crossfade.frame import frame
from crossfade.spec.rollout import FortioLoad
from crossfade.verdict import Outcome
from crossfade_steps import __main__ as entry
from crossfade_steps.cluster import asked, guard, jobs, load, rejected, stage, steps
from crossfade_steps.cluster.store import MANAGED, PART, UID, RunStore
from crossfade_steps.ports import ObjectKey

ALL: dict[str, str] = {"app": "shop"}


@pytest.fixture(autouse=True)
def _no_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "start", lambda stage: None)


def fresh() -> Cluster:
    """Return a cluster on which nothing has begun."""
    fake, rig = FakeKube(), Rig(bundle())
    for manifest in (deployment("base", "old"), deployment("cand", "new"), route()):
        fake.create(manifest)
    return Cluster(rig, fake, stage_of(rig, fake))


def checked(cluster: Cluster, uid: str) -> Any:
    return steps.check(cluster.another(), frame(cluster.rig.run.bundle), uid)


def config_map(name: str = RUN, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": NAMESPACE, "labels": ALL},
            "data": data}  # fmt: skip


def everything(cluster: Cluster) -> list[Any]:
    return cluster.fake.listed("ConfigMap", "")


def test_a_retried_check_goes_on_with_its_own_run() -> None:
    cluster = fresh()
    checked(cluster, "u1")

    assert "ready to compare" in checked(cluster, "u1")["summary"]
    assert cluster.head()[UID] == "u1"
    assert len(record.of_type(cluster.stage.entries(), "run")) == 1


def test_a_second_workflow_of_the_same_name_does_not_inherit_a_run() -> None:
    """It was told "ready", and its last step said ``promoted`` though nothing had run."""
    cluster = fresh()
    checked(cluster, "u1")
    cluster.stage.store.append(record.outcome(Outcome.PROMOTED, "v2 serves all traffic", "v2"))
    before = everything(cluster)

    with pytest.raises(SpecError, match="a run of this name exists") as refused:
        checked(cluster, "u2")
    ended = steps.finish(cluster.another(), "u2")

    assert "crossfade clean web-1" in refused.value.hint
    assert ended["outcome"] == "failed"
    assert "the run of another workflow" in ended["summary"]
    assert everything(cluster) == before
    assert steps.finish(cluster.another(), "u1")["outcome"] == "promoted"


def test_a_refused_workflow_writes_no_trouble_into_another_one_s_record() -> None:
    cluster = fresh()
    checked(cluster, "u1")
    before = everything(cluster)
    other = Namespace(step="check", run=RUN, bundle="", frame="loop=pod", uid="u2")

    with pytest.raises(SpecError, match="does not fit this workflow"):
        entry.run(other, cluster.another())
    assert everything(cluster) == before

    with pytest.raises(SpecError):
        entry.run(Namespace(**{**vars(other), "uid": "u1"}), cluster.another())
    assert record.last(cluster.stage.entries(), "trouble") is not None


def test_a_record_without_its_state_is_not_continued() -> None:
    cluster = fresh()
    checked(cluster, "u1")
    cluster.fake.delete(HEAD)

    with pytest.raises(SpecError, match="the record of an earlier run"):
        checked(cluster, "u2")
    assert cluster.fake.get(HEAD) is None


def test_an_application_s_config_map_is_no_run() -> None:
    cluster = fresh()
    cluster.fake.create(config_map(colour="blue"))
    before = everything(cluster)
    kube, store = cluster.stage.kube, cluster.another().store

    for refused in (
        lambda: checked(cluster, "u1"),
        lambda: asked.ask(cluster.another().store, "pause", "ann"),
        lambda: cli.clean(RUN, NAMESPACE, force=True, kube=kube),
        lambda: cli.entries_of_run(RUN, NAMESPACE, kube),
        lambda: store.write(control="pause"),
        store.remove,
        store.head,
    ):
        with pytest.raises(SpecError, match="ConfigMap default/web-1 is not a run of crossfade"):
            refused()
    assert store.find() is None
    assert steps.finish(cluster.another(), "u1")["summary"] == "the run never began"
    assert everything(cluster) == before


def test_an_application_s_config_map_is_no_report() -> None:
    cluster = iterating()
    cluster.fake.create(config_map(f"{RUN}-report", colour="blue"))
    before = cluster.fake.get(ObjectKey("", "ConfigMap", NAMESPACE, f"{RUN}-report"))

    with pytest.raises(SpecError, match="is not a report of crossfade"):
        cluster.stage.store.publish("<html>")
    cluster.stage.store.remove()

    assert everything(cluster) == [before]


def test_clean_removes_the_guard_too() -> None:
    """It stays for 10 minutes, and the next run of that name would wait for its heartbeat."""
    cluster = iterating()
    cluster.fake.create(load.job(f"{RUN}-guard", NAMESPACE, RUN, {}))

    cli.clean(RUN, NAMESPACE, force=True, kube=cluster.stage.kube)

    assert cluster.fake.listed("Job", "") == []
    assert everything(cluster) == []


@pytest.mark.parametrize("run", ["../other", "a,crossfade.dev/part=log", "", "A", "x" * 254])
def test_what_is_no_name_is_no_run(run: str) -> None:
    kube: Any = Kube(FakeKube())

    with pytest.raises(SpecError, match="no name of a Workflow"):
        RunStore(kube, NAMESPACE, run)


def test_the_guard_ends_a_run_whose_name_another_workflow_has_taken() -> None:
    cluster = iterating()
    cluster.stage.store.write(**{UID: "of the one that was deleted"})
    cluster.rig.at(60, lambda: cluster.head().get("outcome")
                   or cluster.stage.store.write(outcome="kept"))  # fmt: skip

    guard.watch_over(cluster.another())

    assert cluster.head()["outcome"] != "kept"
    assert cluster.weights() == [100, 0]
    assert cluster.fake.get(WORKFLOW) is not None


def loaded() -> Cluster:
    whole = bundle().model_copy(update={"load": (FortioLoad(qps=1, url="http://g/"),)})
    return iterating(whole)


JOB = ObjectKey("batch", "Job", NAMESPACE, f"{RUN}-load-1")


def others_job(cluster: Cluster, **labels: str) -> Any:
    made = load.job(JOB.name, NAMESPACE, "other", {})
    made["metadata"]["labels"].update(labels)
    return cluster.fake.create(made)


def others_run(cluster: Cluster, namespace: str, **data: str) -> None:
    kube: Any = Kube(cluster.fake)
    RunStore(kube, namespace, "other").create({}, data)


def test_a_job_says_where_its_run_is() -> None:
    [made] = load.jobs(loaded().rig.run.bundle, RUN, "image", {}, "tools")

    assert made["metadata"]["labels"][load.RUN_NAMESPACE] == "tools"


def test_the_load_of_a_run_that_goes_on_in_another_namespace_is_not_deleted() -> None:
    cluster = loaded()
    others_job(cluster, **{load.RUN_NAMESPACE: "tools"})
    others_run(cluster, "tools", phase="iterating")

    with pytest.raises(BackendError, match="load of run tools/other, which goes on"):
        jobs.create_jobs(cluster.stage)
    assert cluster.fake.get(JOB) is not None


def test_the_load_of_a_dead_run_in_another_namespace_is_replaced() -> None:
    cluster = loaded()
    old = others_job(cluster, **{load.RUN_NAMESPACE: "tools"})
    others_run(cluster, "tools", outcome="failed")

    jobs.create_jobs(cluster.stage)

    assert (cluster.fake.get(JOB) or {})["metadata"]["uid"] != old["metadata"]["uid"]


def test_a_run_of_the_same_name_in_another_namespace_is_another_run() -> None:
    cluster = loaded()
    others_job(cluster, **{load.RUN_NAMESPACE: "tools", "crossfade.dev/run": RUN})

    kube: Any = Kube(cluster.fake)
    RunStore(kube, "tools", RUN).create({}, {"phase": "iterating"})
    with pytest.raises(BackendError, match=f"load of run tools/{RUN}, which goes on"):
        jobs.create_jobs(cluster.stage)


@pytest.mark.parametrize("told", [True, False])
def test_load_of_which_nobody_can_tell_is_left(told: bool) -> None:
    """The other namespace may not be read; a Job of before does not say which one it is."""
    cluster = loaded()
    others_job(cluster, **({load.RUN_NAMESPACE: "tools"} if told else {}))
    get = cluster.fake.get

    def forbidden(key: ObjectKey) -> Any:
        if key.namespace == "tools":
            raise BackendError("403 may not get configmaps")
        return get(key)

    cluster.fake.get = forbidden  # type: ignore[method-assign]
    with pytest.raises(BackendError, match="nobody can tell whether it goes on") as refused:
        jobs.create_jobs(cluster.stage)
    assert "kubectl delete job" in refused.value.hint
    assert cluster.fake.get(JOB) is not None


def test_only_the_job_that_was_looked_at_is_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = loaded()
    old = others_job(cluster, **{load.RUN_NAMESPACE: NAMESPACE})
    asked_for = []
    delete = cluster.fake.delete
    monkeypatch.setattr(
        cluster.fake, "delete", lambda key, **more: (asked_for.append(more), delete(key, **more))
    )

    jobs.create_jobs(cluster.stage)

    assert asked_for == [{"uid": old["metadata"]["uid"]}]


def test_what_somebody_labelled_by_hand_is_not_ours() -> None:
    cluster = loaded()
    made = load.job(JOB.name, NAMESPACE, RUN, {})
    made["metadata"]["labels"] = dict(MANAGED)
    cluster.fake.create(made)

    jobs.create_jobs(cluster.stage)

    assert "left as it is" in cluster.stage.run.notes[0]


def test_a_rejected_candidate_is_found_by_a_check_that_follows_a_lost_one() -> None:
    """The first one died right after the header: the candidate was silently tried again."""
    cluster = fresh()
    whole, rig = cluster.rig.run.bundle, cluster.rig
    labels = {**stage.labels_of(whole), PART: "run"}
    data = {"outcome": "rolled-back", "candidates": rejected.digest(cluster.stage.run),
            "sentence": "errors is broken"}  # fmt: skip
    made = "1970-01-01T00:10:00Z"
    cluster.fake.create({"apiVersion": "v1", "kind": "ConfigMap", "data": data,
                         "metadata": {"name": "web-0", "namespace": NAMESPACE, "labels": labels,
                                      "creationTimestamp": made}})  # fmt: skip
    cluster.stage.store.create(labels, {**stage.facts_of(cluster.stage), UID: "u1"})
    cluster.stage.store.append(record.header(RUN, whole, rig.clock.now()))

    for _ in range(2):
        checked(cluster, "u1")

    kept = record.of_type(cluster.stage.entries(), "concluded")
    assert [entry["outcome"] for entry in kept] == ["kept"]
    assert "rolled back by run web-0" in kept[0]["sentence"]
    assert len(record.of_type(cluster.stage.entries(), "run")) == 1
