"""Any store that answers JSON over HTTP: Datadog, New Relic, Sysdig, Elastic and others.

The metric says how to ask (method, params, body, headers) and where the number is (jq).
"""

from __future__ import annotations

import json
from typing import Any

import requests

from crossfade.errors import SpecError
from crossfade.spec.interpolation import interpolate
from crossfade.spec.metric import Method
from crossfade.spec.prometheus import HttpSettings
from crossfade.verdict import Reading
from crossfade_steps.answers import jq_reading, program
from crossfade_steps.asking import (
    KeyTemplate,
    Secrets,
    checked_url,
    credentials,
    discreetly,
    excerpt,
    headers_of,
    new_session,
    told,
)
from crossfade_steps.ports import MetricRequest

REDIRECTS_FROM, ERRORS_FROM = 300, 400


class Settings(HttpSettings):
    """Nothing beyond HTTP."""


class Http:
    """Asks one request for one value (port ``MetricSource``)."""

    def __init__(self, settings: Settings, secrets: Secrets) -> None:
        self._settings, self._secrets = settings, secrets

    def read(self, request: MetricRequest) -> Reading:
        """Return the reading of one metric for one version."""
        settings = self._settings
        return discreetly(lambda own: Http(settings, own)._read(request), self._secrets)

    def _read(self, request: MetricRequest) -> Reading:
        """Return the reading of the metric's request for one version."""
        where = f"metric {request.key}"
        expression = request.metric.spec.jq_expression
        if not expression:
            raise SpecError(f"{where}: no jqExpression, expected one that finds the number")
        program(expression)
        prepared = self.prepare(request)
        with new_session(self._settings) as session:
            try:
                answer = session.request(timeout=self._settings.timeout, allow_redirects=False,
                                         **prepared)  # fmt: skip
            except requests.RequestException as error:
                reason = told(error, request.metric.spec.url_template)
                return Reading(None, f"request failed: {reason}", _shown(prepared))
        return _reading(answer, expression, _shown(prepared))

    def prepare(self, request: MetricRequest) -> dict[str, Any]:
        """Return the request as plain data: method, url, params, json, headers, auth."""
        metric, where = request.metric, f"metric {request.key}"
        keys, auth = credentials(metric, self._secrets, where=where)
        url = KeyTemplate((metric.spec.url_template or "").strip()).safe_substitute(keys)
        prepared: dict[str, Any] = {
            "method": metric.spec.method.value,
            "url": checked_url(url, where=where, written=metric.spec.url_template),
            "params": {p.name: _filled(p.value, request).strip() for p in metric.spec.params},
            "headers": headers_of(metric, keys),
            "auth": auth,
        }
        if metric.spec.method is Method.POST and metric.spec.body is not None:
            prepared["json"] = _json_body(_filled(metric.spec.body, request), where)
        return prepared


def _filled(text: str, request: MetricRequest) -> str:
    return interpolate(
        text,
        request.version,
        request.variables,
        request.elapsed_seconds,
        where=f"metric {request.key}",
    )


def _json_body(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise SpecError(f"{where}: the body is not JSON after interpolation: {error}") from error


def _shown(prepared: dict[str, Any]) -> str:
    """Return what was asked, without headers and credentials."""
    shown = prepared.get("json") or prepared["params"]
    return json.dumps(shown, sort_keys=True) if shown else ""


def _reading(answer: requests.Response, expression: str, query: str) -> Reading:
    if REDIRECTS_FROM <= answer.status_code < ERRORS_FROM:
        reason = f"request failed: HTTP {answer.status_code}: a redirect is not followed"
        return Reading(None, reason, query)
    if answer.status_code >= ERRORS_FROM:
        reason = f"request failed: HTTP {answer.status_code}, {excerpt(answer.content)}"
        return Reading(None, reason, query)
    try:
        body = answer.json()
    except ValueError:
        return Reading(None, f"the answer is not JSON: {excerpt(answer.content)}", query)
    return jq_reading(body, expression, query=query)


def connect(settings: Settings, secrets: Secrets) -> Http:
    """Return the source."""
    return Http(settings, secrets)
