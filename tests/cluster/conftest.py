"""The cluster that the suite runs on: the one of ``make cluster``, or that of ``--kubeconfig``."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE)]
from cluster import Cluster, Place  # noqa: E402  (a module beside this file)

STATE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "crossfade/cluster/state"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Name another cluster than that of ``make cluster``."""
    group = parser.getgroup("cluster")
    group.addoption("--kubeconfig", help="an existing cluster with Argo, Istio and Prometheus")
    group.addoption("--images", help="images/build's output: NAME IMAGE@DIGEST, a line each")
    group.addoption("--server", help="its Argo Server's URL")
    group.addoption("--gateway", help="the URL of its Istio gateway, as this machine reaches it")


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Cluster:
    """The cluster; a suite that is asked for has one, or says what to do."""
    return open_cluster(request.config.getoption)


def open_cluster(option: Callable[[str], str | None]) -> Cluster:
    """Return the cluster that is meant."""
    named = option("--kubeconfig")
    kubeconfig = Path(named) if named else STATE / "admin.kubeconfig"
    if not kubeconfig.exists():
        pytest.exit(f"{kubeconfig} does not exist: make cluster starts a cluster", returncode=4)
    os.environ["KUBECONFIG"] = str(kubeconfig)
    if not named:
        images = json.loads((STATE / "images.json").read_text())
        return Cluster(kubeconfig, images, "http://10.250.0.1:2746", "http://10.250.0.1",
                       STATE.parent / "bin", STATE / "audit.log")  # fmt: skip
    lines = Path(option("--images") or "").read_text().splitlines()
    images = dict(line.split() for line in lines)
    return Cluster(kubeconfig, images, option("--server") or "", option("--gateway") or "")


@pytest.fixture
def place(cluster: Cluster) -> Iterator[Callable[[str], Place]]:
    """Make namespaces, each with the installation, gone after the test."""
    with ExitStack() as stack:
        yield lambda label: stack.enter_context(cluster.place(label))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest; tests of a group share a run and stay on one worker."""
    total: Counter[str] = Counter()
    for item in items:
        total[_group(item)] += _minutes(item)
    items.sort(key=lambda item: (-total[_group(item)], _group(item)))


def _group(item: pytest.Item) -> str:
    mark = item.get_closest_marker("xdist_group")
    return str(mark.args[0]) if mark else item.nodeid


def _minutes(item: pytest.Item) -> float:
    mark = item.get_closest_marker("minutes")
    return float(mark.args[0]) if mark else 0.0


def pytest_collection_finish(session: pytest.Session) -> None:
    """Refuse to go on where tests of a group, which share objects, would run beside each other."""
    if not session.config.getoption("loadgroup", default=False):
        return
    apart = [item.nodeid for item in session.items
             if (mark := item.get_closest_marker("xdist_group")) is not None
             and not item.nodeid.endswith(f"@{mark.args[0]}")]  # fmt: skip
    if apart:
        pytest.exit(f"xdist does not keep groups together with this pytest: {apart[0]}", 4)
