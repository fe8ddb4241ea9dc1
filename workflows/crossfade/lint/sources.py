"""Rules about where a metric is asked, and what an experiment leaves unsaid."""

from __future__ import annotations

from collections.abc import Iterator
from string import Template

import promql_parser

from crossfade.errors import Severity
from crossfade.lint.rule import Asked, Context, Place, rule
from crossfade.spec.experiment import TestingPattern
from crossfade.spec.interpolation import ELAPSED, placeholders
from crossfade.spec.urls import masked

PROMETHEUS_JQ = ".data.result[0].value[1]|tonumber"


@rule(
    "Unit",
    "a window without a unit",
    "write [${elapsedTime}s]: elapsedTime is a bare number of seconds",
)
def window_without_unit(context: Context) -> Iterator[Place]:
    """Find ``[$elapsedTime]``, which Prometheus 2 refuses (missing unit character)."""
    for asked in context.asked:
        if _takes_unit(asked):
            yield asked.place("[$elapsedTime] has no unit")


def _takes_unit(asked: Asked) -> bool:
    """Return whether the query still parses when the placeholder already brings its unit."""
    text = asked.metric.query or ""
    if ELAPSED not in placeholders(text):
        return False
    words = {name: "x" for name in placeholders(text)}
    try:
        promql_parser.parse(Template(text).safe_substitute({**words, ELAPSED: "60s"}))
    except ValueError:
        return False
    return True


@rule("Jq", "a jq expression of another store", "write where this store's answer has the number")
def jq_of_prometheus(context: Context) -> Iterator[Place]:
    """Find Prometheus' jq expression on a metric of another provider."""
    for key, metric in context.bundle.metrics.items():
        expression = "".join((metric.spec.jq_expression or "").split())
        if metric.spec.provider not in (None, "prometheus", "iter8") and (
            expression == PROMETHEUS_JQ
        ):
            message = f"metric {key}: provider {metric.spec.provider} with Prometheus' jqExpression"
            yield Place(context.metric_document(key), ("spec", "jqExpression"), message)


@rule("Url", "a Prometheus URL that is not its query endpoint", "end it in /api/v1/query")
def url_without_query(context: Context) -> Iterator[Place]:
    """Find metrics of Prometheus whose URL would answer 404, or that have none."""
    if context.bundle.prometheus.get("url"):
        return
    for asked in context.asked:
        url = (asked.metric.spec.url_template or "").strip()
        if not url:
            yield asked.place("has no urlTemplate, and the rollout no prometheus.url")
        elif not url.endswith("/api/v1/query"):
            message = f"metric {asked.key}: {masked(url)} is not a query endpoint"
            yield Place(asked.document, ("spec", "urlTemplate"), message)


@rule("Vacuous", "nothing is judged", "write the objectives that a version must meet")
def nothing_judged(context: Context) -> Iterator[Place]:
    """Find experiments that only judge by objectives and have none."""
    pattern = context.experiment.spec.strategy.testing_pattern
    judging = pattern in (TestingPattern.CONFORMANCE, TestingPattern.CANARY)
    if judging and not context.experiment.spec.criteria.objectives:
        who = "the baseline" if pattern is TestingPattern.CONFORMANCE else "the candidate"
        message = f"{pattern} without objectives: {who} wins at once, whatever happens"
        yield context.at_experiment(message, "spec", "criteria")


@rule(
    "Namespace",
    "a weight's namespace is assumed",
    "write weightObjRef.namespace",
)
def assumed_namespace(context: Context) -> Iterator[Place]:
    """Find references without a namespace while the target names another one."""
    experiment = context.experiment
    wanted, slash, _ = experiment.spec.target.partition("/")
    if not slash or wanted == experiment.namespace:
        return
    for i, version in enumerate(experiment.versions):
        ref = version.weight_obj_ref
        if ref is not None and ref.namespace is None:
            where = ("baseline",) if i == 0 else ("candidates", i - 1)
            path = ("spec", "versionInfo", *where, "weightObjRef")
            message = (
                f"{ref.kind} {ref.name} of {version.name} is looked for in namespace "
                f"{experiment.namespace}, but the target says {wanted}"
            )
            yield context.at_experiment(message, *path)


@rule("Method", "a body that is never sent", "set spec.method: POST", Severity.WARNING)
def body_of_a_get(context: Context) -> Iterator[Place]:
    """Find a body on a metric that is asked by GET."""
    for key, metric in context.bundle.metrics.items():
        if metric.spec.body is not None and metric.spec.method == "GET":
            place = context.metric_document(key)
            yield Place(place, ("spec", "body"), f"metric {key}: method GET sends no body")
