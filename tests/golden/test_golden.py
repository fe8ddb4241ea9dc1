"""Compiled workflows, byte for byte; CROSSFADE_GOLDEN=1 writes them anew, for review."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from crossfade.compiler import compile_text, steering_text
from crossfade.spec.loading import load

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[1] / "workflows" / "examples"
sys.path.insert(0, str(HERE))
from bundles import CASES  # noqa: E402  (a module beside this file)

GOLDENS = {f"{name}.yaml": HERE / f"{name}.yaml" for name in (*CASES, "steering")}
FOLDERS = [path.parent for path in sorted(EXAMPLES.glob("*/rollout.yaml"))]


def compared(text: str, golden: Path) -> None:
    if os.environ.get("CROSSFADE_GOLDEN"):
        golden.write_text(text)
    assert golden.exists(), f"{golden.name} is missing: CROSSFADE_GOLDEN=1 writes it"
    assert golden.read_text() == text


@pytest.mark.parametrize("name", CASES)
def test_a_bundle_compiles_to_its_golden_file(name: str) -> None:
    whole, options = CASES[name]

    compared(compile_text(whole, **options), GOLDENS[f"{name}.yaml"])


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_an_example_compiles_to_its_golden_file(folder: Path) -> None:
    loaded = load([folder / "rollout.yaml"])

    assert loaded.bundle is not None
    compared(compile_text(loaded.bundle), folder / "workflow.yaml")


def test_the_template_that_steers_runs_is_its_golden_file() -> None:
    compared(steering_text("crossfade-steps:0", "shop"), GOLDENS["steering.yaml"])


def argo() -> Path | None:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    named = os.environ.get("CROSSFADE_ARGO") or shutil.which("argo")
    path = Path(named) if named else cache / "crossfade" / "bin" / "argo"
    return path if path.exists() else None


def test_argo_lint_accepts_every_golden_file() -> None:
    program = argo()
    if program is None:
        assert not os.environ.get("CI"), "the argo CLI must be there in CI (scripts/build-argo)"
        pytest.skip("no argo CLI (scripts/build-argo builds it): nothing was linted")
    files = [*GOLDENS.values(), *(folder / "workflow.yaml" for folder in FOLDERS)]
    for file in files:
        result = subprocess.run(
            [program, "lint", "--offline", "--strict", "--kinds",
             "workflows,workflowtemplates,cronworkflows", file],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert result.returncode == 0, f"{file.name}: {result.stdout}{result.stderr}"
