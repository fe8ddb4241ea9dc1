"""Settings of the metric store: one model for the rollout's file and for what asks the store."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError, WithJsonSchema, model_validator

from crossfade.errors import SpecError
from crossfade.spec.base import Model
from crossfade.spec.durations import seconds

_WANTED = "expected seconds or a duration, such as 2, 2s, 500ms or 1m"


def _time(value: Any) -> float:
    """Return seconds of a number or a text, above 0.  Raises ``ValueError``."""
    found = _seconds(value)
    if not found:
        raise ValueError(_WANTED)
    return found


def _seconds(value: Any) -> float:
    """Return seconds of a number or a text: ``2``, ``2.5``, ``500ms``, ``2s``, ``1m``, and 0."""
    if isinstance(value, str):
        return _interval(value.strip())
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < math.inf:
        raise ValueError(_WANTED)
    return value


def _interval(text: str) -> float:
    number, unit = text.removesuffix("ms"), 0.001 if text.endswith("ms") else 1.0
    if re.fullmatch(r"\d+(\.\d+)?", number):
        return float(number) * unit
    try:
        return seconds(text, where="")
    except SpecError:
        raise ValueError(_WANTED) from None


_NUMBER_OR_TEXT = WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string"},
                                            {"type": "null"}]})  # fmt: skip
# an integer stays one: it is a part of the rollout's digest
Time = Annotated[int | float | None, BeforeValidator(lambda v: v if v is None else _time(v)),
                 _NUMBER_OR_TEXT]  # fmt: skip
TimeOrZero = Annotated[int | float | None,
                       BeforeValidator(lambda v: v if v is None else _seconds(v)),
                       _NUMBER_OR_TEXT]  # fmt: skip


class SeveralSeries(StrEnum):
    """What to do when a query gives several series: take the first with a warning, or refuse."""

    FIRST = "first"
    REFUSE = "refuse"


class HttpSettings(Model, allow_inf_nan=False):
    """How to talk to a metric store; times in seconds."""

    timeout: float = Field(default=5.0, gt=0, le=60)
    retries: int = Field(default=2, ge=0, le=10)
    most_retry_after: int = Field(default=5, ge=0, le=60)
    verify_tls: bool | str = True


def _both_spellings(schema: dict[str, Any], model: type[Model]) -> None:
    """Let the JSON Schema know the spelling of Python, too, which files of before have."""
    known = schema["properties"]
    for name, field in model.model_fields.items():
        known.setdefault(name, {**known[field.alias or name], "deprecated": True})


class PrometheusSettings(HttpSettings, json_schema_extra=_both_spellings):
    """Settings of Prometheus, in camelCase or in snake_case.

    ``url`` replaces the host of every metric's urlTemplate.  ``scrape_interval`` is how far apart
    scrapes are, ``latency`` how long after one the store answers with it (seconds, or ``2s``):
    windows end so much earlier, and are given.  ``several_series`` is what a query that gives
    several does: unless it is said, they are refused where the policy counts, and the first is
    taken where it does not.
    """

    url: str | None = None
    scrape_interval: Time = None
    latency: TimeOrZero = None
    several_series: SeveralSeries | None = None

    @model_validator(mode="before")
    @classmethod
    def _is_written_once(cls, given: Any) -> Any:
        for name, field in cls.model_fields.items():
            if (
                isinstance(given, Mapping)
                and field.alias != name
                and {name, field.alias} <= {*given}
            ):
                raise ValueError(f"{field.alias} and {name} are one setting, expected one of them")
        return given


def plain(given: Mapping[str, Any] | PrometheusSettings) -> dict[str, Any]:
    """Return what is set, by the names in Python, times in seconds, all else as it is written.

    Raises ``ValueError`` naming the setting.
    """
    if isinstance(given, PrometheusSettings):
        return given.model_dump(mode="json", exclude_unset=True)
    try:
        model = PrometheusSettings.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise ValueError(f"prometheus.{where}: {first['msg']}, got {first['input']!r}") from None
    names = {field.alias: name for name, field in PrometheusSettings.model_fields.items()}
    found = {names.get(key, key): value for key, value in given.items()}
    return found | {name: getattr(model, name) for name in ("scrape_interval", "latency")
                    if name in found}  # fmt: skip
