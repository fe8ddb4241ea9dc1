from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

import crossfade
from crossfade import record
from crossfade.cli.app import main
from crossfade.cli.loading import bundle_of, read
from crossfade.cli.output import show_accepted
from crossfade.lint import accepted
from crossfade.spec.rollout import Policy

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = str(ROOT / "workflows" / "examples" / "iris")


def call(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["crossfade", *words])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


def test_the_version_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "--version") == 0
    assert capsys.readouterr().out.strip() == crossfade.__version__


def test_lint_of_the_example_finds_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "lint", EXAMPLE) == 0
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "no findings\n")


def test_lint_prints_findings_to_stdout_and_exits_with_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(ROOT / "tests" / "data" / "documents" / "unknown-fields.yaml")

    assert call(monkeypatch, "lint", file) == 2
    captured = capsys.readouterr()
    assert "unknown-fields.yaml:7 spec.duration.maxIterations: error field" in captured.out
    assert "6 errors, 0 warnings" in captured.err


def test_lint_prints_json_for_programs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(ROOT / "tests" / "data" / "documents" / "no-kind.yaml")

    assert call(monkeypatch, "lint", "--json", file) == 2
    [finding] = json.loads(capsys.readouterr().out)
    assert (finding["severity"], finding["line"]) == ("error", 1)


def test_compile_prints_the_workflow_and_nothing_else_to_stdout(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "compile", EXAMPLE) == 0
    golden = (Path(EXAMPLE) / "workflow.yaml").read_text()
    assert capsys.readouterr().out == golden


@pytest.mark.parametrize(("words", "code"), [(("lint",), 2), (("compile",), 2),
                                           (("compile", "--loop", "pod"), 0)])  # fmt: skip
def test_what_nodes_cannot_do_is_told_and_done_in_a_pod(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path,
    words: tuple[str, ...], code: int,
) -> None:  # fmt: skip
    folder = tmp_path / "iris"
    shutil.copytree(EXAMPLE, folder)
    file = folder / "experiment.yaml"
    file.write_text(file.read_text().replace("iterationsPerLoop: 15", "iterationsPerLoop: 91"))

    assert call(monkeypatch, *words, str(folder)) == code
    captured = capsys.readouterr()
    assert "91 iterations with loop: nodes, expected at most 90" in captured.out + captured.err


@pytest.mark.parametrize(
    ("words", "text"),
    [
        pytest.param(("compile", EXAMPLE, "--policy", "bandit"), "policy 'bandit'", id="policy"),
        pytest.param(("compile", EXAMPLE, "--loop", "dag"), "expected nodes or pod", id="loop"),
        pytest.param(("lint", EXAMPLE, "--set", "X"), "expected NAME=VALUE", id="set"),
        pytest.param(("run", "no/such/file.yaml"), "cannot be read", id="file"),
        pytest.param(("describe", "no/such.jsonl"), "no such record", id="record"),
        pytest.param(("replay", "--folder", "no/such"), "no run recorded here", id="folder"),
        pytest.param(
            ("assert", "x", "--outcome", "kept", "--timeout", "soon"), "'soon'", id="time"
        ),
        pytest.param(
            ("compile", EXAMPLE, "--kind", "cron", "--schedule", "2 o'clock"),
            "2 fields, expected 5",
            id="schedule",
        ),
    ],
)
def test_what_is_wrong_is_one_message_on_stderr_and_exit_code_2(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    text: str,
) -> None:
    assert call(monkeypatch, *words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert text in captured.err
    assert "Traceback" not in captured.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("plan", EXAMPLE, "--rps", "0"), "0, expected more than 0"),
        (("plan", EXAMPLE, "--rps", "inf"), "'inf', expected a number"),
        (("plan", EXAMPLE, "--reward", "3"), "3, expected 0 to 1"),
        (("simulate", EXAMPLE, "--reward-lift", "nan"), "'nan', expected a number"),
        (("simulate", EXAMPLE, "--reward-lift", "-3"), "-3, expected -1 to 100"),
        (("simulate", EXAMPLE, "--candidate-error-rate", "7"), "7, expected 0 to 1"),
        (("simulate", EXAMPLE, "--seed", "-1"), "greater than or equal to 0"),
        (("compile", EXAMPLE, "--image", "{{=1}}"), "'{{=1}}', expected an image"),
        (("steering", "--image", "steps:1", "-n", "A B"), "'A B', expected a namespace"),
    ],
)
def test_an_option_out_of_its_limits_is_refused_with_them(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    told: str,
) -> None:
    assert call(monkeypatch, *words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert told in captured.err


def test_a_folder_that_cannot_be_made_is_said_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "run", EXAMPLE, "--folder", "/dev/null/state") == 2
    assert "error: --folder: /dev/null/state/runs/" in capsys.readouterr().err


def test_a_page_that_cannot_be_written_is_an_error_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "simulate", EXAMPLE, "--runs", "1", "--plot", "/dev/null/page") == 2
    assert "error: /dev/null/page: cannot be written" in capsys.readouterr().err


def test_a_record_that_was_cut_short_is_still_described(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    loaded = crossfade.Rollout.load(EXAMPLE)
    whole = record.canonical(record.header("run-1", loaded.bundle, 1.0))
    file = tmp_path / "record.jsonl"
    file.write_text(whole + "\n" + whole[:40])

    assert call(monkeypatch, "describe", str(file)) == 0
    assert "Run: run-1" in capsys.readouterr().out


def test_describe_prints_json_for_programs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    loaded = crossfade.Rollout.load(EXAMPLE)
    file = tmp_path / "record.jsonl"
    file.write_text(record.canonical(record.header("run-1", loaded.bundle, 1.0)) + "\n")

    assert call(monkeypatch, "describe", "--json", str(file)) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["run"], told["iterations"], told["outcome"]) == ("run-1", 0, None)


@pytest.mark.parametrize(("rps", "code"), [("50", 0), ("3", 1)])
def test_plan_prints_json_for_programs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], rps: str, code: int
) -> None:
    assert call(monkeypatch, "plan", "--json", "--rps", rps, EXAMPLE) == code
    told = json.loads(capsys.readouterr().out)
    assert told["requests_per_second"] == float(rps)
    assert told["enough"] is (code == 0)
    assert (told["enough_iterations"] is None) is (code == 0)
    assert told["candidates"][0]["promoted_at"] is None  # 2 % better
    assert {limit["metric"] for limit in told["candidates"][0]["limits"]} == {
        "default/mean-latency", "default/95th-percentile-tail-latency", "default/error-rate",
    }  # fmt: skip


@pytest.mark.parametrize("content", ["", "[]\n[]\n", "nonsense\n{}\n", '{"type": "x"}\n'])
def test_a_file_that_is_no_record_is_refused(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    content: str,
) -> None:
    file = tmp_path / "record.jsonl"
    file.write_text(content)

    assert call(monkeypatch, "describe", str(file)) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_what_a_rollout_accepts_of_its_policy_is_said_when_it_starts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    policy = Policy.model_validate({"name": "iter8", "accept": ["V9", "V26", "D30"]})
    bundle = bundle_of(read([Path(EXAMPLE)])).model_copy(update={"policy": policy})

    show_accepted(accepted(bundle))

    told = [text.split(": ")[1] for text in capsys.readouterr().err.splitlines()]
    assert told == ["V9", "D30", "V26"]
