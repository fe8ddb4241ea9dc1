"""Each rule on a small input where it fires, and on its twin where it does not."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from lint_cases import CASES
from lint_inputs import EXPERIMENT, GOOD, GOOD_REWARD, metric, rules, third, virtual_service

from crossfade.lint import RULES, lint
from crossfade.spec.assembly import assemble
from crossfade.spec.source import Document, Loaded


@pytest.mark.parametrize("rule", CASES)
def test_a_rule_fires_on_its_input_and_not_on_its_twin(rule: str) -> None:
    bad, good = CASES[rule]
    rule = rule.partition(" ")[0]

    assert rule in rules(**bad)
    assert rule not in rules(**good)


def test_versions_that_share_a_query_are_named() -> None:
    experiment = copy.deepcopy(EXPERIMENT)
    third(sid="y")(experiment)
    data = [experiment, metric("m", GOOD), metric("reward", GOOD_REWARD)]
    documents = tuple(Document(f"f{i}.yaml", d) for i, d in enumerate(data))
    bundle, _ = assemble(documents, {})

    found = [f for f in lint(Loaded(bundle, (), documents)) if f.rule == "C63"]

    assert [f.message for f in found] == [
        f"metric default/{name}: asks the same for b and c" for name in ("reward", "m")
    ]
    assert {f.field for f in found} == {"spec.params[0].value"}


def test_the_twin_of_everything_is_clean() -> None:
    assert rules() == []


def test_every_rule_has_a_case_a_title_and_a_remedy() -> None:
    elsewhere = {
        "Vacuous",
        "D18",
        "Place",
        "Rewards",
        "Versions",
        "Kind",
        "Nobody",
        "Twice",
        "Again",
    }
    untested = {rule.id for rule in RULES} - set(CASES) - elsewhere

    assert untested == set()
    assert all(rule.title and rule.remedy for rule in RULES)


@pytest.mark.parametrize("pattern", ["Canary", "Conformance"])
def test_an_experiment_that_judges_nothing_is_told_so(pattern: str) -> None:
    def edit(experiment: dict[str, Any]) -> None:
        experiment["spec"]["strategy"]["testingPattern"] = pattern
        experiment["spec"]["criteria"] = {}

    assert "Vacuous" in rules(edit=edit)


@pytest.mark.parametrize(("routes", "fires"), [((100,), True), ((100, 0), False)])
def test_a_promotion_that_drops_a_route_is_found(routes: tuple[int, ...], fires: bool) -> None:
    data = [copy.deepcopy(EXPERIMENT), metric("m", GOOD), metric("reward", GOOD_REWARD)]
    promoted = virtual_service(*routes)
    documents = tuple(Document(f"f{i}.yaml", d) for i, d in enumerate([*data, promoted]))
    bundle, _ = assemble(documents[:-1], {})
    assert bundle is not None
    whole = bundle.model_copy(update={"promote": {"b": (promoted,)}})

    found = {finding.rule for finding in lint(Loaded(whole, (), documents))}

    assert ("D18" in found) is fires


@pytest.mark.parametrize(
    ("promoted", "fires"),
    [("told", True), ("a", False), ("b", False)],
    ids=["nobody's", "baseline's", "its-own"],
)
def test_a_promotion_that_takes_nobody_s_place_is_found(promoted: str, fires: bool) -> None:
    route = virtual_service(100, 0)
    for entry, name in zip(route["spec"]["http"][0]["route"], "ab", strict=True):
        entry["destination"] = {"host": f"{name}.default.svc.cluster.local"}
    copies = [{"apiVersion": "apps/v1", "kind": "Deployment",
               "metadata": {"name": name, "namespace": "default"}} for name in "ab"]  # fmt: skip
    winner = {**copies[0], "metadata": {"name": promoted, "namespace": "default"}}
    data = [copy.deepcopy(EXPERIMENT), metric("m", GOOD), metric("reward", GOOD_REWARD)]
    documents = tuple(Document(f"f{i}.yaml", d) for i, d in enumerate([*data, winner]))
    bundle, _ = assemble(documents[:-1], {})
    assert bundle is not None
    given = {"deploy": (*copies, route), "promote": {"b": (winner,)}}

    found = lint(Loaded(bundle.model_copy(update=given), (), documents))

    assert ("Place" in {finding.rule for finding in found}) is fires
