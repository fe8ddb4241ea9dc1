"""What an answer of a metric store means: a number, or why there is none.

Unknown is never zero: an empty vector, NaN, infinity, an error and a partial answer are readings
without a value, each with its own reason (faults C1-C15).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from typing import Any

import jq

from crossfade.errors import SpecError
from crossfade.spec.prometheus import SeveralSeries
from crossfade.verdict import Reading
from crossfade_steps.asking import excerpt


def number(raw: Any, *, what: str = "the value") -> tuple[float | None, str]:
    """Return a finite number, or None and the reason.  Text is read as Prometheus writes it."""
    if raw is None:
        return None, f"no data: {what} is null"
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        return None, f"{what} is {type(raw).__name__}, expected a number"
    try:
        value = float(raw)
    except (ValueError, OverflowError):
        return None, f"{what} is {excerpt(raw)!r}, expected a number"
    if math.isnan(value):
        return None, f"no data: {what} is NaN (a division by zero?)"
    if math.isinf(value) or abs(value) > 1e300:
        return None, f"{what} is {'+' if value > 0 else '-'}Inf, which is not a usable number"
    return value, ""


def prometheus_reading(
    body: Any, *, query: str = "", several: SeveralSeries = SeveralSeries.FIRST
) -> Reading:
    """Return the reading of an answer of ``/api/v1/query`` (vector or scalar)."""
    if not isinstance(body, Mapping):
        return Reading(None, f"the answer is not a JSON object: {excerpt(body)}", query)
    warnings = _warnings(body)
    refused = _refusal(body)
    if refused is not None:
        return Reading(None, refused, query, warnings)
    data = body.get("data")
    result = data.get("result") if isinstance(data, Mapping) else None
    kind = data.get("resultType", "vector") if isinstance(data, Mapping) else None
    if not isinstance(result, list):
        return Reading(None, "the answer has no data.result", query, warnings)
    if kind == "scalar":
        return _from_pair(result, query, warnings)
    if kind != "vector":
        reason = f"the query gives a {kind}, expected one value per version"
        return Reading(None, reason + _tail(warnings), query, warnings)
    return _from_vector(result, query, warnings, several)


def jq_reading(body: Any, expression: str, *, query: str = "") -> Reading:
    """Return the reading of any JSON body through a jq expression: its first output, a number."""
    try:
        raw = program(expression).input_value(body).first()
    except StopIteration:
        return Reading(None, f"no data: jq {expression!r} gives nothing", query)
    except ValueError as error:
        reason = f"no data: jq {expression!r}: {excerpt(str(error))}; body {excerpt(body)}"
        return Reading(None, reason, query)
    value, reason = number(raw, what=f"jq {expression!r}")
    return Reading(value, reason and f"{reason}; body {excerpt(body)}", query)


@cache
def program(expression: str) -> Any:
    """Return the compiled jq program.  Raises ``SpecError`` where it does not compile."""
    try:
        return jq.compile(expression)
    except ValueError as error:
        raise SpecError(f"jqExpression {expression!r}: {excerpt(str(error))}") from error


def _refusal(body: Mapping[str, Any]) -> str | None:
    """Return why the answer as a whole cannot be trusted, None when it can."""
    if body.get("status") == "error":
        kind, text = body.get("errorType", "error"), body.get("error", "no message")
        return f"query failed: {kind} {excerpt(text)}"
    if body.get("isPartial"):
        return "partial answer: some storage did not answer (isPartial)"
    return None


def _from_vector(
    result: list[Any], query: str, warnings: tuple[str, ...], several: SeveralSeries
) -> Reading:
    if not result:
        return Reading(None, "no data: the query matches no series", query, warnings)
    if len(result) > 1:
        labels = "; ".join(_labels(series) for series in result[:3])
        text = (
            f"{len(result)} series where one was expected ({labels}{', ...' * (len(result) > 3)})"
        )
        if several is SeveralSeries.REFUSE:
            how = "add them up in the query, as with sum(...)"
            return Reading(None, f"{text}: {how}", query, warnings)
        warnings = (*warnings, f"{text}: {len(result) - 1} ignored")
    series = result[0]
    pair = series.get("value") if isinstance(series, Mapping) else None
    return _from_pair(pair, query, warnings)


def _from_pair(pair: Any, query: str, warnings: tuple[str, ...]) -> Reading:
    if not isinstance(pair, list) or len(pair) != 2:
        return Reading(None, "no data: the series has no value", query, warnings)
    value, reason = number(pair[1])
    return Reading(value, reason, query, warnings)


def _labels(series: Any) -> str:
    metric = series.get("metric") if isinstance(series, Mapping) else None
    if not isinstance(metric, Mapping) or not metric:
        return "no labels"
    return ", ".join(f"{key}={value}" for key, value in sorted(metric.items()))


def _warnings(body: Mapping[str, Any]) -> tuple[str, ...]:
    found = []
    for key in ("warnings", "infos"):
        texts = body.get(key)
        found += [excerpt(str(text)) for text in texts] if isinstance(texts, list) else []
    return tuple(found)


def _tail(warnings: tuple[str, ...]) -> str:
    return f" ({warnings[0]})" if warnings else ""
