"""How the wait for a person ends: the Workflow is let go or stopped, and an order is refused."""

from __future__ import annotations

from typing import Any

import pytest
from fake_kube import WORKFLOW, Cluster
from rig import bundle
from waiting import gated

from crossfade.errors import BackendError, CrossfadeError
from crossfade.rights import installed_rules
from crossfade_steps.cluster import gate, guard, promotion, steps
from crossfade_steps.cluster.store import UID


def shutdown(cluster: Cluster) -> str | None:
    found: str | None = (cluster.fake.get(WORKFLOW) or {})["spec"].get("shutdown")
    return found


@pytest.mark.parametrize("what", ["alarm", "abort"])
def test_a_run_that_ends_at_its_gate_leaves_no_workflow_waiting(what: str) -> None:
    """It would hold its mutex, and skip a CronWorkflow's nights, until its deadline."""
    cluster = gated(bundle(errors=(0.0, 0.9)) if what == "alarm" else None)
    if what == "abort":
        cluster.stage.store.write(control="abort")

    promotion.watch(cluster.another())

    assert cluster.head()["outcome"] == ("rolled-back" if what == "alarm" else "cancelled")
    assert shutdown(cluster) == ("Stop" if what == "abort" else None)
    node = cluster.fake.get(WORKFLOW)["status"]["nodes"]["a"]
    if what == "alarm":  # a decision is no failure: its Workflow goes on to its end
        assert node["phase"] == "Succeeded"
        assert node["outputs"]["parameters"] == [{"name": "decision", "value": "no"}]
        assert steps.restore(cluster.another())["summary"].startswith("default/errors of v2")


def test_a_missing_right_to_stop_the_workflow_is_told_and_ends_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    cluster = gated(bundle(errors=(0.0, 0.9)))
    merge, patch = cluster.fake.merge, cluster.fake.patch

    def forbidding(write: Any) -> Any:
        def written(key: Any, part: Any, **more: Any) -> Any:
            if key == WORKFLOW:
                raise BackendError("403 cannot patch")
            return write(key, part, **more)

        return written

    cluster.fake.merge = forbidding(merge)  # type: ignore[method-assign]
    cluster.fake.patch = forbidding(patch)  # type: ignore[method-assign]

    promotion.watch(cluster.another())

    assert cluster.head()["outcome"] == "rolled-back"
    assert "was not stopped (403 cannot patch): argo stop web-1" in capsys.readouterr().out


def test_the_run_s_account_may_stop_its_workflow() -> None:
    rules = {rule["resources"][0]: rule["verbs"] for rule in installed_rules()}

    assert rules["workflows"] == ["get", "patch"]


def test_an_abort_from_a_form_ends_the_waiting_and_an_order_is_refused() -> None:
    cluster = gated()
    kube, store = cluster.stage.kube, cluster.stage.store

    with pytest.raises(CrossfadeError, match="waits for its approval"):
        gate.steer(kube, store, "promote", "workflow steer-1", "v2")
    assert cluster.head().get("control") is None
    told, undone = gate.steer(kube, store, "abort", "workflow steer-1")

    assert (told, undone) == ("run default/web-1: asked to abort", "")
    assert shutdown(cluster) == "Stop"


@pytest.mark.parametrize(("node", "stopped"), [("approval", "Stop"), ("wait", None)])
def test_a_run_that_its_guard_ends_is_not_left_at_its_gate(node: str, stopped: str | None) -> None:
    """The pod that watched is gone; a timer goes on by itself, to a step that finds the end."""
    cluster = gated()
    waiting = {"type": "Suspend", "phase": "Running", "templateName": node}
    cluster.fake.merge(WORKFLOW, {"status": {"nodes": {"a": waiting}}})
    cluster.stage.store.write(control="abort")

    guard.watch_over(cluster.stage)

    assert cluster.stage.store.head()["outcome"] == "cancelled"
    assert shutdown(cluster) == stopped


def test_another_workflow_of_that_name_is_not_stopped() -> None:
    cluster = gated()
    cluster.stage.store.write(**{UID: "another"})

    assert gate.stop_waiting(cluster.stage.kube, cluster.stage.store) == ""
    assert shutdown(cluster) is None
