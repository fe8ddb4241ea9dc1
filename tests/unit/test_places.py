"""Each finding stands where its cause is written, and nothing that follows from it is told of."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from crossfade.cli.loading import read
from crossfade.errors import Finding

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def example(tmp_path: Path) -> Path:
    folder = tmp_path / "iris"
    shutil.copytree(ROOT / "workflows" / "examples" / "iris", folder)
    return folder


def change(folder: Path, name: str, old: str, new: str) -> int:
    """Replace the first such text of a file, and return its line."""
    path = folder / f"{name}.yaml"
    before, old, after = path.read_text().partition(old)
    assert old
    path.write_text(before + new + after)
    return before.count("\n") + 1


def told(folder: Path, policy: str | None = None) -> list[Finding]:
    return list(read([folder], policy=policy).findings)


def place(finding: Finding) -> tuple[str, int, str]:
    return Path(finding.file).stem, finding.line, finding.field


@pytest.mark.parametrize(
    ("policy", "field", "message"),
    [
        ("{name: evidence, alpha: 5}", "alpha", "alpha: input should be less than 0.5"),
        ("{name: evidance}", "name", "'evidance' is not known"),
    ],
)
def test_a_policy_s_setting_is_told_where_the_rollout_writes_it(
    example: Path, policy: str, field: str, message: str
) -> None:
    line = change(example, "rollout", "{name: evidence}", policy)

    [finding] = told(example)

    assert place(finding) == ("rollout", line, f"spec.policy.{field}")
    assert message in finding.message


def test_a_policy_that_only_a_command_names_is_in_no_file(example: Path) -> None:
    [finding] = told(example, "evidance")

    assert finding.where == ""
    assert finding.hint == "did you mean evidence"


@pytest.mark.parametrize("written", [True, False])
def test_what_a_policy_may_do_has_a_line(example: Path, written: bool) -> None:
    line = change(example, "rollout", "{name: evidence}", "{name: iter8}") if written else 0

    found = {f.rule: place(f) for f in told(example, "iter8") if f.rule in ("V9", "V26", "D30")}

    where = ("rollout", line, "spec.policy") if written else ("experiment", 8, "spec.strategy")
    assert found == {rule: where for rule in ("V9", "V26", "D30")}


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("experiment", "spec.experiment"),
        ("metrics", "spec.metrics[0]"),
        ("candidate", "spec.deploy[1]"),
        ("promote-v2", "spec.promote.iris-v2"),
    ],
)
def test_a_file_that_is_not_there_is_told_where_it_is_named(
    example: Path, name: str, field: str
) -> None:
    path = example / "rollout.yaml"
    path.write_text(path.read_text().replace(f"{name}.yaml", f"{name}x.yaml"))
    line = line_of(example, f"{name}x.yaml")

    [finding] = told(example)

    assert place(finding) == ("rollout", line, field)
    assert finding.message == f"{name}x.yaml cannot be read: there is no such file"
    assert finding.hint == f"did you mean {name}.yaml"


def line_of(folder: Path, text: str) -> int:
    lines = (folder / "rollout.yaml").read_text().splitlines()
    return next((i for i, line in enumerate(lines, start=1) if text in line), 0)


def test_a_metric_that_is_not_defined_is_told_where_it_is_asked_for(example: Path) -> None:
    line = change(example, "experiment", "metric: user-engagement", "metric: user-engagment")
    size = change(example, "metrics", "sampleSize: request-count", "sampleSize: request-counts")

    found = [place(f) for f in told(example)]

    assert found == [
        ("experiment", line, "spec.criteria.rewards[0].metric"),
        ("metrics", size, "spec.sampleSize"),
    ]


def test_a_metric_that_is_wrong_is_not_said_to_be_missing(example: Path) -> None:
    change(
        example, "metrics", "  provider: prometheus", "  authType: Digest\n  provider: prometheus"
    )

    [finding] = told(example)

    assert finding.field == "spec.authType"


def test_a_variable_that_is_misspelt_is_all_that_is_told(example: Path) -> None:
    path = example / "metrics.yaml"
    text = path.read_text()
    for name in ("sid", "ns", "predictor"):
        text = text.replace(f"'${name}'", f"'${name}x'")
    path.write_text(text)

    assert {f.rule for f in told(example)} == {"C10"}
