"""Metric sources, one file a kind.  The folder is the registry."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from pydantic import ValidationError

from crossfade.errors import SpecError
from crossfade.spec.metric import Metric
from crossfade_steps.answers import program
from crossfade_steps.asking import Secrets, checked_url, no_secrets
from crossfade_steps.ports import MetricSource


def kinds() -> tuple[str, ...]:
    """Return every kind of source there is."""
    return tuple(info.name for info in pkgutil.iter_modules(__path__))


def kind_of(metric: Metric) -> str:
    """Return which source answers a metric: mock levels win, then its provider, then plain HTTP.

    Raises ``SpecError`` for a metric that nothing here can answer.
    """
    spec = metric.spec
    if spec.mock:
        return "mock"
    if spec.provider in kinds():
        return str(spec.provider)
    if spec.provider == "iter8":
        return "builtin"
    if spec.url_template and spec.jq_expression:
        return "http"
    name = metric.metadata.name
    raise SpecError(
        f"metric {name}: provider {spec.provider!r} has no source here, and without urlTemplate "
        f"and jqExpression it cannot be asked over HTTP",
        hint=f"providers with a source of their own: {', '.join(kinds())}",
    )


def unanswerable(metric: Metric) -> SpecError | None:
    """Return why a metric could never be read, as far as that is known before asking."""
    spec = metric.spec
    try:
        kind = kind_of(metric)
        if spec.jq_expression and kind != "mock":
            program(spec.jq_expression)
        if kind == "http" and spec.url_template and "$" not in spec.url_template:
            checked_url(spec.url_template.strip(), where=f"metric {metric.metadata.name}")
        if kind == "prometheus" and metric.query is None:
            return SpecError(f"metric {metric.metadata.name}: no parameter called query",
                             hint="add it to spec.params")  # fmt: skip
    except SpecError as error:
        return error
    return None


def refused_settings(settings: Mapping[str, Mapping[str, Any]]) -> SpecError | None:
    """Return why settings by kind are none, None for good ones."""
    try:
        for kind in settings:
            _settings(importlib.import_module(f"{__name__}.{kind}"), kind, settings)
    except SpecError as error:
        return error
    return None


def connect(
    metrics: Mapping[str, Metric],
    settings: Mapping[str, Mapping[str, Any]],
    secrets: Secrets = no_secrets,
) -> dict[str, MetricSource]:
    """Return the source of each metric by its key; one source serves all metrics of its kind.

    ``settings`` are by kind.  Raises ``SpecError`` for settings that the kind does not know.
    """
    sources: dict[str, MetricSource] = {}
    by_metric = {}
    for key, metric in metrics.items():
        kind = kind_of(metric)
        if kind not in sources:
            module = importlib.import_module(f"{__name__}.{kind}")
            sources[kind] = module.connect(_settings(module, kind, settings), secrets)
        by_metric[key] = sources[kind]
    return by_metric


def _settings(module: ModuleType, kind: str, settings: Mapping[str, Mapping[str, Any]]) -> Any:
    try:
        return module.Settings.model_validate(dict(settings.get(kind, {})))
    except ValidationError as error:
        details = error.errors(include_url=False)[0]
        field = ".".join(map(str, details["loc"]))
        raise SpecError(
            f"spec.{kind}.{field}: {details['msg'].lower()}, got {details['input']!r}",
            hint=f"it takes {', '.join(module.Settings.model_fields)}",
        ) from error
