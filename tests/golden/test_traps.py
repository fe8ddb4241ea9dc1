"""What Hera and Argo get wrong, and how every compiled workflow stays clear of it."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from crossfade import contract
from crossfade.compiler import compile_text, to_dict, workflow
from crossfade.compiler.dump import to_yaml
from crossfade.compiler.schedule import checked_schedule
from crossfade.errors import SpecError
from crossfade.frame import frame, require_frame
from crossfade.lint.looping import MOST_NODES, advice
from crossfade.spec.names import dns_name, label_value, lock_name, plain_text
from crossfade.spec.rollout import Bundle, Policy

sys.path.insert(0, str(Path(__file__).parent))
from bundles import CASES, bundle
from fields import unknown

TEXTS = {name: compile_text(whole, **options) for name, (whole, options) in CASES.items()}
WHEN = re.compile(r"^\{\{= steps\['[a-z]+'\]\.outputs\.parameters\.[a-z]+ (==|!=) '[a-z]+' \}\}$")
REFERENCE = re.compile(r"steps(?:\.|\[')([a-z-]+)(?:'\])?\.outputs")


def document(name: str) -> dict[str, Any]:
    return dict(list(yaml.safe_load_all(TEXTS[name]))[-1])


def spec_of(name: str) -> dict[str, Any]:
    spec = document(name)["spec"]
    return dict(spec.get("workflowSpec", spec))


def templates(name: str) -> Iterator[dict[str, Any]]:
    yield from spec_of(name)["templates"]


def containers(name: str) -> Iterator[dict[str, Any]]:
    for template in templates(name):
        if "container" in template:
            yield template["container"]
        yield from template.get("containerSet", {}).get("containers", [])


def steps(name: str) -> Iterator[tuple[dict[str, Any], list[list[dict[str, Any]]]]]:
    yield from ((t, t["steps"]) for t in templates(name) if "steps" in t)


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


@pytest.mark.parametrize(
    "schedule",
    ["0 2 * * *", "*/5 1-5,7 1 JAN-jun mon,WED", "0 0 ? * 0/2", "@daily", "@every 1h30m"],
)
def test_a_schedule_that_argo_reads_is_taken_as_it_is(schedule: str) -> None:
    assert checked_schedule(schedule) == schedule


@pytest.mark.parametrize(
    ("schedule", "told"),
    [
        ("xx", "1 fields, expected 5"),
        ("* * * * * *", "6 fields, expected 5"),
        ("60 * * * *", "minute '60', expected 0 to 59"),
        ("0 5-1 * * *", "hour '5-1', expected 0 to 23"),
        ("0 0 0 * *", "day of the month '0', expected 1 to 31"),
        ("0 0 * * 7", "day of the week '7', expected 0 to 6"),
        ("*/0 * * * *", "minute '*/0'"),
        ("0 0 L * *", "day of the month 'L'"),
        ("@reboot", "expected @yearly"),
    ],
)
def test_a_schedule_that_argo_would_not_start_is_refused(schedule: str, told: str) -> None:
    with pytest.raises(SpecError, match=re.escape(told)):
        checked_schedule(schedule)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("image", "{{=sprig.env('TOKEN')}}"),
        ("image", "steps:1 --flag"),
        ("service_account", "{{workflow.name}}"),
        ("namespace", "{{=1}}"),
        ("namespace", "A_b"),
    ],
)
def test_what_goes_into_a_workflow_as_it_is_cannot_be_a_template(field: str, value: str) -> None:
    with pytest.raises(ValidationError, match="expected a"):
        bundle(**{field: value})


def test_a_large_bundle_travels_by_name_and_a_small_one_inline() -> None:
    config, large = yaml.safe_load_all(TEXTS["large"])
    whole, _ = CASES["large"]

    [parameter] = large["spec"]["arguments"]["parameters"]
    assert parameter["value"] == f"configmap:{config['metadata']['name']}"
    assert config["immutable"] is True
    assert base64.b64decode(config["data"]["bundle"]).decode() == whole.to_json()
    assert len(TEXTS["nodes"]) < 32 * 1024


def test_more_iterations_than_argo_recurses_are_refused_with_the_way_out() -> None:
    compile_text(bundle(iterations=MOST_NODES))
    with pytest.raises(SpecError, match="91 iterations with loop: nodes") as error:
        compile_text(bundle(iterations=MOST_NODES + 1))

    assert "loop: pod" in error.value.hint


def test_a_watch_with_all_its_unread_looks_must_fit_too() -> None:
    def watched(bake: int) -> Bundle:
        policy = Policy.model_validate({"name": "evidence", "bake": bake})
        return bundle(iterations=MOST_NODES).model_copy(update={"policy": policy})

    compile_text(watched(3))
    with pytest.raises(SpecError, match="90 iterations and up to 8 more under watch"):
        compile_text(watched(4))


def test_a_rollout_that_no_config_map_takes_is_refused_with_its_size() -> None:
    def holding(size: int) -> Bundle:
        manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"},
                    "data": {"model": "x" * size}}  # fmt: skip
        return bundle(deploy=(manifest,))

    compile_text(holding(780_000))
    with pytest.raises(SpecError, match=r"takes \d{7} bytes .* at most 1048576") as error:
        compile_text(holding(900_000))

    assert "in an image, in a volume" in error.value.hint


@pytest.mark.parametrize(
    ("fields", "told"),
    [({"interval": 5}, "shorter than Argo's own clock"), ({"iterations": 60}, "nested nodes"),
     ({"interval": 5, "loop": "pod"}, None), ({}, None)],
)  # fmt: skip
def test_pod_is_recommended_where_nodes_do_badly(fields: dict[str, Any], told: str | None) -> None:
    text = advice(bundle(**fields))

    assert (text is None) == (told is None)
    assert told is None or (text is not None and told in text)


# Values and names


awkward = st.text(alphabet=st.characters(codec="utf-8"), max_size=60) | st.sampled_from(
    ["{{workflow.name}}", "{{= 1 + 1 }}", 'it\'s "quoted"', "a\x00b\x1b[31m", "12e5", "$(URL)"]
)


@given(awkward)
def test_values_arrive_byte_for_byte(text: str) -> None:
    whole = bundle(promote={"web-v2": [{"kind": "X", "data": text}]})
    parsed = yaml.safe_load(compile_text(whole))

    [parameter] = parsed["spec"]["arguments"]["parameters"]
    arrived = json.loads(base64.b64decode(parameter["value"]))
    assert arrived["promote"]["web-v2"][0]["data"] == text
    assert "{{= 1" not in json.dumps(parsed)


@given(st.text(max_size=300))
def test_names_stay_within_kubernetes_limits(text: str) -> None:
    for most in (52, 57, 63):
        name = dns_name(text, most)
        assert re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", name)
        assert len(name) <= most
    assert re.fullmatch(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?", label_value(text))
    assert "{" not in plain_text(text)


def test_names_that_were_cut_stay_different() -> None:
    assert dns_name("a" * 70, 63) != dns_name("a" * 71, 63)
    assert dns_name("iris", 63) == "iris"


def test_a_lock_is_the_same_however_the_kind_is_spelt() -> None:
    assert lock_name("g", "VirtualService", "n", "x") == lock_name("g", "virtualservice", "n", "x")


def test_equal_input_gives_equal_bytes_in_another_process() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from bundles import CASES; from crossfade.compiler import compile_text\n"
        "sys.stdout.write(compile_text(CASES['nodes'][0]))"
    )
    command = [sys.executable, "-c", code, str(Path(__file__).parent)]
    again = subprocess.run(command, capture_output=True, text=True, check=True)

    assert again.stdout == TEXTS["nodes"]


@pytest.mark.parametrize(
    ("options", "text"),
    [({"kind": "job"}, "expected workflow, template, cron"), ({"kind": "cron"}, "needs --schedule"),
     ({"schedule": "* * * * *"}, "takes no --schedule")],
)  # fmt: skip
def test_options_that_do_not_go_together_are_refused(options: dict[str, Any], text: str) -> None:
    with pytest.raises(SpecError, match=text):
        compile_text(bundle(), **options)


def test_a_rollout_fits_the_workflow_that_it_was_compiled_into() -> None:
    for each, _ in CASES.values():
        require_frame(each, frame(each))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"approval": "before-promote"}, "approval before-promote, compiled with none"),
        ({"loop": "pod"}, "loop pod, compiled with nodes"),
        ({"deadline": "9m"}, "deadline 540s, compiled with"),
        ({"service_account": "other"}, "serviceAccount other, compiled with crossfade"),
        ({"report_artifact": True}, "reportArtifact yes, compiled with no"),
        ({"image": "shop/steps:2"}, "image shop/steps:2, compiled with"),
    ],
)
def test_a_workflow_refuses_a_rollout_whose_gate_or_locks_it_does_not_have(
    change: dict[str, object], told: str
) -> None:
    compiled = CASES["nodes"][0]
    other = Bundle.model_validate({**json.loads(compiled.to_json()), **change})

    with pytest.raises(SpecError, match="does not fit this workflow") as refused:
        require_frame(other, frame(compiled))

    assert told in str(refused.value)
