"""Rules about the experiment itself: how long, how much, and what happens at its end."""

from __future__ import annotations

from collections.abc import Iterator

from crossfade import policies
from crossfade.counting import SCRAPE_SECONDS
from crossfade.errors import Severity, SpecError
from crossfade.lint.rule import Context, Place, rule
from crossfade.lint.shapes import shapes
from crossfade.spec.experiment import TestingPattern, qualified
from crossfade.spec.interpolation import ELAPSED, placeholders
from crossfade.spec.requests import request_rate
from crossfade.spec.rollout import Bundle
from crossfade.spec.urls import split

SMALLEST_SHARE = 0.05
FEWEST_REQUESTS = 20
LOWEST_RATE = 1.0
REWARDED = (TestingPattern.AB, TestingPattern.ABN)
NOT_COMPARED = {"value": "a bare value", "quantile": "a percentile",
                "mean": "a mean of values without known ends"}  # fmt: skip


@rule(
    "D6",
    "the interval is shorter than two scrapes",
    "make it at least twice the scrape interval, or state spec.prometheus.scrape_interval",
)
def interval_under_two_scrapes(context: Context) -> Iterator[Place]:
    """``rate`` and ``increase`` need two samples in their window."""
    asks = any(s.range_seconds for asked in context.asked for s in asked.query.selectors())
    if asks and not policies.counts(context.bundle.policy.name):
        yield from _under_two_scrapes(context)


@rule(
    "E1",
    "the policy counts between scrapes, and the interval has fewer than two",
    "make it at least twice the scrape interval, or state spec.prometheus.scrape_interval",
    Severity.ERROR,
)
def counts_under_two_scrapes(context: Context) -> Iterator[Place]:
    """Find windows of counts, which end a scrape ago, that would be empty or of one scrape."""
    if policies.counts(context.bundle.policy.name) and context.asked:
        yield from _under_two_scrapes(context)


@rule(
    "E2",
    "the policy cannot compare this reward",
    "write a ratio of counters, 0 to 1 a request; or name the ends of a mean's values in "
    "policy.reward_range; or take policy iter8, which compares values",
    Severity.ERROR,
)
def reward_without_ends(context: Context) -> Iterator[Place]:
    """Find rewards that are values, percentiles or means of values without known ends."""
    bundle, criteria = context.bundle, context.experiment.spec.criteria
    if not criteria.rewards or context.experiment.spec.strategy.testing_pattern not in REWARDED:
        return
    key = qualified(criteria.rewards[0].metric, context.experiment.namespace)
    shape = shapes(bundle).get(key)
    if shape is None and _unfilled(bundle, key):
        return  # its query is not known: a placeholder without a value is another finding
    try:
        comparable = policies.comparable(bundle.policy, shape)
    except SpecError:
        return  # the policy itself is wrong, which is another finding
    if not comparable:
        what = NOT_COMPARED["value" if shape is None else shape.kind]
        message = f"reward {key} is {what}, which policy {bundle.policy.name} cannot compare"
        yield context.at_experiment(message, "spec", "criteria", "rewards", 0)


@rule(
    "E3",
    "jq makes something else of the value, so what the query counts cannot be judged",
    "write the unit into the query or the limits (a limit in seconds), and jqExpression as "
    ".data.result[0].value[1] | tonumber",
)
def jq_hides_counts(context: Context) -> Iterator[Place]:
    """Find values that go through jq: they are in a unit that the query's counters are not."""
    if not policies.counts(context.bundle.policy.name):
        return
    for asked in context.asked:
        spec = asked.metric.spec
        if spec.provider == "prometheus" and not spec.mock and not asked.metric.plain:
            place = asked.place(f"jq {spec.jq_expression!r} leaves a bare value, not statistical")
            yield Place(place.document, ("spec", "jqExpression"), place.message)


def _unfilled(bundle: Bundle, key: str) -> bool:
    """Return whether the baseline lacks a variable that a metric's query asks for."""
    metric, baseline = bundle.metrics.get(key), bundle.experiment.versions[0]
    known = {"name", ELAPSED, *(variable.name for variable in baseline.variables if variable.value)}
    return metric is not None and bool({*placeholders(metric.query or "")} - known)


def _under_two_scrapes(context: Context) -> Iterator[Place]:
    scrape = float(context.bundle.prometheus.get("scrape_interval") or SCRAPE_SECONDS)
    interval = context.experiment.spec.duration.interval_seconds
    if interval < 2 * scrape:
        message = f"intervalSeconds {interval} is less than two scrapes of {scrape:g} s"
        yield context.at_experiment(message, "spec", "duration", "intervalSeconds")


