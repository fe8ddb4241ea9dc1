from pathlib import Path

import pytest

from crossfade import Rollout
from crossfade.errors import SpecError

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
