from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from crossfade import Rollout
from crossfade.compiler.transport import encode
from crossfade.errors import SpecError
from crossfade.spec.rollout import Bundle, FeedbackLoad, JobLoad

EXAMPLE = Path(__file__).resolve().parents[2] / "workflows" / "examples" / "iris"


def test_a_rollout_gives_hera_s_objects_and_yaml() -> None:
    rollout = Rollout.load(EXAMPLE / "rollout.yaml")

    assert rollout.findings == ()
    assert rollout.workflow().to_dict()["kind"] == "Workflow"
    assert rollout.workflow_template().to_dict()["kind"] == "WorkflowTemplate"
    assert rollout.cron_workflow("0 2 * * *").to_dict()["spec"]["schedules"] == ["0 2 * * *"]
    assert rollout.yaml() == (EXAMPLE / "workflow.yaml").read_text()


def test_a_rollout_made_of_a_bundle_is_linted_too() -> None:
    bundle = Rollout.load(EXAMPLE).bundle

    assert Rollout.of(bundle).findings == ()


def test_what_does_not_load_is_refused_with_every_finding() -> None:
    with pytest.raises(SpecError, match="6 error") as error:
        Rollout.load(EXAMPLE.parents[2] / "tests" / "data" / "documents" / "unknown-fields.yaml")

    assert len(error.value.findings) == 6


def test_settings_of_a_loaded_rollout_can_be_others() -> None:
    rollout = Rollout.load(EXAMPLE).using(image="registry/steps@sha256:1", loop="pod")

    assert rollout.bundle.image == "registry/steps@sha256:1"
    assert rollout.bundle.loop == "pod"


def test_a_setting_that_there_is_not_is_named() -> None:
    with pytest.raises(SpecError, match="colour"):
        Rollout.load(EXAMPLE).using(colour="red")


def stated(folder: Path, **more: Any) -> Rollout:
    return Rollout(**{
        "name": "iris", "namespace": "default", "experiment": folder / "experiment.yaml",
        "metrics": [folder / "metrics.yaml"],
        "deploy": [str(folder / name) for name in ("baseline.yaml", "candidate.yaml",
                                                   "routing-rule.yaml")],
        "load": [{"feedback": {"url": "http://gateway/api/v1.0/predictions", "qps": 50,
                               "headers": {"Host": "iris.example.com"},
                               "payload": '{"data": {"ndarray": [[6.8, 2.8, 4.8, 1.4]]}}',
                               "rewards": {"iris-v1": 0.5, "iris-v2": 0.8}}}],
        "promote": {v: folder / f"promote-{v[-2:]}.yaml" for v in ("iris-v1", "iris-v2")},
        "policy": {"name": "evidence"},
        "prometheus": {"url": "http://prometheus.monitoring.svc.cluster.local:9090",
                       "scrape_interval": 2},
        **more,
    })  # fmt: skip


def test_any_text_may_be_in_the_keys_of_a_rollout() -> None:
    text = '{"text": "\U0001f600\u00e9"}'
    load = [{"feedback": {"url": "http://g/predict", "payload": text, "qps": 5,
                          "rewards": {"iris-v1": 0.5, "iris-v2": 0.6}}}]  # fmt: skip

    [found] = stated(EXAMPLE, load=load).bundle.load

    assert isinstance(found, FeedbackLoad)
    assert found.payload == text


def test_a_rollout_made_of_keys_is_the_one_of_a_file() -> None:
    assert stated(EXAMPLE).yaml() == Rollout.load(EXAMPLE).yaml()


def test_keys_may_be_objects_and_are_written_as_python_has_them() -> None:
    experiment = Rollout.load(EXAMPLE).bundle.experiment

    rollout = stated(EXAMPLE, experiment=experiment, service_account="ml", ready_timeout="9m")

    assert rollout.bundle.experiment == experiment
    assert (rollout.bundle.service_account, rollout.bundle.ready_timeout) == ("ml", "9m")


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"colour": "red"}, "colour"),
        ({"metrics": ["no.yaml"]}, "error file: no.yaml cannot be read"),
        ({"experiment": 7}, "experiment"),
        ({"namespace": "A B"}, "A B"),
    ],
)
def test_keys_that_are_wrong_are_refused_with_their_findings(more: Any, told: str) -> None:
    with pytest.raises(SpecError, match=told) as error:
        stated(EXAMPLE, **more)

    assert error.value.findings


def test_a_rollout_is_made_of_a_bundle_or_of_keys() -> None:
    for made in (Rollout, lambda: Rollout(example(), image="i")):
        with pytest.raises(TypeError, match="a bundle, or keys"):
            made()


SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"a": "dDBw"}}
LISTED = {"apiVersion": "v1", "kind": "List", "metadata": {"name": "l"}, "items": [SECRET]}
SECRETS = {"apiVersion": "v1", "kind": "SecretList", "metadata": {"name": "l"}, "items": [SECRET]}


def example() -> Bundle:
    return Rollout.load(EXAMPLE).bundle


def with_manifest(bundle: Bundle, place: str, manifest: dict[str, Any]) -> Bundle:
    changes: dict[str, Any] = {
        "deploy": {"deploy": (*bundle.deploy, manifest)},
        "promote": {"promote": {**bundle.promote, "iris-v1": (manifest,)}},
        "load": {"load": (*bundle.load, JobLoad(jobs=(manifest,)))},
    }[place]
    return bundle.model_copy(update=changes)


@pytest.mark.parametrize("place", ["deploy", "promote", "load"])
@pytest.mark.parametrize("manifest", [SECRET, LISTED, SECRETS])
def test_a_secret_in_a_bundle_made_in_python_is_refused_twice(
    place: str, manifest: dict[str, Any]
) -> None:
    """By lint, and by what writes the workflow, for who has not linted."""
    bundle = with_manifest(example(), place, manifest)

    with pytest.raises(SpecError, match="error Secret: Secret"):
        Rollout.of(bundle)
    with pytest.raises(SpecError, match="would be written into the workflow"):
        encode(bundle)
    with pytest.raises(SpecError, match="Secret"):
        Rollout(bundle).yaml()


def test_other_settings_do_not_let_a_secret_pass() -> None:
    bundle = with_manifest(example(), "deploy", SECRET)

    with pytest.raises(SpecError, match="error Secret"):
        Rollout(bundle).using(loop="pod")


def test_manifests_made_in_python_are_judged_like_files() -> None:
    bundle = example()
    route = copy.deepcopy(next(m for m in bundle.deploy if m["kind"] == "VirtualService"))
    route["spec"]["http"][0]["route"] = route["spec"]["http"][0]["route"][:1]
    others = tuple(m for m in bundle.deploy if m["kind"] != "VirtualService")

    with pytest.raises(SpecError, match="error Route"):
        Rollout.of(bundle.model_copy(update={"deploy": (*others, route)}))
    with pytest.raises(SpecError, match="apiVersion and kind missing"):
        Rollout.of(with_manifest(bundle, "deploy", {"a": 1}))


def test_a_limit_that_is_said_is_kept_to_on_a_cluster_as_here() -> None:
    """It is the default's: left out, the raise would be as large as the policy likes."""
    rollout = Rollout.load(EXAMPLE)
    spec = rollout.bundle.experiment.model_dump(mode="json", by_alias=True, exclude_unset=True)
    spec["spec"]["strategy"]["weights"] = {"maxCandidateWeightIncrement": 10}

    bundle = Bundle.from_json(rollout.using(experiment=spec).bundle.to_json())

    said = bundle.experiment.spec.strategy.weights.model_fields_set
    assert said == {"max_candidate_weight_increment"}
