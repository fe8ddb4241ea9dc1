"""The example and the predecessor's own, on the cluster, from their files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster import REPOSITORY, Cluster, until

EXAMPLE = REPOSITORY / "workflows" / "examples" / "iris"
SEED = REPOSITORY.parent / "shared" / "seed"
pytestmark = [pytest.mark.minutes(4), pytest.mark.xdist_group("examples")]
NAMESPACES = ("ns-baseline", "ns-candidate", "iter8-seldon")


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """The example with limits that no machine is too slow for: speed decides no test."""
    for file in EXAMPLE.glob("*.yaml"):
        text = file.read_text()
        if file.name == "experiment.yaml":
            text = text.replace("upperLimit: 250m", "upperLimit: 5")
            text = text.replace('upperLimit: "0.5"', "upperLimit: 5")
        (tmp_path / file.name).write_text(text)
    return tmp_path / "rollout.yaml"


@pytest.fixture
def models(cluster: Cluster) -> Iterator[Cluster]:
    """A cluster with the namespaces of the examples, and nothing in them."""
    _clear(cluster)
    for namespace in NAMESPACES:
        if cluster.run("kubectl", "get", "namespace", namespace).code:
            cluster.kubectl("create", "namespace", namespace)
    cluster.kubectl("apply", "-k", REPOSITORY / "install", "-n", "default")
    yield cluster
    _clear(cluster)


def _clear(cluster: Cluster) -> None:
    ours = ("-l", "app.kubernetes.io/managed-by=crossfade")
    cluster.run("kubectl", "delete", "workflows,jobs", *ours, "-n", "default")
    cluster.run("kubectl", "delete", "virtualservice", "routing-rule", "-n", "default")
    for namespace in NAMESPACES[:2]:
        cluster.run("kubectl", "delete", "seldondeployment", "iris", "-n", namespace)
        until(lambda n=namespace: not cluster.run(  # type: ignore[misc]
            "kubectl", "get", "pods", "-n", n, "-o", "name").out or None,
            f"{namespace} is empty", 90)  # fmt: skip


def grant(cluster: Cluster, *words: str | Path) -> None:
    result = cluster.crossfade("rights", *words)
    assert result.code == 0, result.text
    cluster.kubectl("apply", "-f", "-", text=result.out)


def test_the_example_is_promoted_and_kept_the_next_night(models: Cluster, example: Path) -> None:
    grant(models, example)

    first = models.crossfade("submit", "-w", example, seconds=500)
    second = models.crossfade("submit", "-w", example, seconds=300)

    assert first.code == 0, first.text
    assert "outcome: promoted, winner iris-v2" in first.out
    assert second.code == 0, second.text
    assert "outcome: kept" in second.out
    assert "nothing to compare" in second.out


@pytest.mark.skipif(not SEED.is_dir(), reason="the predecessor's example is not beside this clone")
def test_the_predecessor_s_example_is_promoted_unchanged(models: Cluster) -> None:
    words = ("--set", "URL_VALUE=http://gateway", SEED)
    grant(models, *words)

    result = models.crossfade("submit", "-w", "--policy", "iter8", *words, seconds=500)

    assert result.code == 0, result.text
    assert "outcome: promoted, winner iris-v2" in result.out
