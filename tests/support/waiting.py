"""A run of long intervals whose winner waits for a person."""

from __future__ import annotations

from fake_kube import WORKFLOW, Cluster, iterating
from rig import bundle

from crossfade import record
from crossfade.spec.experiment import Experiment
from crossfade.spec.rollout import Bundle
from crossfade.verdict import Decision, Observation, Outcome

INTERVAL = 600
HELD = {"v1": 40, "v2": 60}


def whole(of: Bundle | None = None) -> Bundle:
    made = of or bundle()
    document = made.experiment.model_dump(by_alias=True, mode="json")
    document["spec"]["duration"]["intervalSeconds"] = INTERVAL
    return made.model_copy(update={"experiment": Experiment.model_validate(document)})


def gated(of: Bundle | None = None) -> Cluster:
    """Return a run of long intervals whose winner has 60 % and waits for a person."""
    cluster = iterating(whole(of), *HELD.values())
    store = cluster.stage.store
    store.append(record.started(cluster.rig.clock.now() - 60))
    won = Decision(iteration=4, old=HELD, weights=HELD, verdicts=(), best=("v2",), winner="v2",
                   reason="v2 is best", outcome=Outcome.PROMOTED)  # fmt: skip
    store.append(record.decision(Observation(4, 40, HELD), won, {}))
    store.append(record.applied(4, HELD))
    set_node(cluster, "Running")
    return cluster


def set_node(cluster: Cluster, phase: str, said: str = "yes") -> None:
    over = phase == "Succeeded"
    asked = [{"name": "decision", **({"value": said} if over else {"valueFrom": {"supplied": {}}})}]
    node = {"type": "Suspend", "phase": phase, "templateName": "approval",
            "outputs": {"parameters": asked}}  # fmt: skip
    cluster.fake.merge(WORKFLOW, {"status": {"nodes": {"a": node}}})