@rule("D8", "a counter's increase is guessed from very few events", "raise the load or the window")
def increase_of_few(context: Context) -> Iterator[Place]:
    """``increase`` loses a counter's first sample and extrapolates the rest."""
    rate = _rate(context)
    if rate is None or rate * SMALLEST_SHARE >= LOWEST_RATE:
        return
    for asked in context.asked:
        if any("increase" in s.functions for s in asked.query.selectors()):
            share = rate * SMALLEST_SHARE
            yield asked.place(f"increase() of about {share:g} events a second is mostly a guess")
            return


@rule(
    "D9",
    "the first decisions rest on a handful of requests",
    "raise the load or the interval: no rule can tell good from bad by so few",
)
def few_requests(context: Context) -> Iterator[Place]:
    """Find loads whose first 5 % is only a few requests an interval."""
    rate = _rate(context)
    if rate is None or len(context.experiment.versions) < 2:
        return
    interval = context.experiment.spec.duration.interval_seconds
    expected = rate * SMALLEST_SHARE * interval
    if expected < FEWEST_REQUESTS:
        message = (
            f"{rate:g} requests a second give a candidate at 5 % about {expected:.3g} requests an "
            f"interval, expected at least {FEWEST_REQUESTS}"
        )
        yield context.at_experiment(message, "spec", "duration", "intervalSeconds")


@rule(
    "D15",
    "a promotion is fetched from the internet",
    "keep the manifest beside the rollout and name it under spec.promote",
)
def promote_from_url(context: Context) -> Iterator[Place]:
    """Find promotions named by a URL: what it gives can change or vanish."""
    for i, version in enumerate(context.experiment.versions):
        where = ("baseline",) if i == 0 else ("candidates", i - 1)
        for j, variable in enumerate(version.variables):
            if "://" in variable.value:
                message = f"variable {variable.name} of {version.name} is a URL: it is not fetched"
                path = ("spec", "versionInfo", *where, "variables", j)
                yield context.at_experiment(message, *path)


@rule(
    "D16",
    "an action runs a shell command with inserted text",
    "name the winner's manifests under spec.promote",
)
def shell_action(context: Context) -> Iterator[Place]:
    """Actions with commands are never run: ``promote`` replaces them."""
    for action, tasks in (context.experiment.spec.strategy.actions or {}).items():
        for i, task in enumerate(tasks or ()):
            if task.task in ("common/exec", "common/bash") or task.run is not None:
                message = f"{action}[{i}] ({task.task or 'run'}) is never run"
                yield context.at_experiment(message, "spec", "strategy", "actions", action, i)


@rule("D20", "the experiment has no namespace", "write metadata.namespace")
def no_namespace(context: Context) -> Iterator[Place]:
    """Find a missing namespace: references to metrics and routes depend on it."""
    if context.experiment.metadata.namespace is None:
        message = f"experiment {context.experiment.name} has no namespace, default is assumed"
        yield context.at_experiment(message, "metadata")


@rule(
    "D22",
    "nothing ends the experiment early",
    "set rollback_on_failure on the objectives that must hold",
)
def never_rolls_back(context: Context) -> Iterator[Place]:
    """Without it a bad candidate keeps its traffic until the last iteration."""
    objectives = context.experiment.spec.criteria.objectives
    pattern = context.experiment.spec.strategy.testing_pattern
    if pattern is TestingPattern.CONFORMANCE or context.bundle.policy.name != "iter8":
        return
    if objectives and not any(o.rollback_on_failure for o in objectives):
        message = "no objective has rollback_on_failure: a bad candidate stays until the end"
        yield context.at_experiment(message, "spec", "criteria", "objectives")


@rule(
    "D26",
    "the metric store is asked over plain HTTP at a short name",
    "write its full name and https where it has it, or set spec.prometheus.url",
)
def short_plain_url(context: Context) -> Iterator[Place]:
    """Find short service names: they depend on where they are resolved."""
    if context.bundle.prometheus.get("url"):
        return
    for key, metric in context.bundle.metrics.items():
        url = (metric.spec.url_template or "").strip()
        parts = split(url)
        host = (parts.hostname if parts is not None else None) or ""
        if url.startswith("http://") and _is_short(host):
            document = context.metric_document(key)
            message = f"metric {key}: {host} is a short name, asked over plain HTTP"
            yield Place(document, ("spec", "urlTemplate"), message)


def _is_short(host: str) -> bool:
    """Return whether a name is neither a service's full one, nor an address or this machine's."""
    address = ":" in host or host.replace(".", "").isdigit()
    return bool(host) and host != "localhost" and host.count(".") < 3 and not address


def _rate(context: Context) -> float | None:
    return request_rate(context.bundle)
