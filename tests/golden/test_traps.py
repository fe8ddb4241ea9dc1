"""What Hera and Argo get wrong, and how every compiled workflow stays clear of it."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from crossfade import contract
from crossfade.compiler import compile_text, to_dict, workflow
from crossfade.compiler.dump import to_yaml
from crossfade.spec.names import lock_name

sys.path.insert(0, str(Path(__file__).parent))
from bundles import CASES, bundle
from compiled import TEXTS, containers, document, spec_of, steps, templates
from fields import unknown

WHEN = re.compile(r"^\{\{= steps\['[a-z]+'\]\.outputs\.parameters\.[a-z]+ (==|!=) '[a-z]+' \}\}$")
REFERENCE = re.compile(r"steps(?:\.|\[')([a-z-]+)(?:'\])?\.outputs")
every = pytest.mark.parametrize("name", CASES)


# Hera


@given(st.text(max_size=200))
def test_any_text_survives_the_dumper(text: str) -> None:
    documents = [{"value": text, "list": [text], "nested": {"a": text}}]

    assert yaml.safe_load(to_yaml(documents)) == documents[0]


@pytest.mark.parametrize("text", ["{{", "12e5", "1e3", "0o14", "-1e1", "n", "yes", "1:30", "null"])
def test_text_that_looks_like_something_else_is_quoted(text: str) -> None:
    assert to_yaml([{"k": text}]) == f'k: "{text}"\n'


def test_hera_s_own_dump_would_not_do() -> None:
    built = workflow(bundle())
    built.labels = {"x": "12e5"}

    assert "x: 12e5" in built.to_yaml()
    assert 'x: "12e5"' in to_yaml([to_dict(built)])


@every
def test_the_lock_did_not_vanish(name: str) -> None:
    [mutex] = spec_of(name)["synchronization"]["mutexes"]

    assert mutex == {"name": lock_name("networking.istio.io", "VirtualService", "shop", "web")}
    assert all("synchronization" not in template for template in templates(name))


@every
def test_no_script_no_resource_no_daemon_no_memo_and_no_artifact_unless_asked(name: str) -> None:
    for template in templates(name):
        forbidden = {"script", "resource", "daemon", "memoize", "http", "plugin", "data"}
        assert forbidden.isdisjoint(template)
        assert "artifacts" not in template.get("inputs", {})
        kept = template.get("outputs", {}).get("artifacts", [])
        asked = name == "artifact" and template["name"] == "finish"
        assert [artifact["optional"] for artifact in kept] == ([True] if asked else [])


def test_compiling_leaves_hera_s_global_settings_alone() -> None:
    from hera.shared import global_config

    before = dict(vars(global_config))
    compile_text(bundle())

    assert dict(vars(global_config)) == before


# Argo


@every
def test_every_field_exists_in_argo_v3_6_to_v4(name: str) -> None:
    assert list(unknown(document(name), since_3_7=name != "nodes-argo-3.6")) == []


def test_display_names_can_be_left_out_for_argo_3_6() -> None:
    assert "annotations" not in {key for t in templates("nodes-argo-3.6") for key in t}
    assert "annotations" in {key for t in templates("nodes") for key in t}


@every
def test_conditions_compare_quoted_words_in_an_expression(name: str) -> None:
    for _, groups in steps(name):
        for step in (step for group in groups for step in group):
            assert WHEN.match(step.get("when", "{{= steps['a'].outputs.parameters.b == 'c' }}"))


@every
def test_no_step_refers_to_an_output_of_one_that_may_be_skipped(name: str) -> None:
    for template, groups in steps(name):
        skippable = {s["name"] for group in groups for s in group if "when" in s}
        used = set(REFERENCE.findall(json.dumps(groups)))
        assert used.isdisjoint(skippable)
        for output in template.get("outputs", {}).get("parameters", []):
            text = output["valueFrom"]["expression"]
            assert set(output["valueFrom"]) == {"expression"}
            assert re.fullmatch(r"(.+) == 'continue' \? (.+) : (.+)", text)


@every
def test_every_output_of_a_container_has_a_default(name: str) -> None:
    for template in templates(name):
        if "steps" in template:
            continue
        for output in template.get("outputs", {}).get("parameters", []):
            assert {"path", "default"} == set(output["valueFrom"]) or "suspend" in template


@every
def test_the_entrypoint_is_steps_and_the_exit_handler_one_container(name: str) -> None:
    spec = spec_of(name)
    by_name = {t["name"]: t for t in templates(name)}

    assert "steps" in by_name[spec["entrypoint"]]
    assert "container" in by_name[spec["onExit"]]


@every
def test_every_container_names_its_command_and_no_shell(name: str) -> None:
    for container in containers(name):
        assert container["command"] == ["python", "-m", "crossfade_steps"]
        assert container["args"][0] in {step.name for step in contract.STEPS}
        assert not any(word in ("sh", "bash", "-c") for word in container["args"])


@every
def test_arguments_are_those_of_the_contract(name: str) -> None:
    by_name = {step.name: step for step in contract.STEPS}
    for container in containers(name):
        flags = [word[2:] for word in container["args"] if word.startswith("--")]
        assert tuple(flags) == by_name[container["args"][0]].inputs


@every
def test_retries_follow_the_exit_code_and_cover_lost_pods(name: str) -> None:
    for template in templates(name):
        if "container" in template or "containerSet" in template:
            retry = template["retryStrategy"]
            assert retry["retryPolicy"] == "Always"
            assert retry["expression"] == "asInt(lastRetry.exitCode) != 2"
            assert "maxDuration" not in retry["backoff"], "it counts from the first attempt's start"


@every
def test_pods_are_unprivileged(name: str) -> None:
    assert spec_of(name)["securityContext"]["runAsNonRoot"] is True
    for container in containers(name):
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"] is True
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}


@every
def test_parameters_carry_no_template_and_only_printable_ascii(name: str) -> None:
    for parameter in spec_of(name)["arguments"]["parameters"]:
        assert re.fullmatch(r"[A-Za-z0-9+/=:-]+", parameter["value"])
    assert TEXTS[name].isascii()
    assert "\x1b" not in TEXTS[name]


def test_only_main_gives_outputs_of_a_pair() -> None:
    [pair] = [t for t in templates("nodes") if "containerSet" in t]
    first, main = pair["containerSet"]["containers"]

    assert (first["name"], main["name"]) == ("evaluate", "main")
    assert main["dependencies"] == ["evaluate"]


def test_a_timer_covers_all_but_the_last_seconds_of_a_long_interval() -> None:
    by_name = {t["name"]: t for t in templates("nodes-long-interval")}
    [timer] = by_name["iterations"]["steps"][0]
    [iterate] = by_name["rollout"]["steps"][1]

    assert timer["template"] == "timer"
    values = {p["name"]: p["value"] for p in iterate["arguments"]["parameters"]}
    assert (values["pause"], values["k"]) == ("{{steps.load.outputs.parameters.pause}}", "1")


def test_the_gate_says_no_unless_somebody_says_yes() -> None:
    [gate] = [t for t in templates("approval") if t["name"] == "approval"]
    [decision] = gate["inputs"]["parameters"]

    assert (decision["default"], decision["enum"]) == ("no", ["no", "yes"])


def test_a_cron_forbids_overlap_and_names_its_time_zone() -> None:
    spec = document("cron")["spec"]

    assert spec["schedules"] == ["0 2 * * *"]
    assert (spec["timezone"], spec["concurrencyPolicy"]) == ("UTC", "Forbid")
    assert spec["startingDeadlineSeconds"] == 600
