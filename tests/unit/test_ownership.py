from typing import Any

import pytest

from crossfade.errors import SpecError
from crossfade.spec.ownership import owners, single_owner

SELDON: dict[str, Any] = {
    "apiVersion": "machinelearning.seldon.io/v1",
    "kind": "SeldonDeployment",
    "metadata": {"name": "iris", "namespace": "ns-a"},
    "spec": {
        "predictors": [
            {"name": "default"},
            {"name": "b", "annotations": {"seldon.io/svc-name": "custom"}},
        ]
    },
}
DEPLOYMENT: dict[str, Any] = {
    "kind": "Deployment",
    "metadata": {"name": "web-v1"},
    "spec": {"template": {"metadata": {"labels": {"app": "web", "v": "1"}}}},
}
SERVICE: dict[str, Any] = {
    "kind": "Service",
    "metadata": {"name": "web"},
    "spec": {"selector": {"app": "web"}},
}


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        pytest.param(
            "iris-default.ns-a.svc.cluster.local", ("SeldonDeployment/ns-a/iris",), id="predictor"
        ),
        pytest.param("custom.ns-a", ("SeldonDeployment/ns-a/iris",), id="named-service"),
        pytest.param("iris-b.ns-a", (), id="its-default-name-is-gone"),
        pytest.param("iris-default.ns-b", (), id="other-namespace"),
        pytest.param("web", ("Deployment/default/web-v1",), id="service-selects-deployment"),
    ],
)
def test_a_host_leads_to_the_workload_that_serves_it(host: str, expected: tuple[str, ...]) -> None:
    assert owners(host, [SELDON, DEPLOYMENT, SERVICE], "default") == expected


def test_two_workloads_behind_one_host_are_ambiguous() -> None:
    other = {**DEPLOYMENT, "metadata": {"name": "web-v2"}}

    with pytest.raises(SpecError, match="web-v1, Deployment/default/web-v2, expected one") as error:
        single_owner("v1", "web", [DEPLOYMENT, other, SERVICE], "default")

    assert "spec.versions.v1.objects" in error.value.hint
