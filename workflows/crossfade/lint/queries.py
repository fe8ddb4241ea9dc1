"""Rules about what the metrics' queries really measure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from crossfade.errors import Severity
from crossfade.lint.promql import ELAPSED_STAND_IN, Selector, guards_with_zero
from crossfade.lint.ratios import is_ratio, scale_of
from crossfade.lint.rule import Asked, Context, Place, rule
from crossfade.lint.shapes import shapes
from crossfade.spec.experiment import Direction, Version, qualified
from crossfade.spec.interpolation import ELAPSED, interpolate, placeholders
from crossfade.spec.metric import Metric
from crossfade.spec.source import Path

EXECUTOR = "seldon_api_executor_"
CLIENT, SERVER = f"{EXECUTOR}client_requests_seconds", f"{EXECUTOR}server_requests_seconds"
TOP_BUCKET = 10.0
"""The largest finite bucket of the histograms of Seldon's executor, seconds."""
EVERYTHING = re.compile(r"\^?(\(?\.[*+]\??\)?|\*)+\$?")
MILLISECONDS = ("ms", "millisecond", "milliseconds")


@rule("D1", "a count is read from a sum", "query the _count series")
def count_from_sum(context: Context) -> Iterator[Place]:
    """Find metrics called count that only select ``_sum``: seconds, not requests."""
    for asked in context.asked:
        names = [selector.name for selector in asked.query.selectors()]
        if "count" in asked.key and names and all(name.endswith("_sum") for name in names):
            yield asked.place(f"is called a count but adds up {names[0]}")


@rule(
    "D2",
    "a limit that cannot fail: its unit is not the metric's, or it is above the largest bucket",
    "write units and limits in the unit of the series (seconds for *_seconds)",
    Severity.ERROR,
)
def unit_clash(context: Context) -> Iterator[Place]:
    """Compare the metric's units and limits with the suffix of what it selects (C65)."""
    limits, known = _limits(context), shapes(context.bundle)
    for asked in context.asked:
        selectors = asked.query.selectors()
        plain = not is_ratio(asked) and scale_of(known.get(asked.key)) == 1
        seconds = plain and any("_seconds" in s.name for s in selectors)
        units = (asked.metric.spec.units or "").lower()
        if seconds and units in MILLISECONDS:
            yield asked.place(f"units are {units} but {selectors[0].name} is in seconds")
            continue
        top = TOP_BUCKET if any(s.name == f"{CLIENT}_bucket" for s in selectors) else None
        limit = limits.get(asked.key)
        if top is not None and limit is not None and limit > top:
            yield asked.place(f"limit {limit:g} is above the largest finite bucket {top:g}")


@rule(
    "D3",
    "calls of other services are mixed in",
    "add service='/predict' to the selector of the executor's client series",
)
def client_without_service(context: Context) -> Iterator[Place]:
    """Find latencies that include feedback calls, which come also at 0 % traffic."""
    for asked in context.asked:
        if any(s.name.startswith(CLIENT) and s.matcher("service") is None
               for s in asked.query.selectors()):  # fmt: skip
            yield asked.place("has no service label, so feedback calls count as predictions")


@rule(
    "D4",
    "errors are counted over all services, or everything but 200 is an error",
    "select service='predictions' and code!~'2..'",
)
def errors_of_everything(context: Context) -> Iterator[Place]:
    """Find error rates over several services, or of everything but 200."""
    for asked in context.asked:
        for selector in asked.query.selectors():
            code = selector.matcher("code")
            if not selector.name.startswith(SERVER) or code is None:
                continue
            if selector.matcher("service") is None:
                yield asked.place("has no service label, so feedback and status calls count")
                break
            if code == ("!=", "200"):
                yield asked.place("code!='200' counts 201 and 204 as errors")
                break


@rule(
    "D5",
    "a division by zero where there is no traffic",
    "divide by (... > 0), and put 'or vector(0)' around the numerator alone",
)
def division_by_zero(context: Context) -> Iterator[Place]:
    """``x / (... or vector(0))`` gives NaN without traffic, and ``(x / y) or vector(0)`` a 0."""
    for asked in context.asked:
        if any(guards_with_zero(tree) for tree in asked.query.divisions()):
            yield asked.place("divides by '... or vector(0)', which is 0/0 = NaN without traffic")
        if asked.query.zeroed():
            yield asked.place(
                "'(... / ...) or vector(0)' is 0 without traffic, which nobody served"
            )


@rule(
    "D7",
    "the window is everything since the start",
    "use a fixed window of a few scrapes, such as [60s]",
)
def cumulative_window(context: Context) -> Iterator[Place]:
    """Late trouble is diluted by the good time before it."""
    for asked in context.asked:
        windows = [s.range_seconds for s in asked.query.selectors()]
        if ELAPSED_STAND_IN in windows:
            yield asked.place("looks at everything since the start: late trouble is diluted")


@rule(
    "D10",
    "the reward is a count, so whoever gets more traffic looks better",
    "divide by the number of predictions",
)
def reward_is_a_count(context: Context) -> Iterator[Place]:
    """Find rewards that are not per request."""
    for asked in _rewards(context):
        functions = {f for s in asked.query.selectors() for f in s.functions}
        if "increase" in functions and not asked.query.divides:
            yield asked.place("is a count and grows with traffic and time, whatever the version")


