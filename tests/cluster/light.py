"""Rollouts of a light server in plain Deployments, everything in one namespace of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

Manifest = dict[str, Any]
ECHO = Path(__file__).with_name("echo.py").read_text()
BASELINE, CANDIDATE = "web-v1", "web-v2"
GOOD = {"REWARD": "0.4"}
# Every request earns: a candidate that got five requests in its first iterations is best then too.
BETTER = {"REWARD": "1"}
STORE = "prometheus.monitoring.svc.cluster.local"
PROMETHEUS = f"http://{STORE}:9090"
GATEWAY = "http://istio-ingressgateway.istio-system.svc.cluster.local"
ACCEPT = ["V9", "V26", "D30"]
QUERIES = {
    "requests": "sum(increase(echo_requests_total{{{own}}}[{window}s]))",
    "error-rate": "sum(rate(echo_requests_total{{code!='200',{own}}}[{window}s]))"
    " / (sum(rate(echo_requests_total{{{own}}}[{window}s])) > 0)",
    "mean-latency": "sum(rate(echo_seconds_sum{{{own}}}[{window}s]))"
    " / (sum(rate(echo_seconds_count{{{own}}}[{window}s])) > 0)",
    "reward": "sum(rate(echo_reward_total{{{own}}}[{window}s]))"
    " / (sum(rate(echo_requests_total{{{own}}}[{window}s])) > 0)",
}


def host(namespace: str) -> str:
    """Return the public host of a namespace's service."""
    return f"{namespace}.example.com"


def source() -> Manifest:
    """Return the ConfigMap with the server's program."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "echo"},
            "data": {"echo.py": ECHO}}  # fmt: skip


def deployment(name: str, image: str, environment: dict[str, str]) -> Manifest:
    """Return one version's Deployment; ``VERSION`` is its name unless the environment says."""
    values = {"VERSION": name, **environment}
    container = {
        "name": "server", "image": image,
        "command": ["/opt/executor/venv/bin/python", "/echo/echo.py"],
        "env": [{"name": key, "value": value} for key, value in values.items()],
        "ports": [{"name": "metrics", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 1,
                           "timeoutSeconds": 10},
        "volumeMounts": [{"name": "echo", "mountPath": "/echo"}],
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}},
    }  # fmt: skip
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels, "annotations": {"prometheus.io/scrape": "true"}},
                "spec": {"containers": [container], "terminationGracePeriodSeconds": 1,
                         "volumes": [{"name": "echo", "configMap": {"name": "echo"}}]},
            },
        },
    }  # fmt: skip


def service(name: str) -> Manifest:
    """Return one version's Service."""
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"selector": {"app": name},
                     "ports": [{"name": "http", "port": 80, "targetPort": 8080}]}}  # fmt: skip


def alias(name: str, target: str) -> Manifest:
    """Return a Service that is another name for a host."""
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"type": "ExternalName", "externalName": target}}  # fmt: skip


def route(namespace: str, weights: tuple[int, int] = (100, 0)) -> Manifest:
    """Return the VirtualService ``web``."""
    destinations = [
        {"destination": {"host": f"{name}.{namespace}.svc.cluster.local", "port": {"number": 80}},
         "weight": weight}
        for name, weight in zip((BASELINE, CANDIDATE), weights, strict=True)
    ]  # fmt: skip
    return {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
            "metadata": {"name": "web"},
            "spec": {"hosts": [host(namespace)], "gateways": ["istio-system/seldon-gateway"],
                     "http": [{"route": destinations}]}}  # fmt: skip


def experiment(namespace: str, iterations: int, interval: int) -> Manifest:
    """Return an A/B experiment of the two versions with a reward and two objectives."""
    versions = [
        {"name": name,
         "weightObjRef": {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
                          "name": "web", "namespace": namespace,
                          "fieldPath": f".spec.http[0].route[{i}].weight"},
         "variables": [{"name": "app", "value": name}, {"name": "ns", "value": namespace}]}
        for i, name in enumerate((BASELINE, CANDIDATE))
    ]  # fmt: skip
    return {
        "apiVersion": "iter8.tools/v2alpha2", "kind": "Experiment",
        "metadata": {"name": "web", "namespace": namespace},
        "spec": {
            "target": "web",
            "strategy": {"testingPattern": "A/B", "deploymentPattern": "Progressive"},
            "criteria": {
                "requestCount": "requests",
                "rewards": [{"metric": "reward", "preferredDirection": "High"}],
                "objectives": [
                    {"metric": "error-rate", "upperLimit": "0.05", "rollback_on_failure": True},
                    {"metric": "mean-latency", "upperLimit": "0.5"},
                ],
            },
            "duration": {"intervalSeconds": interval, "iterationsPerLoop": iterations},
            "versionInfo": {"baseline": versions[0], "candidates": versions[1:]},
        },
    }  # fmt: skip


def metrics(namespace: str, window: int) -> list[Manifest]:
    """Return the four metrics, over the last ``window`` seconds."""
    own = "app='$app',namespace='$ns'"
    return [
        {"apiVersion": "iter8.tools/v2alpha2", "kind": "Metric",
         "metadata": {"name": name, "namespace": namespace},
         "spec": {"type": "Counter" if name == "requests" else "Gauge", "provider": "prometheus",
                  **({} if name == "requests" else {"sampleSize": "requests"}),
                  "params": [{"name": "query", "value": query.format(own=own, window=window)}]}}
        for name, query in QUERIES.items()
    ]  # fmt: skip


def rollout(
    namespace: str,
    image: str,
    *,
    iterations: int = 5,
    interval: int = 3,
    candidate: dict[str, str] = BETTER,
    qps: float = 30,
    **spec: Any,
) -> Manifest:
    """Return the whole rollout as one document; ``spec`` adds to or replaces parts of it."""
    winner = deployment(BASELINE, image, {"VERSION": CANDIDATE, **candidate})
    parts = {
        "experiment": experiment(namespace, iterations, interval),
        "metrics": metrics(namespace, window=10),
        "deploy": [
            deployment(BASELINE, image, GOOD), service(BASELINE),
            deployment(CANDIDATE, image, {"VERSION": CANDIDATE, **candidate}), service(CANDIDATE),
            route(namespace),
        ],
        "load": [{"fortio": {"url": f"{GATEWAY}/predict", "qps": qps,
                             "headers": {"Host": host(namespace)}}}],
        "promote": {CANDIDATE: [winner], BASELINE: [deployment(BASELINE, image, GOOD)]},
        "policy": {"name": "iter8", "accept": ACCEPT},
        "loop": "pod",
        "prometheus": {"url": PROMETHEUS, "scrape_interval": 2},
        **spec,
    }  # fmt: skip
    return {"apiVersion": "crossfade.dev/v1alpha1", "kind": "Rollout",
            "metadata": {"name": "web", "namespace": namespace}, "spec": parts}  # fmt: skip
