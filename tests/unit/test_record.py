import json
from collections.abc import Callable
from typing import Any

import pytest

from crossfade import policies, record
from crossfade.errors import SpecError
from crossfade.policies.iter8 import decide
from crossfade.replay import other_rules, replay
from crossfade.spec.experiment import Experiment
from crossfade.spec.rollout import Bundle, Policy
from crossfade.verdict import Counts, Observation, Reading, Shape


def bundle() -> Bundle:
    spec: dict[str, Any] = {
        "target": "t",
        "strategy": {"testingPattern": "A/B"},
        "criteria": {"rewards": [{"metric": "r", "preferredDirection": "High"}]},
        "versionInfo": {"baseline": {"name": "a"}, "candidates": [{"name": "b"}]},
    }
    document = {"apiVersion": "iter8.tools/v2alpha2", "kind": "Experiment", "spec": spec}
    return Bundle(
        name="x", experiment=Experiment.model_validate(document), policy=Policy(name="iter8")
    )


def entries() -> list[dict[str, Any]]:
    whole = bundle()
    seen = Observation(
        1, 10, {"a": 100, "b": 0}, {"default/r": {"a": Reading(1.0), "b": Reading(None, "no data")}}
    )
    decided, state = decide(whole.experiment, policies.load("iter8").Settings(), seen, {})
    return [record.header("x", whole, 1.0), record.decision(seen, decided, state)]


def changed_state(change: Callable[[dict[str, Any]], object]) -> list[dict[str, Any]]:
    """Return a record of one decision by counts, with a change of the trial it kept."""
    whole = bundle().model_copy(update={"policy": Policy(name="evidence")})
    counts = {v: Reading(0.3, counts=Counts(0.3 * n, n)) for v, n in (("a", 500.0), ("b", 0.0))}
    shapes = {"default/r": Shape("fraction")}
    seen = Observation(1, 10, {"a": 100, "b": 0}, {"default/r": counts}, shapes, 10.0)
    rule = policies.load("evidence")
    decided, state = rule.decide(whole.experiment, rule.Settings(), seen, {})
    written = [record.header("x", whole, 1.0), record.decision(seen, decided, state)]
    written = json.loads(json.dumps(written))
    change(written[1]["state"]["trial"])
    return written


def test_a_decision_survives_its_record() -> None:
    written = entries()

    seen, decided, state = record.read_decision(written[1])

    assert record.canonical(record.decision(seen, decided, state)) == record.canonical(written[1])


def test_a_record_replays_to_the_same_decisions() -> None:
    assert [r.difference for r in replay(entries())] == [None]


def test_a_decision_that_was_changed_is_found() -> None:
    written = entries()
    written[1]["decision"]["weights"] = {"a": 0, "b": 100}

    [result] = replay(written)

    assert result.difference is not None
    assert result.difference.startswith("weights: recorded {'a': 0, 'b': 100}, now ")


def test_a_state_that_is_not_as_recorded_is_named_by_its_field() -> None:
    written = changed_state(lambda trial: trial["requests"].__setitem__(0, 7.0))

    assert replay(written)[0].difference == "state.trial.requests[0]: recorded 7.0, now 500.0"


def test_what_an_older_record_lacks_is_no_difference() -> None:
    written = changed_state(lambda trial: trial.pop("rewarded"))
    for name in ("sticky", "order", "also"):
        del written[1]["observation"][name]
    del written[1]["decision"]["warnings"]

    assert [r.difference for r in replay(written)] == [None]


def test_a_file_that_is_no_record_is_refused() -> None:
    with pytest.raises(SpecError, match="expected 'run' of format 1"):
        replay([{"type": "decision"}])


def test_the_last_phase_counts() -> None:
    phases = [record.phase("starting", {"a": 90}), record.phase("iterating", {"a": 100})]

    assert record.last_phase(phases) == ("iterating", {"a": 100})
    assert record.last_phase([]) is None


def test_a_record_of_other_rules_is_told_so() -> None:
    """An upgrade changes what is decided, which is no fault of the record."""
    known = entries()
    assert other_rules(known) == ""

    older = [{**entry, "rules": 7} if entry["type"] == "run" else entry for entry in known]

    told = "recorded by rules 7 of policy iter8, decided by rules 1: they may differ"
    assert other_rules(older) == told