@rule("D12", "failed feedback counts as reward", "add code='200' to the feedback selector")
def failed_feedback(context: Context) -> Iterator[Place]:
    """Find rewards that count failed feedback requests."""
    for asked in _rewards(context):
        feedback = [s for s in asked.query.selectors() if _is_feedback(s)]
        if any(selector.matcher("code") is None for selector in feedback):
            yield asked.place("counts failed feedback requests as well")


@rule(
    "C10",
    "a placeholder has no value",
    "give every version the variable, or correct its name",
    Severity.ERROR,
)
def placeholder_without_value(context: Context) -> Iterator[Place]:
    """Find placeholders without a value: the query is valid and matches nothing."""
    for key, path, text in _texts(context):
        for version in context.experiment.versions:
            known = {v.name: v.value for v in version.variables}
            values = {"name": version.name, **known, ELAPSED: "1"}
            for name in placeholders(text):
                if not values.get(name, "").strip():
                    state = "is empty" if name in values else "is not defined"
                    message = f"metric {key}: ${name} {state} for version {version.name}"
                    yield Place(context.metric_document(key), path, message)


@rule(
    "Wide",
    "a variable's value matches everything",
    "name what the version's series have and no other's",
)
def variable_of_everything(context: Context) -> Iterator[Place]:
    """Find values as ``.*``, by which a query selects whatever there is."""
    used = {name for _, _, text in _texts(context) for name in placeholders(text)}
    for i, version in enumerate(context.experiment.versions):
        where = ("baseline",) if i == 0 else ("candidates", i - 1)
        for j, variable in enumerate(version.variables):
            if variable.name in used and EVERYTHING.fullmatch(variable.value.strip()):
                path = ("spec", "versionInfo", *where, "variables", j, "value")
                message = f"variable {variable.name} of {version.name} is {variable.value!r}"
                yield context.at_experiment(message, *path)


def _texts(context: Context) -> Iterator[tuple[str, Path, str]]:
    """Yield every text that variables are put into: (metric, where it stands, text)."""
    for key, metric in context.bundle.metrics.items():
        for i, parameter in enumerate(metric.spec.params):
            yield key, ("spec", "params", i, "value"), parameter.value
        if metric.spec.body is not None:
            yield key, ("spec", "body"), metric.spec.body


@rule(
    "C63",
    "a query cannot tell the versions apart",
    "select by a variable that differs between the versions",
    Severity.ERROR,
)
def same_for_some(context: Context) -> Iterator[Place]:
    """Equal text after interpolation means that versions share one number, on any store."""
    for key, metric in context.bundle.metrics.items():
        texts = _varying(metric)
        if metric.spec.mock or metric.spec.provider == "iter8" or not texts:
            continue
        alike: dict[tuple[str, ...], list[str]] = {}
        for version in context.experiment.versions:
            alike.setdefault(_filled(texts, version, key), []).append(version.name)
        for names in alike.values():
            if len(names) > 1:
                text = f"metric {key}: asks the same for {', '.join(names[:-1])} and {names[-1]}"
                yield Place(context.metric_document(key), _query_path(metric), text)


def _varying(metric: Metric) -> list[str]:
    """Return the texts by which a request may differ: a query, or everything that is sent."""
    spec = metric.spec
    if spec.provider in (None, "prometheus"):
        return [metric.query] if metric.query is not None else []
    return [p.value for p in spec.params] + ([] if spec.body is None else [spec.body])


def _query_path(metric: Metric) -> Path:
    names = [parameter.name for parameter in metric.spec.params]
    return ("spec", "params", names.index("query"), "value") if "query" in names else ("spec",)


def _filled(texts: list[str], version: Version, key: str) -> tuple[str, ...]:
    """Return the texts with the version's variables; what has no value is another finding."""
    names = [name for text in texts for name in placeholders(text) if name not in (ELAPSED, "name")]
    own = {v.name: v.value.strip() or "x" for v in version.variables}
    values = {**dict.fromkeys(names, "x"), **own}
    return tuple(interpolate(text, version.name, values, 1, where=key) for text in texts)


@rule("PromQL", "a query does not parse", "correct the query", Severity.ERROR)
def unparsable(context: Context) -> Iterator[Place]:
    """Prometheus would refuse the query at every iteration."""
    for asked in context.asked:
        if asked.query.error:
            yield asked.place(f"the query does not parse: {asked.query.error.splitlines()[0]}")


def _limits(context: Context) -> dict[str, float]:
    return {
        qualified(o.metric, context.experiment.namespace): o.upper_limit
        for o in context.experiment.spec.criteria.objectives
        if o.upper_limit is not None
    }


def _rewards(context: Context) -> Iterator[Asked]:
    namespace = context.experiment.namespace
    rewards = context.experiment.spec.criteria.rewards
    keys = [qualified(r.metric, namespace) for r in rewards
            if r.preferred_direction in Direction]  # fmt: skip
    yield from (asked for asked in context.asked if asked.key in keys)


def _is_feedback(selector: Selector) -> bool:
    return selector.matcher("service") == ("=", "feedback")
