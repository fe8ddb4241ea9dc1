"""What goes into a workflow arrives as it is; what would not fit is refused."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from crossfade.compiler import compile_text
from crossfade.compiler.schedule import checked_schedule
from crossfade.errors import SpecError
from crossfade.frame import frame, require_frame
from crossfade.lint.looping import MOST_NODES, advice
from crossfade.spec.names import dns_name, label_value, lock_name, plain_text
from crossfade.spec.rollout import Bundle, Policy

sys.path.insert(0, str(Path(__file__).parent))
from bundles import CASES, bundle
from compiled import TEXTS


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
