"""The Python way, loads of several runs, secrets of metrics, and flags as Go reads them."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from fake_kube import NAMESPACE, iterating
from rig import bundle

from crossfade import Rollout
from crossfade.compiler import workflow
from crossfade.errors import BackendError, SpecError
from crossfade.policies import settings
from crossfade.policies.iter8 import decide
from crossfade.spec.experiment import Experiment
from crossfade.spec.metric import Metric
from crossfade.spec.requests import at_host, fortio_request
from crossfade.spec.rollout import Policy, Verify
from crossfade.verdict import Observation, Outcome, Reading
from crossfade_steps.asking import headers_of
from crossfade_steps.cluster.jobs import _refuse_living
from crossfade_steps.cluster.store import PART, RUN_LABEL
from crossfade_steps.embedded.here import run_here
from crossfade_steps.loadgen.feedback import Feedback
from crossfade_steps.ports import ObjectKey

EXAMPLE = Path(__file__).resolve().parents[2] / "workflows" / "examples" / "iris"


def test_a_folder_that_holds_a_run_is_not_run_in_again(tmp_path: Path) -> None:
    """The next run would go on from its last decision, which is a promotion."""
    (tmp_path / "record.jsonl").write_text("{}\n")
    whole = Rollout.load(EXAMPLE).bundle

    with pytest.raises(SpecError, match="holds the record of a run already"):
        run_here(whole, tmp_path, lambda entry: None, lambda entry: None)


def test_what_stops_the_command_line_stops_the_python_way(tmp_path: Path) -> None:
    rollout = Rollout.load(EXAMPLE)

    with pytest.raises(SpecError, match="policy 'nonsense' is not known"):
        rollout.using(policy={"name": "nonsense"})
    folder = tmp_path / "iris"
    shutil.copytree(EXAMPLE, folder)
    text = (folder / "experiment.yaml").read_text()
    (folder / "experiment.yaml").write_text(text.replace("route[1]", "route[7]"))
    with pytest.raises(SpecError, match="error Route"):
        Rollout.load(folder)


def test_a_request_keeps_its_query_at_a_copy() -> None:
    asked = at_host(Verify(url="http://gw/predict?model=a&x=1"), "h", 8000)

    assert asked.url == "http://h:8000/predict?model=a&x=1"


@pytest.mark.parametrize(
    "words",
    [
        ["-qps=50", '-payload={"a":1}', "-H=Host: x"],
        ["--qps", "50", "--payload", '{"a":1}', "--H", "Host: x"],
    ],
)
def test_flags_are_read_as_go_reads_them(words: list[str]) -> None:
    container = {"name": "c", "command": ["fortio", "load", *words, "http://gw/predict"]}
    job = {"kind": "Job", "spec": {"template": {"spec": {"containers": [container]}}}}

    found = fortio_request(job)

    assert found is not None
    assert (found.payload, found.headers) == ('{"a":1}', {"Host": "x"})


@pytest.mark.parametrize(("outcome", "refused"), [(None, True), ("promoted", False)])
def test_load_of_a_run_that_goes_on_is_not_taken(outcome: str | None, refused: bool) -> None:
    cluster = iterating()
    data = {} if outcome is None else {"outcome": outcome}
    cluster.fake.create({"apiVersion": "v1", "kind": "ConfigMap", "data": data,
                         "metadata": {"name": "other-1", "namespace": NAMESPACE,
                                      "labels": {PART: "run"}}})  # fmt: skip
    job, labels = ObjectKey("batch", "Job", NAMESPACE, "load"), {RUN_LABEL: "other-1"}

    if not refused:
        _refuse_living(cluster.stage, job, labels)
        return
    with pytest.raises(BackendError, match="is the load of run default/other-1, which goes on"):
        _refuse_living(cluster.stage, job, labels)


@pytest.mark.parametrize(("value", "outcome"), [(300.0, None), (600.0, Outcome.ROLLED_BACK)])
def test_only_the_objective_that_asks_for_it_rolls_back(
    value: float, outcome: Outcome | None
) -> None:
    document = bundle().experiment.model_dump(mode="json", by_alias=True)
    document["spec"]["criteria"]["objectives"] = [
        {"metric": "latency", "upperLimit": 200},
        {"metric": "latency", "upperLimit": 500, "rollback_on_failure": True},
    ]
    experiment = Experiment.model_validate(document)
    readings = {"default/latency": {"v1": Reading(100.0), "v2": Reading(value)},
                "default/r": {"v1": Reading(1.0), "v2": Reading(2.0)}}  # fmt: skip
    rules: Any = settings(Policy(name="iter8"))
    seen = Observation(1, 10, {"v1": 100, "v2": 0}, readings, {}, 1.0)

    assert decide(experiment, rules, seen, {})[0].outcome is outcome


def test_the_deadline_leaves_what_models_may_take_to_start() -> None:
    def deadline(ready: str | None) -> int:
        whole = bundle().model_copy(update={"ready_timeout": ready})
        return int(workflow(whole).to_dict()["spec"]["activeDeadlineSeconds"])

    assert deadline("30m") - deadline(None) == 2 * 1800


def metric(value: str) -> Metric:
    return Metric.model_validate({
        "apiVersion": "iter8.tools/v2alpha2", "kind": "Metric", "metadata": {"name": "m"},
        "spec": {"secret": "s", "headerTemplates": [{"name": "Api-Key", "value": value}]},
    })  # fmt: skip


def test_a_key_of_a_secret_may_have_hyphens_and_one_that_is_missing_is_named() -> None:
    assert headers_of(metric("Bearer ${api-key}"), {"api-key": "x"}) == {"Api-Key": "Bearer x"}
    with pytest.raises(SpecError, match="header Api-Key: api-key is no key of secret s"):
        headers_of(metric("${api-key}"), {"apikey": "x"})


class Answer:
    def __init__(self, status: int) -> None:
        self.status = status

    async def __aenter__(self) -> Answer:
        return self

    async def __aexit__(self, *exception: object) -> None:
        return

    async def read(self) -> bytes:
        return b""


class Session:
    def __init__(self, status: int) -> None:
        self.status = status

    def post(self, url: str, **more: Any) -> Answer:
        return Answer(self.status)


@pytest.mark.parametrize(
    ("status", "text", "counts"),
    [
        (200, b"{}", {"rewards.v2": 1}),
        (404, b"{}", {"reward-errors.404": 1}),
        (200, b"<html>", {"unrewarded.v2": 1}),
    ],
)
def test_only_a_reward_that_was_received_is_counted(
    status: int, text: bytes, counts: Mapping[str, int]
) -> None:
    given = {"url": "http://gw", "payload": "", "headers": {}, "header": "version", "qps": 1,
             "rewards": {}, "feedback_urls": {}, "feedback_url": "http://gw/feedback"}  # fmt: skip
    load = Feedback(given, None)
    session: Any = Session(status)

    asyncio.run(load._reward(session, "v2", text))

    assert dict(load.counts) == counts
