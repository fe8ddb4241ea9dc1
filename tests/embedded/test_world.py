"""The embedded default with its real parts: one world for all tests of this file."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from crossfade.spec.loading import load
from crossfade_steps.embedded.world import World
from crossfade_steps.ports import ObjectKey
from crossfade_steps.routers.objects import ObjectRouter

pytestmark = pytest.mark.embedded
EXAMPLE = Path(__file__).resolve().parents[2] / "workflows" / "examples" / "iris"
PAYLOAD = '{"data": {"ndarray": [[6.8, 2.8, 4.8, 1.4]]}}'
HEADERS = {"Host": "iris.example.com"}
URL = "http://gateway/api/v1.0/predictions"
BASELINE = ObjectKey("machinelearning.seldon.io", "SeldonDeployment", "ns-baseline", "iris")


def until(check: Any, seconds: float = 60.0) -> None:
    """Wait until a check gives something true."""
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    loaded = load([EXAMPLE])
    assert loaded.bundle is not None
    folder = Path(os.path.relpath(tmp_path_factory.mktemp("world")))  # as `crossfade run` has it
    with World(folder, {}) as made:
        for manifest in loaded.bundle.deploy:
            made.objects.apply(manifest)
        candidate = ObjectKey(BASELINE.group, BASELINE.kind, "ns-candidate", "iris")
        until(lambda: made.pending(BASELINE) is None and made.pending(candidate) is None)
        yield made


@pytest.fixture
def router(world: World) -> Iterator[ObjectRouter]:
    loaded = load([EXAMPLE])
    assert loaded.bundle is not None
    made = ObjectRouter(loaded.bundle.experiment, world.objects)
    yield made
    made.write(made.read(), {"iris-v1": 100, "iris-v2": 0})


def answers(world: World, count: int) -> Counter[str]:
    seen: Counter[str] = Counter()
    for _ in range(count):
        response = world.send(URL, PAYLOAD, HEADERS)
        assert response.status == 200
        seen[response.headers["version"]] += 1
    return seen


def test_answers_come_from_the_versions_by_their_weights(
    world: World, router: ObjectRouter
) -> None:
    assert set(answers(world, 20)) == {"iris-v1"}

    router.write(router.read(), {"iris-v1": 0, "iris-v2": 100})
    until(lambda: set(answers(world, 5)) == {"iris-v2"}, 5)
    assert set(answers(world, 20)) == {"iris-v2"}

    router.write(router.read(), {"iris-v1": 50, "iris-v2": 50})
    until(lambda: len(answers(world, 10)) == 2, 5)
    split = answers(world, 400)
    assert 140 < split["iris-v2"] < 260  # 6 standard deviations around 200


def test_an_answer_names_the_model_that_gave_it(world: World) -> None:
    body = json.loads(world.send(URL, PAYLOAD, HEADERS).body)

    assert "sklearnserver" in body["meta"]["requestPath"]["classifier"]
    assert len(body["data"]["ndarray"][0]) == 3


def test_error_codes_are_those_of_the_real_servers(world: World, router: ObjectRouter) -> None:
    wrong = '{"data": {"ndarray": [[1, 2]]}}'
    base = "http://iris-default.ns-{}.svc.cluster.local:8000/api/v1.0/predictions"

    sklearn = world.send(base.format("baseline"), wrong, {})
    xgboost = world.send(base.format("candidate"), wrong, {})

    assert (sklearn.status, xgboost.status) == (400, 500)
    assert json.loads(xgboost.body)["status"]["reason"] == "MICROSERVICE_INTERNAL_ERROR"


def test_seldon_s_prefix_reaches_a_deployment_for_any_host(world: World) -> None:
    url = "http://gateway/seldon/ns-candidate/iris/api/v1.0/feedback"

    assert world.send(url, '{"reward": 1}', {}).status == 200


def test_metrics_carry_the_executor_s_names_and_the_cluster_s_labels(world: World) -> None:
    answers(world, 1)
    query = (
        "seldon_api_executor_server_requests_seconds_count{service='predictions',code='200',"
        "namespace='ns-baseline',seldon_deployment_id='iris',predictor_name='default'}"
    )

    def seen() -> bool:
        url = f"{world.monitoring.url}/api/v1/query?query={query}"
        return bool(json.loads(world.send(url, None, {}).body)["data"]["result"])

    until(seen, 15)


def test_a_changed_deployment_answers_from_the_old_copy_until_the_new_one_is_ready(
    world: World,
) -> None:
    documents = list(yaml.safe_load_all((EXAMPLE / "promote-v2.yaml").read_text()))
    before = next(yaml.safe_load_all((EXAMPLE / "baseline.yaml").read_text().split("---\n")[1]))

    world.objects.apply(documents[0])
    statuses, models = [], set()
    while world.pending(BASELINE) is not None or "xgboostserver" not in models:
        response = world.send(URL, PAYLOAD, HEADERS)
        statuses.append(response.status)
        image = json.loads(response.body)["meta"]["requestPath"]["classifier"]
        models.add(image.partition("/")[2].partition(":")[0])
    world.objects.apply(before)
    until(lambda: world.pending(BASELINE) is None)

    assert set(statuses) == {200}
    assert models == {"sklearnserver", "xgboostserver"}


def test_a_model_that_no_mirror_has_is_refused_with_the_reason(world: World) -> None:
    manifest = {
        "apiVersion": "machinelearning.seldon.io/v1",
        "kind": "SeldonDeployment",
        "metadata": {"name": "other", "namespace": "ns-x"},
        "spec": {"predictors": [{"name": "default", "graph": {
            "name": "c", "implementation": "SKLEARN_SERVER", "modelUri": "gs://b/none"}}]},
    }  # fmt: skip
    key = ObjectKey.of(world.objects.create(manifest))

    def told() -> bool:
        stored = world.objects.get(key) or {}
        return bool(stored.get("status", {}).get("state") == "Failed")

    until(told, 5)
    description = (world.objects.get(key) or {})["status"]["description"]
    world.objects.delete(key)
    assert "model gs://b/none: not in the local mirror" in description
