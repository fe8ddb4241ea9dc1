"""Each rule on a small input where it fires, and on its twin where it does not."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from crossfade.lint import RULES, lint
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


SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}
PREDICT = f"service='/predict',{S}"
LOAD = ("fortio", "load", "-t", "20m", "-qps")
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "D1": ({"query": f"sum(increase(x_sum{{{S}}}[60s]))", "name": "request-count"},
           {"query": f"sum(increase(x_count{{{S}}}[60s]))", "name": "request-count"}),
    "D2": ({"query": f"sum(rate(x_seconds_sum{{{S}}}[60s]))", "units": "milliseconds"},
           {"query": f"sum(rate(x_seconds_sum{{{S}}}[60s]))", "units": "seconds"}),
    "D3": ({"query": f"sum(rate({CLIENT}_sum{{{S}}}[60s]))"},
           {"query": f"sum(rate({CLIENT}_sum{{{PREDICT}}}[60s]))"}),
    "D4": ({"query": f"sum(rate({SERVER}_count{{code!='200',service='predictions',{S}}}[60s]))"},
           {"query": f"sum(rate({SERVER}_count{{code!~'2..',service='predictions',{S}}}[60s]))"}),
    "D5": ({"query": f"sum(rate(a_total{{{S}}}[60s])) / (sum(rate(b_total[60s])) or vector(0))"},
           {"query": f"(sum(rate(a_total{{{S}}}[60s])) or vector(0)) / sum(rate(b_total[60s]))"}),
    "D5 around the quotient": ({"query": f"({GOOD}) or on() vector(0)"},
                               {"query": GOOD.replace("sum(rate(e", "(sum(rate(e")
                                .replace(") /", ") or on() vector(0)) /")}),
    "D5 of a rate by hand": ({"query": f"({GOOD}) or on() vector(0)"},
                             {"query": f"(sum(increase(e_total{{{S}}}[1m])) / 60) or vector(0)"}),
    "D6": ({"edit": interval(20)}, {"edit": interval(30)}),
    "E1": ({"edit": interval(29), "policy": "evidence"},
           {"edit": interval(30), "policy": "evidence"}),
    "E2": ({"reward": f"sum(rate(r_sum{{{S}}}[60s])) / sum(rate(r_count{{{S}}}[60s]))",
            "policy": "evidence"},
           {"reward": f"sum(rate(r_total{{{S}}}[60s])) / sum(rate(n_count{{{S}}}[60s]))",
            "policy": "evidence"}),
    "E3": ({"jqExpression": "(.data.result[0].value[1] | tonumber) * 1000", "policy": "evidence"},
           {"jqExpression": ".data.result[0].value[1] | tonumber", "policy": "evidence"}),
    "E4": ({"query": f"sum by (pod) (rate(a_total{{{S}}}[60s])) / sum by (pod) (rate(b[60s]))",
            "policy": "evidence"},
           {"query": f"sum by (pod) (rate(a_total{{{S}}}[60s])) / sum by (pod) (rate(b[60s]))",
            "policy": "iter8"}),
    "D7": ({"query": f"sum(rate(a_total{{{S}}}[${{elapsedTime}}s]))"}, {}),
    "D8": ({"query": f"sum(increase(a{{{S}}}[60s]))", "others": (job(*LOAD, "10", "http://g/p"),)},
           {"query": f"sum(increase(a{{{S}}}[60s]))", "others": (job(*LOAD, "20", "http://g/p"),)}),
    "D9": ({"others": (job(*LOAD, "6", "http://g/p"),)}, {"others": (job(*LOAD, "7", "http://g/p"),)}),
    "D10": ({"reward": f"sum(increase(r_total{{{S}}}[60s]))"},
            {"reward": f"sum(increase(r_total{{{S}}}[60s])) / sum(increase(n{{{S}}}[60s]))"}),
    "D11": ({"others": (job(*LOAD, "90", "http://g/seldon/ns/x/api/v1.0/feedback"),)},
            {"others": (job(*LOAD, "90", "http://g/api/v1.0/predictions"),)}),
    "D12": ({"reward": f"sum(rate(x{{service='feedback',{S}}}[60s])) / sum(rate(n{{{S}}}[60s]))"},
            {"reward": f"sum(rate(x{{service='feedback',code='200',{S}}}[60s])) "
                       f"/ sum(rate(n{{{S}}}[60s]))"}),
    "D15": ({"edit": variable("promote", "https://example.com/promote.yaml")},
            {"edit": variable("promote", "promote.yaml")}),
    "D16": ({"edit": action({"task": "common/exec", "with": {"cmd": "/bin/bash"}})},
            {"edit": action({"task": "notification/http", "with": {}})}),
    "D16 of a bare command": (
        {"edit": action({"if": "CandidateWon()", "run": "kubectl apply -f x"})},
        {"edit": action({"if": "CandidateWon()", "task": "notification/http"})}),
    "D20": ({"edit": without_namespace}, {}),
    "D22": ({"edit": no_rollback}, {}),
    "D23": ({"others": (job(*LOAD, "90", "http://g/p", image="fortio/fortio"),)},
            {"others": (job(*LOAD, "90", "http://g/p", image="r:5000/fortio@sha256:00"),)}),
    "D24": ({"others": (job("fortio", "load", "-t", "2h", "-qps", "90", "http://g/p"),)},
            {"others": (job("fortio", "load", "-t", "30m", "-qps", "90", "http://g/p"),)}),
    "D24 for ever": (
        {"others": (job("fortio", "load", "-t", "0", "-qps", "90", "http://g/p"),)},
        {"others": (job("fortio", "load", "-t", "1m", "-qps", "90", "http://g/p"),)}),
    "D26 one word": ({"urlTemplate": "http://prometheus/api/v1/query"},
                     {"urlTemplate": "http://10.0.0.1:9090/api/v1/query"}),
    "D26": ({"urlTemplate": "http://prometheus.monitoring/api/v1/query"},
            {"urlTemplate": "https://prometheus.monitoring/api/v1/query"}),
    "D27": ({"others": (deployment("a", replicas=1), deployment("b", replicas=2))},
            {"others": (deployment("a", replicas=2), deployment("b", replicas=2))}),
    "C10": ({"query": 'sum(x{pod=~".*-$hash-.*",d="$sid"})', "edit": variable("hash", "")},
            {"query": 'sum(x{pod=~".*-$hash-.*",d="$sid"})', "edit": variable("hash", "1")}),
    "C10 of a blank": ({"query": 'sum(x{pod="$p",d="$sid"})', "edit": variable("p", " ")},
                       {"query": 'sum(x{pod="$p",d="$sid"})', "edit": variable("p", "a b")}),
    "Wide": ({"query": 'sum(x{pod=~"$p",d="$sid"})', "edit": variable("p", ".*")},
             {"query": 'sum(x{pod=~"$p",d="$sid"})', "edit": variable("p", "a.*")}),
    "C12": ({"query": f"sum without (pod) (rate(a_total{{{S}}}[60s]))"},
            {"query": f"sum(sum without (pod) (rate(a_total{{{S}}}[60s])))"}),
    "Series": ({"query": f"rate(a_total{{{S}}}[60s])"}, {"query": f"avg(rate(a{{{S}}}[60s]))"}),
    "Series of which jq makes one": (
        {"query": f"x{{{S}}}", "jqExpression": "(.data.result[0].value[1]|tonumber) * 8"},
        {"query": f"x{{{S}}}", "jqExpression": "[.data.result[].value[1]|tonumber] | max"}),
    "C63": ({"query": 'rate(req{app="iris"}[60s])'}, {"query": 'rate(req{app="$name"}[60s])'}),
    "C63 of two of three": ({"edit": third(sid="y")}, {"edit": third(sid="z")}),
    "C63 of another store": (
        {"query": "sum:errors{service:iris}", "provider": "datadog", "jqExpression": ".x"},
        {"query": "sum:errors{service:$sid}", "provider": "datadog", "jqExpression": ".x"}),
    "C63 of a body": (
        {"query": "errors", "provider": "sysdig", "method": "POST", "body": '{"of": "iris"}'},
        {"query": "errors", "provider": "sysdig", "method": "POST", "body": '{"of": "$name"}'}),
    "C65": ({"query": MEAN.format("x_seconds"), "edit": limit(250)},
            {"query": MEAN.format("x_seconds"), "edit": limit("250m"), "units": "seconds"}),
    "C65 of a percentile": (
        {"query": P95.format("x_milliseconds"), "edit": limit("0.5")},
        {"query": P95.format("x_milliseconds"), "edit": limit(500), "units": "ms"}),
    "C65 of the units": (
        {"query": MEAN.format("x_ms"), "edit": limit(250), "units": "seconds"},
        {"query": f"0.001 * {MEAN.format('x_ms')}", "edit": limit("250m"), "units": "seconds"}),
    "C65 with a factor": (
        {"query": f"1000 * {MEAN.format('x_seconds')}", "edit": limit(250), "units": "s"},
        {"query": f"1000 * {MEAN.format('x_seconds')}", "edit": limit(250), "units": "ms"}),
    "D2 with a factor": (
        {"query": MEAN.format("x_seconds"), "edit": limit(250), "units": "ms"},
        {"query": f"1000 * {MEAN.format('x_seconds')}", "edit": limit(250), "units": "ms"}),
    "C67 in percent": ({"query": f"100 * {GOOD}", "edit": limit(95)},
                       {"query": f"100 * {GOOD}", "edit": limit(1)}),
    "C67 from below": ({"query": OK, "edit": at_least("0.01")},
                       {"query": OK, "edit": at_least("0.95")}),
    "C67 out of reach": ({"query": OK, "edit": at_least(95)},
                         {"query": f"100 * {OK}", "edit": at_least(95)}),
    "C67 of no success": (
        {"query": OK.replace("code=~'2..'", "code!~'5..'"), "edit": at_least("0.3")},
        {"query": OK.replace("code=~'2..'", "cache='hit'"), "edit": at_least("0.3")}),
    "C67": ({"edit": limit("0.95")}, {"edit": limit("0.05")}),
    "Nodes": ({"edit": lasting(91)}, {"edit": lasting(90)}),
    "Nodes with a watch": ({"edit": lasting(92), "policy": "evidence"},
                           {"edit": lasting(90), "policy": "evidence"}),
    "Loop": ({"edit": lasting(51)}, {"edit": lasting(50)}),
    "Loop of a short interval": ({"edit": interval(9)}, {"edit": interval(10)}),
    "PromQL": ({"query": f"sum(rate(x{{{S}}}[60s])"}, {}),
    "Secret": ({"others": (SECRET,)}, {}),
    "Route": ({"others": (virtual_service(100),)}, {"others": (virtual_service(100, 0),)}),
    "Route of two versions": ({"edit": one_field}, {}),
    "Route in two API versions": ({"edit": one_field_of_another_version}, {}),
    "Notes": ({"others": (virtual_service(100, 0, ownerReferences=[
                  {"kind": "Canary", "name": "c", "controller": True}]),)},
              {"others": (virtual_service(100, 0),)}),
    "Bare": ({"query": f"sum(rate(x{{{S}}}[60]))"}, {"query": f"sum(rate(x{{{S},a='[1]'}}[60s]))"}),
    "Bare step": ({"query": f"max_over_time(rate(x{{{S}}}[60s])[5m:30])"},
                  {"query": f"max_over_time(rate(x{{{S}}}[60s])[5m:30s])"}),
    "Narrow": ({"query": f"sum(rate(x{{{S}}}[29s]))", "policy": "evidence"},
               {"query": f"sum(rate(x{{{S}}}[30s]))", "policy": "evidence"}),
    "Narrow by supposed scrapes": ({"query": f"sum(rate(x{{{S}}}[29s]))"},
                                   {"query": f"max_over_time(x{{{S}}}[29s])"}),
    "Window": ({"query": f"sum(rate(x{{{S}}}[39s]))", "scrape": 20},
               {"query": f"sum(rate(x{{{S}}}[39s]))", "scrape": 20, "policy": "evidence"}),
    "Window of the innermost": (
        {"query": f"max_over_time(sum(rate(x{{{S}}}[19s]))[10m:1m])", "scrape": 20},
        {"query": f"deriv(avg(avg_over_time(x{{{S}}}[19s]))[10m:1m])", "scrape": 20}),
    "Unit": ({"query": f"sum(rate(x{{{S}}}[$elapsedTime]))"},
             {"query": f"sum(rate(x{{{S}}}[${{elapsedTime}}s]))"}),
    "Jq": ({"provider": "newrelic", "jqExpression": ".data.result[0].value[1] | tonumber"},
           {"provider": "newrelic", "jqExpression": ".results[0].count"}),
    "Url": ({"urlTemplate": "https://p.example.com/api/v1"}, {}),
    "Credential": ({"headerTemplates": [{"name": "X-Query-Key", "value": "t0p"}]},
                   {"headerTemplates": [{"name": "X-Query-Key", "value": "${key}"}]}),
    "Credential in a Job": (
        {"others": (job(*LOAD, "90", "-H", "X-Token: t0p", "http://g/p"),)},
        {"others": (job(*LOAD, "90", "-H", "X-Token: $(TOKEN)", "http://g/p"),)}),
    "Credential in a URL": ({"urlTemplate": "https://u:t0p@p.example.com/api/v1/query"},
                            {"urlTemplate": "https://u:${p}@p.example.com/api/v1/query"}),
    "Secret in a list": ({"others": ({"apiVersion": "v1", "kind": "List", "metadata": {"name": "l"},
                                      "items": [{"kind": "List", "items": [SECRET]}]},)}, {}),
    "Key": ({"sending": {"url": "http://g/p", "headers": {"X-Token": "${token}"}}},
            {"sending": {"url": "http://g/p", "headers": {"X-Token": "${token}"},
                         "secret": "gateway"}}),
    "Key of a metric": ({"headerTemplates": [{"name": "X-Token", "value": "Token ${token}"}]},
                        {"headerTemplates": [{"name": "X-Token", "value": "Token ${token}"}],
                         "secret": "store"}),
    "Auth": ({"authType": "Basic"}, {"authType": "Basic", "secret": "store"}),
    "Verify": ({"others": (job(*LOAD, "90", "-H", "X: $(T)", "http://g/p", taking="T"),)},
               {"others": (job(*LOAD, "90", "-H", "X: $(T)", "http://g/p", taking="T"),),
                "sending": {"url": "http://g/p"}}),
    "Namespace": ({"edit": target}, {}),
    "Method": ({"body": "{}"}, {"body": "{}", "method": "POST"}),
}  # fmt: skip


@pytest.mark.parametrize("rule", CASES)
def test_a_rule_fires_on_its_input_and_not_on_its_twin(rule: str) -> None:
    bad, good = CASES[rule]
    rule = rule.partition(" ")[0]

    assert rule in rules(**bad)
    assert rule not in rules(**good)


def test_versions_that_share_a_query_are_named() -> None:
    experiment = copy.deepcopy(EXPERIMENT)
    third(sid="y")(experiment)
    data = [experiment, metric("m", GOOD), metric("reward", GOOD_REWARD)]
    documents = tuple(Document(f"f{i}.yaml", d) for i, d in enumerate(data))
    bundle, _ = assemble(documents, {})

    found = [f for f in lint(Loaded(bundle, (), documents)) if f.rule == "C63"]

    assert [f.message for f in found] == [
        f"metric default/{name}: asks the same for b and c" for name in ("reward", "m")
    ]
    assert {f.field for f in found} == {"spec.params[0].value"}


def test_the_twin_of_everything_is_clean() -> None:
    assert rules() == []


def test_every_rule_has_a_case_a_title_and_a_remedy() -> None:
    elsewhere = {
        "Vacuous",
        "D18",
        "Place",
        "Rewards",
        "Versions",
        "Kind",
        "Nobody",
        "Twice",
        "Again",
    }
    untested = {rule.id for rule in RULES} - set(CASES) - elsewhere

    assert untested == set()
    assert all(rule.title and rule.remedy for rule in RULES)


@pytest.mark.parametrize("pattern", ["Canary", "Conformance"])
def test_an_experiment_that_judges_nothing_is_told_so(pattern: str) -> None:
    def edit(experiment: dict[str, Any]) -> None:
        experiment["spec"]["strategy"]["testingPattern"] = pattern
        experiment["spec"]["criteria"] = {}

    assert "Vacuous" in rules(edit=edit)


@pytest.mark.parametrize(("routes", "fires"), [((100,), True), ((100, 0), False)])
def test_a_promotion_that_drops_a_route_is_found(routes: tuple[int, ...], fires: bool) -> None:
    data = [copy.deepcopy(EXPERIMENT), metric("m", GOOD), metric("reward", GOOD_REWARD)]
    promoted = virtual_service(*routes)
    documents = tuple(Document(f"f{i}.yaml", d) for i, d in enumerate([*data, promoted]))
    bundle, _ = assemble(documents[:-1], {})
    assert bundle is not None
    whole = bundle.model_copy(update={"promote": {"b": (promoted,)}})

    found = {finding.rule for finding in lint(Loaded(whole, (), documents))}

    assert ("D18" in found) is fires


@pytest.mark.parametrize(
    ("promoted", "fires"),
    [("told", True), ("a", False), ("b", False)],
    ids=["nobody's", "baseline's", "its-own"],
)
def test_a_promotion_that_takes_nobody_s_place_is_found(promoted: str, fires: bool) -> None:
    route = virtual_service(100, 0)
    for entry, name in zip(route["spec"]["http"][0]["route"], "ab", strict=True):
        entry["destination"] = {"host": f"{name}.default.svc.cluster.local"}
    copies = [{"apiVersion": "apps/v1", "kind": "Deployment",
               "metadata": {"name": name, "namespace": "default"}} for name in "ab"]  # fmt: skip
    winner = {**copies[0], "metadata": {"name": promoted, "namespace": "default"}}
    data = [copy.deepcopy(EXPERIMENT), metric("m", GOOD), metric("reward", GOOD_REWARD)]
    documents = tuple(Document(f"f{i}.yaml", d) for i, d in enumerate([*data, winner]))
    bundle, _ = assemble(documents[:-1], {})
    assert bundle is not None
    given = {"deploy": (*copies, route), "promote": {"b": (winner,)}}

    found = lint(Loaded(bundle.model_copy(update=given), (), documents))

    assert ("Place" in {finding.rule for finding in found}) is fires
