"""The rights of ``install`` and ``crossfade rights`` are enough, and each of them is needed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import light
import pytest
import yaml
from audit import Request, Right, requests, rights_of

from cluster import REPOSITORY, Cluster, Place, until
from crossfade.rights import rules_by_namespace
from crossfade.spec.loading import load
from crossfade_steps.cluster import workflow
from crossfade_steps.cluster.gate import APPROVAL

ANY = "any-namespace"
pytestmark = [pytest.mark.minutes(0.6), pytest.mark.xdist_group("rights")]


def rights(namespace: str, folder: Path) -> list[Right]:
    """Return every single right of a light rollout in a namespace."""
    path = folder / "rollout.yaml"
    path.write_text(yaml.safe_dump(light.rollout(namespace, "image")))
    bundle = load([path]).bundle
    assert bundle is not None
    role = next(document for document in _installed() if document["kind"] == "Role")
    rules = [*role["rules"], *rules_by_namespace(bundle)[namespace]]
    return rights_of(namespace, rules)


def _installed() -> list[dict]:  # type: ignore[type-arg]
    return list(yaml.safe_load_all((REPOSITORY / "install" / "account.yaml").read_text()))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test a right."""
    if "number" in metafunc.fixturenames:
        with TemporaryDirectory() as folder:
            known = rights(ANY, Path(folder))
        metafunc.parametrize("number", range(len(known)), ids=map(str, known))


@pytest.fixture(scope="module")
def asked(
    cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, set[Request]]]:
    """What the account asked for in a promotion over a left-over candidate, and in two aborts."""
    if cluster.audit is None:
        pytest.skip("needs the API server's audit log")
    folder = tmp_path_factory.mktemp("rights")
    with cluster.place("rights") as here:
        _abort_at_gate(here, folder)
        _promote_over_leftover(here, folder)
        _abort(here, folder)
        account = f"system:serviceaccount:{here.name}:crossfade"
        yield here.name, requests(cluster.audit, account)


def _promote_over_leftover(here: Place, folder: Path) -> None:
    path = here.prepare(folder, iterations=9)
    left = light.deployment(light.CANDIDATE, here.cluster.images["executor"], {"REWARD": "0.1"})
    here.cluster.apply(left, namespace=here.name)
    ended = here.outcome(here.submit(path))
    assert ended["outcome"] == "promoted", ended
    here.cluster.kubectl("delete", "deployment", light.CANDIDATE, "-n", here.name)


def _abort(here: Place, folder: Path) -> None:
    path = here.prepare(folder, iterations=200, candidate={"REWARD": "0.9"})
    run = here.submit(path)
    here.iteration(run, 1)
    here.cluster.kubectl("delete", "workflow", run, "-n", here.name)
    assert here.outcome(run)["outcome"] == "cancelled"


def _abort_at_gate(here: Place, folder: Path) -> None:
    """Ask the run itself: the command line would stop the Workflow with its user's rights."""
    path = here.prepare(folder, iterations=3, approval="before-promote")
    run = here.submit(path)
    until(lambda: workflow.waits(here.get("workflow", run), APPROVAL) or None, "the gate", 180)
    here.store(run).write(control="abort")
    assert here.outcome(run)["outcome"] == "cancelled"
    until(lambda: workflow.read(here.get("workflow", run)).ended or None, "the Workflow's end", 60)


def test_the_rights_are_enough(asked: tuple[str, set[Request]]) -> None:
    refused = [request for request in asked[1] if request.code in (401, 403)]

    assert refused == []


def test_a_run_needs(number: int, asked: tuple[str, set[Request]], tmp_path: Path) -> None:
    namespace, made = asked
    every = rights(namespace, tmp_path)
    own = every[number]
    others = [other for other in every if other != own]

    only = [r for r in made if own.allows(r) and not any(o.allows(r) for o in others)]

    assert only, f"nothing would fail without {own}"
