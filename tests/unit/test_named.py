"""Names in the files that are of nothing there is, or of two things at once."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from crossfade.cli.loading import read
from crossfade.cli.rights import run as print_rights
from crossfade.errors import Finding, SpecError

ROOT = Path(__file__).resolve().parents[2]
OLD, NEW = "networking.istio.io/v1", "networking.istio.com/v1"


@pytest.fixture
def example(tmp_path: Path) -> Path:
    folder = tmp_path / "iris"
    shutil.copytree(ROOT / "workflows" / "examples" / "iris", folder)
    return folder


def found(folder: Path, rule: str, policy: str | None = None) -> list[Finding]:
    return [f for f in read([folder], policy=policy).findings if f.rule == rule]


def change(folder: Path, name: str, old: str, new: str) -> None:
    path = folder / f"{name}.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def line_of(folder: Path, name: str, text: str) -> int:
    lines = (folder / f"{name}.yaml").read_text().splitlines()
    return next(i for i, line in enumerate(lines, start=1) if text in line)


def shown(finding: Finding) -> tuple[str, int]:
    return Path(finding.file).stem, finding.line


def test_a_promotion_of_a_misspelt_version_is_an_error(example: Path) -> None:
    assert found(example, "Versions") == []

    change(example, "rollout", "iris-v2: promote", "iris_v2: promote")

    [finding] = found(example, "Versions")
    assert shown(finding) == ("rollout", line_of(example, "rollout", "iris_v2: promote"))
    assert "promote names iris_v2, the versions are iris-v1, iris-v2" in finding.message
    assert "did you mean iris-v2" in finding.message


def test_objects_of_a_misspelt_version_are_an_error(example: Path) -> None:
    objects = "  versions: {iris-v3: {objects: [SeldonDeployment/ns-baseline/iris]}}\n"
    change(example, "rollout", "  promote:\n", f"{objects}  promote:\n")

    [finding] = found(example, "Versions")
    assert "versions names iris-v3" in finding.message


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (OLD, NEW, "unsupported group networking.istio.com of VirtualService"),
        ("kind: VirtualService", "kind: VirtualServices", "did you mean VirtualService"),
    ],
)
def test_a_kind_that_holds_no_weights_is_an_error_also_where_it_is_not_deployed(
    example: Path, old: str, new: str, message: str
) -> None:
    change(example, "rollout", ", routing-rule.yaml]", "]")
    assert found(example, "Kind") == []

    change(example, "experiment", old, new)

    first, second = found(example, "Kind")
    assert shown(first) == ("experiment", line_of(example, "experiment", "weightObjRef"))
    assert message in first.message
    assert second.line > first.line
    with pytest.raises(SpecError):
        print_rights([example], [], None)


def test_a_routing_object_that_nobody_refers_to_is_told_of(example: Path) -> None:
    assert found(example, "Nobody") == []

    change(example, "routing-rule", "namespace: default", "namespace: istio")

    [finding] = found(example, "Nobody")
    assert shown(finding)[0] == "routing-rule"
    assert finding.message == (
        "VirtualService istio/routing-rule is nobody's; versions refer to default/routing-rule"
    )


def test_another_routing_object_beside_the_one_referred_to_is_somebody_s(example: Path) -> None:
    other: dict[str, Any] = yaml.safe_load((example / "routing-rule.yaml").read_text())
    other["metadata"]["name"] = "testers"
    (example / "testers.yaml").write_text(yaml.safe_dump(other))
    change(example, "rollout", "routing-rule.yaml]", "routing-rule.yaml, testers.yaml]")

    assert found(example, "Nobody") == []


def appended(folder: Path, name: str, edit: Any = None) -> None:
    """Write the file's last document a second time, changed by ``edit``."""
    path = folder / f"{name}.yaml"
    documents = list(yaml.safe_load_all(path.read_text()))
    again = yaml.safe_load(yaml.safe_dump(documents[-1]))
    if edit is not None:
        edit(again["spec"])
    path.write_text(f"{path.read_text()}\n---\n{yaml.safe_dump(again)}")


