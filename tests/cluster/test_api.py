"""The contract suites of objects and routers, against the API server itself."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from route_kinds import KINDS, Case

from cluster import Cluster, until

sys.path.insert(0, str(Path(__file__).parents[1] / "contracts"))
from test_objects import *  # noqa: F403  (every test of the contract, with this file's fixtures)
from test_routers import (
    test_a_destination_of_nobody_keeps_its_weight,  # noqa: F401
    test_a_fence_is_for_the_weights_that_were_read,  # noqa: F401
    test_a_fence_lets_no_earlier_write_through_and_changes_nothing,  # noqa: F401
    test_a_rule_that_is_put_first_keeps_its_weights_and_ours_are_found,  # noqa: F401
    test_any_other_change_in_between_is_kept_and_does_not_matter,  # noqa: F401
    test_nothing_but_weights_changes,  # noqa: F401
    test_other_weights_in_between_are_a_conflict_and_change_nothing,  # noqa: F401
    test_the_weights_in_force_are_read,  # noqa: F401
    test_what_is_written_reads_back,  # noqa: F401
    test_zero_is_written_and_not_left_out,  # noqa: F401
)

from crossfade_steps.ports import Objects

pytestmark = [pytest.mark.minutes(0.02), pytest.mark.xdist_group("api")]
DEFINED = (
    ("gateway.networking.k8s.io", "v1", "HTTPRoute", "httproutes"),
    ("split.smi-spec.io", "v1alpha1", "TrafficSplit", "trafficsplits"),
    ("route.openshift.io", "v1", "Route", "routes"),
    ("serving.knative.dev", "v1", "Service", "services"),
    ("serving.kserve.io", "v1beta1", "InferenceService", "inferenceservices"),
)


def definition(group: str, version: str, kind: str, plural: str) -> dict[str, object]:
    """Return a definition that takes any spec: what is tested is the API server's part."""
    schema = {"type": "object", "properties": {
        "spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}}  # fmt: skip
    served = {"name": version, "served": True, "storage": True,
              "schema": {"openAPIV3Schema": schema}}  # fmt: skip
    return {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}", "annotations": {
            "api-approved.kubernetes.io": "unapproved, for tests"}},
        "spec": {"group": group, "scope": "Namespaced", "versions": [served],
                 "names": {"kind": kind, "plural": plural, "singular": kind.lower()}},
    }  # fmt: skip


@pytest.fixture(scope="module")
def defined(cluster: Cluster) -> Cluster:
    """A cluster that serves every kind that weights are driven in."""
    missing = [one for one in DEFINED if not cluster.kube.knows(one[0], one[2])]
    if missing:
        text = yaml.safe_dump_all([definition(*one) for one in missing])
        cluster.kubectl("apply", "-f", "-", text=text)
    for group, _, _, plural in DEFINED:
        until(lambda g=group, p=plural: cluster.run("kubectl", "get", f"{p}.{g}", "-A").code == 0
              or None, f"{plural} are served", 30)  # type: ignore[misc]  # fmt: skip
    return cluster


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace of its own, gone after the test."""
    with cluster.place("api") as here:
        yield here.name


@pytest.fixture
def objects(cluster: Cluster) -> Objects:
    """The real API."""
    return cluster.kube


@pytest.fixture(params=KINDS)
def case(request: pytest.FixtureRequest, defined: Cluster, namespace: str) -> Case:
    """A kind's object on the real API."""
    return Case(KINDS[request.param], defined.kube, namespace)


@pytest.mark.parametrize("version", ["v1", "v1beta1", "v1alpha3"])
def test_a_virtual_service_of_every_served_version_is_driven(
    version: str, defined: Cluster, namespace: str
) -> None:
    kind = replace(KINDS["VirtualService"], api_version=f"networking.istio.io/{version}")
    case = Case(kind, defined.kube, namespace)

    assert case.write(30) == {"v1": 70, "v2": 30}
    assert dict(case.router.read().weights) == {"v1": 70, "v2": 30}
