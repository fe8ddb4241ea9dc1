"""Which folder a model's URI stands for: the one that is meant, or none."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

import crossfade
from crossfade.errors import SpecError
from crossfade.spec.loading import load
from crossfade.spec.rollout import Bundle
from crossfade_steps.embedded.mirror import local_model, served

EXAMPLE = Path(__file__).resolve().parents[2] / "workflows" / "examples" / "iris"


@pytest.fixture
def models(tmp_path: Path) -> Path:
    for name in ("sklearn/iris", "b/iris", "m/v1", "m-v2/v1", "own"):
        (tmp_path / "models" / name).mkdir(parents=True)
    return tmp_path / "models"


def rollout(folder: Path, **spec: Any) -> Path:
    """Write the example with other keys of its spec, and return its folder."""
    shutil.copytree(EXAMPLE, folder)
    document = yaml.safe_load((folder / "rollout.yaml").read_text())
    document["spec"].update(spec)
    (folder / "rollout.yaml").write_text(yaml.safe_dump(document))
    return folder


def bundle_of(folder: Path) -> Bundle:
    loaded = load([folder])
    assert loaded.bundle is not None, loaded.findings
    return loaded.bundle


def told(uri: str, mirrors: dict[str, str], models: Path) -> str:
    with pytest.raises(SpecError) as error:
        local_model(uri, mirrors, models)
    return f"{error.value} ({error.value.hint})"


def test_folders_are_relative_to_the_rollout_s_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = rollout(tmp_path / "made", models={"gs://m": "own", "gs://n": "/abs"})
    monkeypatch.chdir(tmp_path)

    for path in (place, Path("made"), Path("made/rollout.yaml")):
        assert bundle_of(path).models == {"gs://m": f"{place}/own", "gs://n": "/abs"}


def test_a_cluster_gets_no_folder_of_this_machine(tmp_path: Path) -> None:
    plain = crossfade.Rollout.load(rollout(tmp_path / "plain"))
    other = crossfade.Rollout.load(rollout(tmp_path / "other", models={"gs://m": "own"}))

    assert other.yaml() == plain.yaml()
    assert other.bundle.digest == plain.bundle.digest
    assert other.using(loop="pod").bundle.models == other.bundle.models


def test_the_longest_beginning_counts_and_ends_at_a_slash(models: Path) -> None:
    mirrors = {"gs://": str(models / "own"), "gs://m": str(models / "m"),
               "gs://m/special/": str(models / "sklearn"),
               "gs://m-v2": str(models / "m-v2")}  # fmt: skip

    assert local_model("gs://m/v1", mirrors, models) == models / "m" / "v1"
    assert local_model("gs://m/special/iris", mirrors, models) == models / "sklearn" / "iris"
    assert local_model("gs://m-v2/v1/", mirrors, models) == models / "m-v2" / "v1"
    assert local_model("gs://m", mirrors, models) == models / "m"
    assert "no folder" in told("gs://m-v3/v1", mirrors, models)


@pytest.mark.parametrize("uri", ["", "  "])
def test_a_model_without_a_uri_is_refused(models: Path, uri: str) -> None:
    assert "has no modelUri" in told(uri, {}, models)


def test_a_path_is_read_as_one(models: Path) -> None:
    own = models / "own"

    assert local_model(str(own), {}, models) == own
    assert local_model(f"file://{own}", {}, models) == own
    assert "no folder /nowhere" in told("file:///nowhere", {}, models)
    assert "expected an absolute one" in told("own", {}, models)


def test_only_seldon_s_own_models_are_known_by_the_end_of_their_uri(models: Path) -> None:
    for version in ("", "v1.18.2/"):
        uri = f"gs://seldon-models/{version}sklearn/iris"
        assert local_model(uri, {}, models) == models / "sklearn" / "iris"

    assert local_model("gs://b/iris", {}, models) == models / "b" / "iris"
    for uri in ("s3://mine/sklearn/iris", "gs://seldon-models-2/sklearn/iris", "gs://mine/b/iris"):
        assert f"put the model's files into {models}" in told(uri, {}, models)


def test_two_models_that_are_one_folder_are_refused(tmp_path: Path, models: Path) -> None:
    (models / "xgboost").symlink_to(models / "sklearn")
    bundle = bundle_of(rollout(tmp_path / "made"))

    with pytest.raises(SpecError, match="sklearn/iris and gs://seldon-models/xgboost/iris are"):
        served(bundle, models)


def test_every_model_is_looked_for_before_anything_is_started(tmp_path: Path, models: Path) -> None:
    folder = rollout(tmp_path / "made", models={"gs://seldon-models/xgboost": str(models / "b")})
    assert sorted(served(bundle_of(folder), models).values()) == [
        models / "b" / "iris", models / "sklearn" / "iris",
    ]  # fmt: skip
    promote = (folder / "promote-v2.yaml").read_text().replace("xgboost/iris", "xgboost/lost")
    (folder / "promote-v2.yaml").write_text(promote)

    with pytest.raises(SpecError, match="xgboost/lost: no folder"):
        served(bundle_of(folder), models)