@pytest.mark.parametrize(
    ("file", "name", "edit"),
    [
        ("metrics", "metric default/user-engagement", lambda spec: spec.update(units="none")),
        ("candidate", "SeldonDeployment/ns-candidate/iris", lambda spec: spec.update(name="x")),
    ],
)
def test_two_definitions_of_one_name_are_an_error_and_two_equal_ones_a_warning(
    example: Path, file: str, name: str, edit: Any
) -> None:
    assert found(example, "Twice") + found(example, "Again") == []

    appended(example, file)
    [same] = found(example, "Again")
    assert found(example, "Twice") == []
    appended(example, file, edit)
    [other] = found(example, "Twice")

    first = line_of(example, file, name.rpartition("/")[2])
    for finding in (same, other):
        assert Path(finding.file).stem == file
        assert finding.line > first
        assert finding.message.startswith(f"{name} is defined in {example / file}.yaml:{first}")


def test_a_library_of_metrics_may_say_twice_what_nobody_asks_for(example: Path) -> None:
    for units in ("none", "seconds"):
        appended(example, "metrics", lambda spec, units=units: spec.update(units=units))
    path = example / "metrics.yaml"
    head, *last = path.read_text().rsplit("user-engagement", 2)
    path.write_text(head + "unused".join(["", *last]))

    assert found(example, "Twice") == []


def test_a_file_that_is_named_twice_is_told_of(example: Path) -> None:
    change(example, "rollout", "deploy: [", "deploy: [candidate.yaml, ")

    assert {f.message for f in found(example, "Again")} == {
        "SeldonDeployment/ns-candidate/iris is defined twice",
    }


def test_what_is_promoted_may_be_what_is_deployed(example: Path) -> None:
    shutil.copy(example / "routing-rule.yaml", example / "promote-v1.yaml")

    assert found(example, "Again") == []


def test_a_variable_with_two_values_is_an_error(example: Path) -> None:
    line = "      - {name: ns, value: ns-candidate}\n"
    change(example, "experiment", line, line + line.replace("candidate", "other"))

    [finding] = found(example, "Twice")

    first = line_of(example, "experiment", "ns-candidate")
    assert shown(finding) == ("experiment", first + 1)
    assert finding.message == f"variable ns of iris-v2 is defined in line {first}, too"


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("CandidteWon()", "finish[0].if asks for CandidteWon(), which is no condition"),
        ("not (WinnerFound() and CandidateWon())", ""),
        ("len(Spec.VersionInfo.Candidates) == 1", ""),
    ],
)
def test_a_condition_that_there_is_not_is_told_of(
    example: Path, condition: str, message: str
) -> None:
    actions = f'    actions: {{finish: [{{if: "{condition}", task: notification/http}}]}}\n'
    pattern = "    testingPattern: A/B\n"
    change(example, "experiment", pattern, pattern + actions)

    assert [f.message for f in found(example, "task")] == ([message] if message else [])


def test_a_promotion_that_nothing_can_prove_is_told_of(example: Path) -> None:
    assert found(example, "Verify") == []

    rollout = yaml.safe_load((example / "rollout.yaml").read_text())
    del rollout["spec"]["load"]
    (example / "rollout.yaml").write_text(yaml.safe_dump(rollout))

    [finding] = found(example, "Verify")
    assert shown(finding) == ("rollout", line_of(example, "rollout", "promote:"))
    del rollout["spec"]["promote"]
    (example / "rollout.yaml").write_text(yaml.safe_dump(rollout))
    assert found(example, "Verify") == []


def test_rights_are_printed_for_the_policy_that_is_asked_for(
    example: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    counts = "(sum(increase(seldon_api_executor_server_requests_seconds_count{service="
    change(example, "metrics", f"/ {counts}'predictions',code=~'2..'", f"* {counts}'predictions'")
    with pytest.raises(SpecError):
        print_rights([example], [], None)

    print_rights([example], [], "iter8")

    assert "kind: Role" in capsys.readouterr().out
