from typing import Any

import pytest

from crossfade.errors import SpecError
from crossfade.spec.interpolation import interpolate, placeholders
from crossfade_steps.answers import jq_reading, number, prometheus_reading


def vector(*values: str) -> dict[str, Any]:
    result = [{"metric": {"pod": f"p{i}"}, "value": [1, v]} for i, v in enumerate(values)]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


@pytest.mark.parametrize(
    ("raw", "value"),
    [("0.0008", 0.0008), (5, 5.0), ("12e5", 1_200_000.0), ("NaN", None), ("+Inf", None),
     ("-Inf", None), (1.7976931348623157e308, None), (True, None), ([], None), (None, None),
     ("abc", None)],
)  # fmt: skip
def test_only_a_finite_number_is_a_value(raw: Any, value: float | None) -> None:
    got, reason = number(raw)

    assert got == value
    assert (got is None) == bool(reason)


@pytest.mark.parametrize("body", [[], "x", None, {}, {"data": []}, {"data": {"result": [5]}}])
def test_a_body_of_any_other_shape_is_no_data(body: Any) -> None:
    reading = prometheus_reading(body)

    assert reading.value is None
    assert reading.reason


def test_warnings_and_infos_are_kept() -> None:
    body = {**vector("1"), "warnings": ["w"], "infos": ["i"]}

    assert prometheus_reading(body).warnings == ("w", "i")


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        pytest.param(".missing", "is null", id="null"),
        pytest.param("empty", "gives nothing", id="no-output"),
        pytest.param(".a | tonumber", "no data: jq", id="runtime-error"),
        pytest.param(".flag", "is bool", id="boolean"),
    ],
)
def test_jq_without_a_number_is_no_data_with_its_expression(expression: str, reason: str) -> None:
    reading = jq_reading({"a": "x", "flag": True}, expression)

    assert reading.value is None
    assert reason in reading.reason
    assert expression in reading.reason


def test_a_jq_program_that_does_not_compile_is_refused() -> None:
    with pytest.raises(SpecError, match="jqExpression"):
        jq_reading({}, ".data[")


def test_variables_are_inserted_verbatim() -> None:
    query = "x{a='$name',${filter}}[${elapsedTime}s] $$"
    variables = {"filter": 'u!~"w"', "elapsedTime": "99"}

    text = interpolate(query, "v1", variables, 10, where="metric m")

    assert text == "x{a='v1',u!~\"w\"}[10s] $"


@pytest.mark.parametrize("text", ['pod=~".*$"', "$__rate_interval", "$1"])
def test_a_dollar_that_is_no_placeholder_is_text(text: str) -> None:
    assert placeholders(text) == ()
    assert interpolate(text, "v", {}, 1, where="m") == text


@pytest.mark.parametrize(
    ("variables", "what"),
    [({"hash": ""}, "is empty"), ({"hash": " "}, "is empty"), ({}, "not defined")],
)
def test_a_placeholder_without_a_value_is_refused(variables: dict[str, str], what: str) -> None:
    with pytest.raises(SpecError, match=f"metric m: placeholder \\$hash .*{what}.*v1"):
        interpolate('x{pod=~".*-$hash-.*"}', "v1", variables, 10, where="metric m")
