"""A small experiment with two metrics, the edits of it, and the rules that fire on it."""

from __future__ import annotations

import copy
from typing import Any

from crossfade.lint import lint
from crossfade.spec.assembly import assemble
from crossfade.spec.rollout import Policy, Verify
from crossfade.spec.source import Document, Loaded

CLIENT = "seldon_api_executor_client_requests_seconds"
SERVER = "seldon_api_executor_server_requests_seconds"
S = "deployment_name='$sid'"
EXPERIMENT: dict[str, Any] = {
    "apiVersion": "iter8.tools/v2alpha2",
    "kind": "Experiment",
    "metadata": {"name": "e", "namespace": "default"},
    "spec": {
        "target": "t",
        "strategy": {"testingPattern": "A/B"},
        "criteria": {
            "rewards": [{"metric": "reward", "preferredDirection": "High"}],
            "objectives": [{"metric": "m", "upperLimit": 0.1, "rollback_on_failure": True}],
        },
        "duration": {"intervalSeconds": 60},
        "versionInfo": {
            "baseline": {"name": "a", "variables": [{"name": "sid", "value": "x"}]},
            "candidates": [{"name": "b", "variables": [{"name": "sid", "value": "y"}]}],
        },
    },
}
for i, version in enumerate(
    [
        EXPERIMENT["spec"]["versionInfo"]["baseline"],
        *EXPERIMENT["spec"]["versionInfo"]["candidates"],
    ]
):
    version["weightObjRef"] = {
        "apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "name": "vs",
        "namespace": "default", "fieldPath": f".spec.http[0].route[{i}].weight",
    }  # fmt: skip


def metric(name: str, query: str, **spec: Any) -> dict[str, Any]:
    url = "http://prometheus.monitoring.svc.cluster.local/api/v1/query"
    body = {"provider": "prometheus", "params": [{"name": "query", "value": query}],
            "urlTemplate": url, **spec}  # fmt: skip
    return {
        "apiVersion": "iter8.tools/v2alpha2",
        "kind": "Metric",
        "metadata": {"name": name, "namespace": "default"},
        "spec": body,
    }


GOOD_REWARD = f"sum(rate(r_total{{{S}}}[60s])) / (sum(rate(n_total{{{S}}}[60s])) > 0)"
OK = f"sum(rate(n_total{{code=~'2..',{S}}}[60s])) / sum(rate(n_total{{{S}}}[60s]))"
MEAN = f"sum(rate({{0}}_sum{{{{{S}}}}}[60s])) / sum(rate({{0}}_count{{{{{S}}}}}[60s]))"
P95 = f"histogram_quantile(0.95, sum by (le) (rate({{0}}_bucket{{{{{S}}}}}[60s])))"
GOOD = f"sum(rate(errors_total{{{S}}}[60s])) / (sum(rate(n_total{{{S}}}[60s])) > 0)"


def rules(
    query: str = GOOD,
    *,
    reward: str = GOOD_REWARD,
    edit: Any = None,
    others: tuple[dict[str, Any], ...] = (),
    name: str = "m",
    policy: str = "iter8",
    sending: dict[str, Any] | None = None,
    scrape: float | None = None,
    **spec: Any,
) -> list[str]:
    """Return the ids of the rules that fire, those of the policy left out."""
    experiment = copy.deepcopy(EXPERIMENT)
    if name != "m":
        experiment["spec"]["criteria"]["objectives"][0]["metric"] = name
    if edit is not None:
        edit(experiment)
    data = [experiment, metric(name, query, **spec), metric("reward", reward), *others]
    documents = tuple(Document(f"f{i}.yaml", item) for i, item in enumerate(data))
    bundle, problems = assemble(documents, {})
    assert problems == []
    verify = Verify.model_validate(sending) if sending else None
    changes: dict[str, Any] = {"policy": Policy(name=policy), "verify": verify}
    changes |= {} if scrape is None else {"prometheus": {"scrape_interval": scrape}}
    bundle = bundle and bundle.model_copy(update=changes)
    found = lint(Loaded(bundle, (), documents))
    return sorted({f.rule for f in found if f.rule not in ("V9", "V26", "D30", "V28")})


