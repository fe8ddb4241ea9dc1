"""What holds when a run is short of capacity, or of a metric store's answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from rig import Ready, Rig, bundle

from crossfade import record
from crossfade.reasons import as_held
from crossfade.replay import replay
from crossfade.verdict import Decision, Observation, Outcome, Reading
from crossfade_steps.loop import conduct


@pytest.mark.parametrize(
    ("down", "decided", "outcome"),
    [
        ((1015, 1035), "90/10 90/10 90/10 80/20", Outcome.PROMOTED),
        ((1035, 1045), "90/10 80/20 70/30 70/30", Outcome.INCONCLUSIVE),
    ],
    ids=["in-between", "at-the-end"],
)
def test_an_outage_of_the_metric_store_moves_and_promotes_nobody(
    down: tuple[int, int], decided: str, outcome: Outcome
) -> None:
    """Under the predecessor's rule, too, which moves weights without data."""
    rig = Rig(bundle())
    for source in rig.run.sources.values():
        source.read = _down(rig, source.read, down)  # type: ignore[method-assign]

    ended = conduct(rig.run)

    assert (" ".join(rig.decided()), ended.outcome) == (decided, outcome)
    held = record.of_type(rig.record.list, "decision")[2 if outcome is Outcome.PROMOTED else 3]
    assert "request failed: connection refused" in held["decision"]["reason"]
    assert [r.difference for r in replay(rig.record.list)] == [None] * 4


def _down(rig: Rig, read: Any, down: tuple[int, int]) -> Any:
    def reads(request: Any) -> Reading:
        if down[0] < rig.clock.now() < down[1]:
            return Reading(None, "request failed: connection refused")
        answer: Reading = read(request)
        return answer

    return reads


def test_an_outage_keeps_no_candidate_s_share_past_the_last_iteration() -> None:
    """The policy's own end, and its numbers, stand: nobody looks any more."""
    ended = Decision(iteration=4, old={"v1": 60, "v2": 40}, weights={"v1": 100, "v2": 0},
                     verdicts=(), best=(), winner=None, reason="no data; not decided in time",
                     outcome=Outcome.INCONCLUSIVE)  # fmt: skip
    unread = {"default/r": {"v1": Reading(None, "request failed: refused")}}

    assert as_held(ended, Observation(4, 40, ended.old, unread, silent=True)) is ended


def test_an_outage_promotes_nobody_who_would_win_without_data() -> None:
    """V28: a canary without objectives wins whatever is known."""
    old, new = {"v1": 50, "v2": 50}, {"v1": 40, "v2": 60}
    won = Decision(iteration=4, old=old, weights=new, verdicts=(), best=("v2",), winner="v2",
                   reason="v2 is best", outcome=Outcome.PROMOTED)  # fmt: skip
    unread = {"default/r": {"v1": Reading(None, "request failed: refused")}}
    seen = Observation(4, 40, old, unread, silent=True)

    held = as_held(won, seen)

    assert (held.outcome, held.winner, held.weights) == (Outcome.INCONCLUSIVE, None, old)
    assert held.reason == (
        "no metric could be read (default/r of v1: request failed: refused); "
        "no winner after the last iteration, the baseline stays"
    )
    assert as_held(won, replace(seen, silent=False)) == won
    moved = as_held(replace(won, outcome=None), seen)
    assert moved.reason.endswith("; weights stay at 50/50")


def test_no_weight_is_raised_for_a_candidate_that_is_not_ready() -> None:
    """Capacity comes before weight (C39, C47)."""
    ready = Ready()
    rig = Rig(bundle(), readiness=ready)
    rig.at(15, lambda: ready.reasons.update(cand="0 of 1 pods available"))
    rig.at(25, ready.reasons.clear)
    seen: list[list[int]] = []
    for seconds in (12, 22, 32):
        rig.at(seconds, lambda: seen.append(rig.weights()))

    conduct(rig.run)

    assert seen == [[90, 10], [90, 10], [80, 20]]
    held = record.of_type(rig.record.list, "not-applied")
    assert [entry["iteration"] for entry in held] == [2]
    assert held[0]["reason"] == (
        "SeldonDeployment/cand/m is not ready for more traffic: 0 of 1 pods available"
    )


def test_traffic_goes_back_to_the_baseline_whoever_is_ready() -> None:
    ready = Ready()
    rig = Rig(bundle(errors=(0.0, 0.5)), readiness=ready)
    rig.at(5, lambda: ready.reasons.update(cand="gone", base="gone"))

    assert conduct(rig.run).outcome is Outcome.ROLLED_BACK
    assert rig.weights() == [100, 0]


def test_a_promotion_has_a_deadline() -> None:
    """C45: a copy that never becomes ready ends the promotion, and not never."""
    ready = Ready()
    rig = Rig(bundle(), readiness=ready)
    rig.at(25, lambda: ready.reasons.update(base="ImagePullBackOff"))

    ended = conduct(rig.run)

    assert ended.outcome is Outcome.PROMOTION_FAILED
    assert "ImagePullBackOff; the winner's own copy serves all traffic" in ended.sentence
    assert rig.weights() == [0, 100]


def test_a_winner_that_cannot_take_all_traffic_is_not_given_it() -> None:
    ready = Ready()
    rig = Rig(bundle(), readiness=ready)
    rig.at(39.5, lambda: ready.reasons.update(cand="0 of 2 pods available"))

    ended = conduct(rig.run)

    assert ended.outcome is Outcome.PROMOTION_FAILED
    assert "the baseline serves all traffic" in ended.sentence
    assert rig.weights() == [100, 0]


def test_the_old_copy_is_replaced_only_when_no_traffic_needs_it() -> None:
    """C46: a slow start of the new one costs no request."""
    rig = Rig(bundle())
    seen: list[list[int]] = []
    apply = rig.store.apply

    def watched(manifest: Mapping[str, Any]) -> Any:
        if rig.started and manifest["kind"] == "SeldonDeployment":
            seen.append(rig.weights())
        return apply(manifest)

    rig.store.apply = watched  # type: ignore[method-assign]

    assert conduct(rig.run).outcome is Outcome.PROMOTED
    assert seen == [[0, 100]]
