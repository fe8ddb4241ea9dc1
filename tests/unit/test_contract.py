from pathlib import Path

import pytest

from crossfade.contract import STEPS, Step
from crossfade_steps.__main__ import main, parser, write


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_every_step_of_the_contract_has_an_entry_point_with_its_flags(step: Step) -> None:
    words = [word for name in step.inputs for word in (f"--{name}", f"value of {name}")]

    arguments = vars(parser().parse_args([step.name, *words]))

    assert arguments.pop("step") == step.name
    assert arguments == {name: f"value of {name}" for name in step.inputs}


def test_a_step_without_its_inputs_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["evaluate", "--run", "x"])

    assert end.value.code == 2
    assert "--bundle" in capsys.readouterr().err


def test_a_step_that_cannot_run_here_says_so_and_is_not_retried(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", "nowhere")

    assert main(["finish", "--run", "x", "--uid", "u", "--bundle", "y"]) == 2
    assert "no cluster to talk to" in capsys.readouterr().err


def test_every_output_has_a_default() -> None:
    with pytest.raises(ValueError, match="one default for each output"):
        Step("x", outputs=("a",))


def test_the_reason_of_a_failure_is_left_where_argo_shows_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "termination-log"
    told.touch()
    monkeypatch.setenv("KUBECONFIG", "nowhere {{workflow.name}}")
    monkeypatch.setenv("CROSSFADE_TERMINATION_LOG", str(told))

    main(["finish", "--run", "x", "--uid", "u", "--bundle", "y"])

    assert "no cluster to talk to" in told.read_text()
    assert "{{" not in told.read_text()


@pytest.mark.parametrize("text", ["{{=1}}", "{{{=1}}}", "{{{{=1}}}}", "{ {{x"])
def test_no_output_is_a_template_to_argo(tmp_path: Path, text: str) -> None:
    write({"summary": text}, tmp_path)

    written = (tmp_path / "summary").read_text()
    assert "{{" not in written
    assert written.replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize("step", ["check", "finish"])
def test_a_workflow_of_an_earlier_version_still_comes_to_its_end(step: str) -> None:
    arguments = parser().parse_args([step, "--run", "x", "--bundle", "y"])

    assert arguments.uid == ""
