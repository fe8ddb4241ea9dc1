"""Pages that could go stale are generated or tried here."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from crossfade.cli.app import app
from crossfade.evidence.rules import Rules
from crossfade.lint.page import NOT_FROM_A_FILE, page
from crossfade.spec.rollout import RolloutSpec
from crossfade.verdict import Outcome

ROOT = Path(__file__).resolve().parents[2]


def test_the_lint_page_is_what_the_rules_say() -> None:
    path = ROOT / "docs" / "lint.md"
    if os.environ.get("CROSSFADE_GOLDEN"):
        path.write_text(page())
    assert path.read_text() == page(), "make docs"


def test_the_lint_page_accounts_for_every_defect() -> None:
    named = set(re.findall(r"^\| (D\d+) \|", page(), re.MULTILINE))

    assert named == {f"D{i}" for i in range(1, 31)}
    assert set(NOT_FROM_A_FILE) <= named


def test_the_dependency_table_is_the_project_s() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {re.split(r"[\[><=]", d)[0] for d in project["dependencies"]}
    for extra in project["optional-dependencies"].values():
        wanted |= {re.split(r"[\[><=]", d)[0] for d in extra}
    readme = (ROOT / "README.md").read_text()
    table = readme[readme.index("## Dependencies") :]

    assert set(re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)) == wanted


def loaded(path: str, name: str) -> Any:
    """Return a script of bench/ as a module, with what stands beside it."""
    file = ROOT / "bench" / path
    sys.path.insert(0, str(file.parent))
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("path", "command"),
    [
        ("chaos/table.py", "python bench/chaos page"),
        ("trials.py", "python bench/trials.py page"),
        ("faults.py", "python bench/faults.py page"),
    ],
)
def test_a_page_is_what_its_results_say(path: str, command: str) -> None:
    module = loaded(path, path.replace("/", "_").removesuffix(".py"))

    assert module.PAGE.read_text() == module.page(), command


def test_every_fault_has_tests_that_exist_and_one_naive_variant_each() -> None:
    faults = loaded("faults.py", "faults_py").faults()

    assert len({fault["id"] for fault in faults}) == len(faults) == 58
    for fault in faults:
        assert set(fault["naive"]) == {"file", "old", "new"}
        for test in fault["tests"]:
            file, _, name = test.partition("::")
            text = (ROOT / file).read_text()
            assert not name or f"def {name}(" in text, test


def test_every_naive_variant_changes_one_place_that_is_there() -> None:
    """A fault that nobody can make naive any more has not been seen to fail."""
    for fault in yaml.safe_load((ROOT / "tests" / "faults.yaml").read_text()):
        naive = {key: text.replace("\\n", "\n") for key, text in fault["naive"].items()}
        assert (ROOT / naive["file"]).read_text().count(naive["old"]) == 1, fault["id"]


def test_the_measured_page_is_what_was_measured() -> None:
    sys.path.insert(0, str(ROOT / "bench" / "cluster"))
    import results

    assert results.PAGE.read_text() == results.page(), "python bench/cluster page"


def test_the_decisions_page_is_what_was_played() -> None:
    decisions = loaded("decisions/__main__.py", "decisions")

    assert decisions.PAGE.read_text() == decisions.page(), "python bench/decisions page"


def test_every_pinned_name_is_plain() -> None:
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        assert re.fullmatch(r"[A-Za-z0-9_.-]+==[A-Za-z0-9_.+!-]+", line), line


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "docs/policies.md"])
def test_files_that_a_page_names_exist(name: str) -> None:
    text = (ROOT / name).read_text()
    paths = re.findall(r"`((?:workflows|steps|tests|docs|images|scripts|bench)/[\w./-]+)`", text)

    assert [path for path in paths if not (ROOT / path.rstrip("/")).exists()] == []


def test_every_make_target_that_the_readme_names_exists() -> None:
    readme, makefile = (ROOT / "README.md").read_text(), (ROOT / "Makefile").read_text()

    for target in re.findall(r"`?make ([a-z][a-z-]*)", readme):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_readme_s_python_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    monkeypatch.chdir(ROOT)

    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})

    assert blocks
    assert capsys.readouterr().out.startswith('apiVersion: "argoproj.io/v1alpha1"')


def test_the_readme_s_rollout_has_the_keys_of_the_schema() -> None:

    [block] = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    keys = set(re.findall(r"^  (\w+):", block, re.MULTILINE)) - {"name"}

    assert keys <= {field.alias or name for name, field in RolloutSpec.model_fields.items()}


def test_the_readme_names_every_command() -> None:

    readme = (ROOT / "README.md").read_text()
    for command in app.registered_commands:
        name = command.name or getattr(command.callback, "__name__", "")
        assert f"crossfade {name}" in readme


def test_the_settings_of_the_policy_are_the_page_s() -> None:
    text = (ROOT / "docs" / "policies.md").read_text()
    table = text[text.index("| setting |") : text.index("## `iter8`")].strip()
    named = set(re.findall(r"`(\w+)`", "\n".join(row.split("|")[1] for row in table.splitlines())))

    assert named == set(Rules.model_fields)


def test_the_rollout_s_page_names_every_key() -> None:
    text = (ROOT / "docs" / "rollout.md").read_text()
    named = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)

    assert named == [field.alias or name for name, field in RolloutSpec.model_fields.items()]


def test_the_operating_page_names_every_outcome_and_how_argo_shows_it() -> None:
    text = (ROOT / "docs" / "operating.md").read_text()
    rows = re.findall(r"^\| `([\w-]+)` \|.*\| (\w+) \| (\d) \|$", text, re.MULTILINE)

    shown = {word: (phase, int(code)) for word, phase, code in rows}
    assert set(shown) == set(Outcome)
    for outcome in Outcome:
        assert shown[outcome] == (("Succeeded", 0) if outcome.is_decision else ("Failed", 3))
