"""Every public routing object resolves its weight paths, or is refused by name, as its row says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crossfade.errors import SpecError
from crossfade.routes import resolve
from crossfade.spec.documents import read_file
from crossfade.spec.ownership import owners

VS = [".spec.http[0].route[0].weight", ".spec.http[0].route[1].weight"]
HTTP = [".spec.rules[0].backendRefs[0].weight", ".spec.rules[0].backendRefs[1].weight"]
SDEP = [".spec.predictors[0].traffic", ".spec.predictors[1].traffic"]
CANARY = [None, ".spec.predictor.canaryTrafficPercent"]
READ: dict[str, tuple[list[str | None], list[int]]] = {
    "virtualservices/flagger-cors-retries.yaml": (VS, [100, 0]),
    "virtualservices/http-tls-tcp-95-5.yaml": (VS, [95, 5]),
    "virtualservices/istio-bookinfo.yaml": (VS, [100, 0]),
    "virtualservices/kfserving-routing-rule.yaml": (VS, [100, 0]),
    "virtualservices/mirror-percent-deprecated.yaml": (VS[:1], [100]),
    "virtualservices/seldon-routing-rule.yaml": (VS, [100, 0]),
    "httproutes/mesh-parent-service-90-10.yaml": (HTTP, [90, 10]),
    "httproutes/no-weights-core-group.yaml": (HTTP, [50, 50]),
    "httproutes/two-rules-2-3-0.yaml": (
        [*HTTP, ".spec.rules[0].backendRefs[2].weight"],
        [40, 60, 0],
    ),
    "httproutes/weight-zero-one.yaml": (HTTP, [0, 100]),
    "inferenceservices/kfserving-v1alpha2-canary.yaml": (
        [None, ".spec.canaryTrafficPercent"],
        [90, 10],
    ),
    "inferenceservices/kserve-docs-canary-mapping.yaml": (CANARY, [90, 10]),
    "inferenceservices/kserve-rollout-canary-10.yaml": (CANARY, [90, 10]),
    "inferenceservices/kserve-rollout-pinned-0.yaml": (CANARY, [100, 0]),
    "otherroutes/ksvc-traffic.yaml": (
        [".spec.traffic[0].percent", ".spec.traffic[1].percent"],
        [100, 0],
    ),
    "otherroutes/openshift-route.yaml": (
        [".spec.to.weight", ".spec.alternateBackends[0].weight"],
        [100, 0],
    ),
    "otherroutes/trafficsplit-linkerd.yaml": (
        [".spec.backends[0].weight", ".spec.backends[1].weight"],
        [100, 0],
    ),
    "seldondeployments/explainer.yaml": (SDEP[:1], [100]),
    "seldondeployments/graph6-json-with-tabs.json": (SDEP, [60, 40]),
    "seldondeployments/istio-mesh-75-25.yaml": (SDEP, [75, 25]),
    "seldondeployments/scaling-50-50.yaml": (SDEP, [50, 50]),
    "seldondeployments/shadow-100-100.yaml": (SDEP[:1], [100]),
    "seldondeployments/single-sdep-abtest.yaml": (SDEP, [100, 0]),
}
REFUSED: dict[str, tuple[list[str | None], str]] = {
    "virtualservices/appmesh-virtualservice.yaml": (VS, "unsupported group appmesh.k8s.aws"),
    "virtualservices/session-affinity-no-weights.yaml": (VS, "route[1] does not exist"),
    "virtualservices/seldon-promote-v2-one-route.yaml": (VS, "route[1] does not exist"),
    "httproutes/gep1619-no-api-version.yaml": (HTTP, "apiVersion is missing"),
    "httproutes/tcproute-70-30-0.yaml": (HTTP, "unsupported kind TCPRoute"),
    "seldondeployments/canary-without-traffic.json": (SDEP, "traffic is missing on all of 2"),
    "seldondeployments/duplicate-predictor-name.json": (SDEP, "predictor names must be unique"),
    "seldondeployments/random-ab-router.json": (SDEP, "predictors[1] does not exist"),
}
NOTES = {
    "virtualservices/flagger-cors-retries.yaml": "is owned by",
    "virtualservices/http-tls-tcp-95-5.yaml": "the split in tls and tcp stays",
    "httproutes/no-weights-core-group.yaml": 'group "core"',
    "inferenceservices/kserve-docs-canary-mapping.yaml": "spec.canary is not a field",
    "otherroutes/openshift-route.yaml": "pins users to the version they met first",
}
FOLDERS = (
    "virtualservices",
    "httproutes",
    "inferenceservices",
    "otherroutes",
    "seldondeployments",
)


def routed(corpus: Path, name: str) -> dict[str, Any]:
    documents, findings = read_file(corpus / name)
    assert findings == []
    kinds = ("Namespace", "Deployment", "Gateway")
    whole = [d.data for d in documents if d.kind not in kinds]
    whole = [d for d in whole if d.get("kind") == "VirtualService"] or whole
    return dict(whole[0])


def named(paths: list[str | None]) -> dict[str, str | None]:
    return {f"v{i}": path for i, path in enumerate(paths, start=1)}


@pytest.mark.parametrize("name", READ)
def test_weights_are_read_as_the_row_says(corpus: Path, name: str) -> None:
    paths, expected = READ[name]

    rule = resolve(routed(corpus, name), named(paths))

    assert list(rule.percent().values()) == expected
    assert NOTES.get(name, "") in " ".join(rule.notes)
    assert bool(rule.notes) == (name in NOTES)


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_driven_is_refused_by_name(corpus: Path, name: str) -> None:
    paths, text = REFUSED[name]

    with pytest.raises(SpecError) as error:
        resolve(routed(corpus, name), named(paths))

    assert text in str(error.value)


def test_a_patch_leaves_everything_but_weights_as_it_is(corpus: Path) -> None:
    name = "virtualservices/flagger-cors-retries.yaml"
    rule = resolve(routed(corpus, name), named(list(VS)))

    changed = [op["path"] for op in rule.patch(None, {"v1": 70, "v2": 30}) if op["op"] != "test"]

    assert changed == ["/spec/http/0/route/0/weight", "/spec/http/0/route/1/weight"]


def test_destinations_of_one_host_are_told_apart_by_subset(corpus: Path) -> None:
    rule = resolve(routed(corpus, "virtualservices/istio-bookinfo.yaml"), named(list(VS)))

    identities = [
        op["value"] for op in rule.patch(None, {"v1": 100, "v2": 0}) if op["op"] == "test"
    ]

    assert identities[0]["host"] == identities[1]["host"]
    assert identities[0]["subset"] != identities[1]["subset"]


def test_a_split_inside_the_graph_hints_at_its_parameter(corpus: Path) -> None:
    with pytest.raises(SpecError, match="ratioA"):
        resolve(routed(corpus, "seldondeployments/random-ab-router.json"), named(list(SDEP)))


def test_a_named_service_leads_to_its_deployment(corpus: Path) -> None:
    manifest = routed(corpus, "seldondeployments/istio-mesh-75-25.yaml")

    assert owners("canary-example-1.my-ns", [manifest], "default") == (
        "SeldonDeployment/my-ns/canary-example-1",
    )


def test_every_routing_object_of_the_corpus_is_tried(corpus: Path) -> None:
    files = {f"{folder}/{p.name}" for folder in FOLDERS for p in (corpus / folder).iterdir()}

    assert files == {*READ, *REFUSED}