def limit(value: Any) -> Any:
    def edit(experiment: dict[str, Any]) -> None:
        experiment["spec"]["criteria"]["objectives"][0]["upperLimit"] = value

    return edit


def at_least(value: Any) -> Any:
    def edit(experiment: dict[str, Any]) -> None:
        objective = experiment["spec"]["criteria"]["objectives"][0]
        del objective["upperLimit"]
        objective["lowerLimit"] = value

    return edit


def without_namespace(experiment: dict[str, Any]) -> None:
    del experiment["metadata"]["namespace"]


def interval(seconds: int) -> Any:
    def edit(experiment: dict[str, Any]) -> None:
        experiment["spec"]["duration"]["intervalSeconds"] = seconds

    return edit


def lasting(iterations: int) -> Any:
    def edit(experiment: dict[str, Any]) -> None:
        experiment["spec"]["duration"]["iterationsPerLoop"] = iterations

    return edit


def action(task: dict[str, Any]) -> Any:
    def edit(experiment: dict[str, Any]) -> None:
        experiment["spec"]["strategy"]["actions"] = {"finish": [task]}

    return edit


def variable(name: str, value: str) -> Any:
    def edit(experiment: dict[str, Any]) -> None:
        for version in (
            experiment["spec"]["versionInfo"]["baseline"],
            experiment["spec"]["versionInfo"]["candidates"][0],
        ):
            version["variables"].append({"name": name, "value": value})

    return edit


def third(**variables: str) -> Any:
    def edit(experiment: dict[str, Any]) -> None:
        candidates = experiment["spec"]["versionInfo"]["candidates"]
        more = copy.deepcopy(candidates[0])
        more["name"] = "c"
        more["variables"] = [{"name": n, "value": v} for n, v in variables.items()]
        more["weightObjRef"]["fieldPath"] = ".spec.http[0].route[2].weight"
        candidates.append(more)
        experiment["spec"]["strategy"]["testingPattern"] = "A/B/N"

    return edit


def target(experiment: dict[str, Any]) -> None:
    experiment["spec"]["target"] = "test/web"
    del experiment["spec"]["versionInfo"]["baseline"]["weightObjRef"]["namespace"]


def one_field(experiment: dict[str, Any]) -> None:
    version = experiment["spec"]["versionInfo"]["candidates"][0]
    version["weightObjRef"]["fieldPath"] = ".spec['http'][0].route[0].weight"


def one_field_of_another_version(experiment: dict[str, Any]) -> None:
    one_field(experiment)
    version = experiment["spec"]["versionInfo"]["candidates"][0]
    version["weightObjRef"]["apiVersion"] = "networking.istio.io/v1alpha3"


def no_rollback(experiment: dict[str, Any]) -> None:
    del experiment["spec"]["criteria"]["objectives"][0]["rollback_on_failure"]


def job(
    *words: str, image: str = "fortio/fortio:1.66.5", taking: str | None = None
) -> dict[str, Any]:
    container: dict[str, Any] = {"name": "c", "image": image, "command": list(words)}
    if taking is not None:
        own = {"secretKeyRef": {"name": "gateway", "key": "token"}}
        container["env"] = [{"name": taking, "valueFrom": own}]
    spec = {"template": {"spec": {"containers": [container]}}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": spec}


def deployment(name: str, **spec: Any) -> dict[str, Any]:
    template: dict[str, Any] = {"metadata": {"labels": {"app": name}}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
            "spec": {"template": template, **spec}}  # fmt: skip


def virtual_service(*weights: int, **metadata: Any) -> dict[str, Any]:
    routes = [{"destination": {"host": h}, "weight": w} for h, w in zip("abc", weights,
                                                                         strict=False)]  # fmt: skip
    return {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
            "metadata": {"name": "vs", "namespace": "default", **metadata},
            "spec": {"http": [{"route": routes}]}}  # fmt: skip
