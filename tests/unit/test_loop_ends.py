"""Nothing that traffic may reach is removed, however a promotion was described."""

from __future__ import annotations

from typing import Any

import pytest
from rig import VS, Rig, bundle, deployment, route, set_weights

from crossfade import record
from crossfade.spec.rollout import Bundle
from crossfade.verdict import Outcome
from crossfade_steps.loop import conduct
from crossfade_steps.ports import ObjectKey

CONFIG = {"apiVersion": "v1", "kind": "ConfigMap",
          "metadata": {"name": "told", "namespace": "base"}, "data": {"model": "new"}}  # fmt: skip


def candidate_only(**changes: Any) -> Bundle:
    """Return a rollout that deploys the candidate alone: the baseline was there before."""
    whole = bundle()
    deployed = tuple(m for m in whole.deploy if m["metadata"]["namespace"] == "cand")
    return whole.model_copy(update={"deploy": deployed, **changes})


def in_production(whole: Bundle) -> Rig:
    rig = Rig(whole)
    rig.store.create(deployment("base", "old"))
    rig.store.create(route())
    return rig


def test_a_baseline_that_was_there_before_is_replaced_by_the_promote_documents() -> None:
    rig = in_production(candidate_only(promote={"v2": (deployment("base", "new"),)}))

    ended = conduct(rig.run)

    assert ended.outcome is Outcome.PROMOTED, ended
    assert "from its promoted copy" in ended.sentence
    assert rig.weights() == [100, 0]
    assert (rig.model("base"), rig.model("cand")) == ("new", None)


@pytest.mark.parametrize(
    "document", [CONFIG, deployment("cand", "new")], ids=["nobody's", "the-winner's-own"]
)
def test_the_copy_that_serves_all_traffic_stays(document: Any) -> None:
    rig = in_production(candidate_only(promote={"v2": (document,)}))

    ended = conduct(rig.run)

    assert ended.outcome is Outcome.PROMOTED, ended
    assert rig.weights() == [0, 100]
    assert rig.model("cand") == "new", "all traffic is on it"
    phase = record.last_phase(rig.record.list)
    assert phase is not None
    assert dict(phase[1]) == {"v1": 0, "v2": 100}


def test_a_route_document_that_leads_to_the_candidate_keeps_it() -> None:
    one = route("v2", both=False)
    one["spec"]["http"][0]["route"][0]["destination"]["host"] = "m-p.cand.svc.cluster.local"
    rig = in_production(candidate_only(promote={"v2": (one,)}))

    ended = conduct(rig.run)

    assert ended.outcome is Outcome.PROMOTED, ended
    assert rig.model("cand") == "new"


@pytest.mark.parametrize("when", ["iterating", "settled"])
def test_a_candidate_is_kept_while_its_weight_cannot_be_taken_away(when: str) -> None:
    """The API refuses every write from some time on; what serves then goes on serving."""
    from crossfade.errors import BackendError

    rig = Rig(bundle())
    patch = rig.store.patch

    def refuse(key: ObjectKey, operations: Any) -> Any:
        if key == VS:
            raise BackendError("forbidden")
        return patch(key, operations)

    def begin() -> None:
        if when == "settled":
            set_weights(rig, 60, 40)
        rig.store.patch = refuse  # type: ignore[method-assign]

    rig.at(15, begin)

    ended = conduct(rig.run)

    assert ended.outcome is not Outcome.PROMOTED
    assert rig.weights()[1] > 0
    assert rig.model("cand") == "new"
