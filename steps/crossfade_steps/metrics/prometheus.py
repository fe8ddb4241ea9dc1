"""Prometheus, through prometheus-api-client.

The library's ``custom_query`` gives only ``data.result`` and drops status, warnings and infos, so
it gets a session of ours that keeps the whole answer of the request it made.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import requests
from prometheus_api_client import PrometheusConnect
from prometheus_api_client.exceptions import PrometheusApiClientException

from crossfade.counting import SCRAPE_SECONDS, counting
from crossfade.errors import BackendError, SpecError
from crossfade.spec.interpolation import interpolate
from crossfade.spec.metric import Metric
from crossfade.spec.prometheus import PrometheusSettings, SeveralSeries
from crossfade.verdict import Reading
from crossfade_steps.answers import (
    jq_reading,
    prometheus_reading,
)
from crossfade_steps.asking import (
    Secrets,
    checked_url,
    credentials,
    discreetly,
    excerpt,
    headers_of,
    retry_policy,
    told,
)
from crossfade_steps.ports import MetricRequest
from crossfade_steps.samples import gaps_of
from crossfade_steps.window import LOOK_BACK, read_counts

API = "/api/v1/query"
FEWEST_SCRAPES = 4
"""How many scrapes one looks back at least, so that one may fail."""
RECENT_SECONDS = 900
"""How far one looks back for how far apart scrapes are."""
SPARSE = 1.5
"""How many times as far apart as stated samples must be to be told of: a few scrapes may fail."""
OK = 200


Settings = PrometheusSettings


class _Keeping(requests.Session):
    """A session that keeps the last answer."""

    answer: requests.Response | None = None

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        self.answer = super().request(*args, **{**kwargs, "allow_redirects": False})
        return self.answer


class Prometheus:
    """Asks one query for one value (port ``MetricSource``)."""

    def __init__(self, settings: Settings, secrets: Secrets) -> None:
        self._settings, self._secrets = settings, secrets

    def read(self, request: MetricRequest) -> Reading:
        """Return the reading of one metric for one version."""
        settings = self._settings
        return discreetly(lambda own: Prometheus(settings, own)._read(request), self._secrets)

    def _read(self, request: MetricRequest) -> Reading:
        """Return the reading of the metric's query for one version."""
        metric, where = request.metric, f"metric {request.key}"
        if metric.query is None:
            raise SpecError(f"{where}: no parameter called query", hint="add it to spec.params")
        query = interpolate(
            metric.query, request.version, request.variables, request.elapsed_seconds, where=where
        ).strip()
        try:
            answer = self._ask(metric, query, where)
        except requests.RequestException as error:
            return Reading(None, f"query failed: {told(error)}", query)
        if answer is None:
            return Reading(None, "query failed: no answer", query)
        reading = self._reading(request, answer, query)
        return reading if request.window is None else self._counted(request, reading, where)

    def scrape_gap(self, request: MetricRequest) -> float | None:
        """Return how many seconds the newest samples of the metric's counters are apart.

        By a low quarter of what there is: a scrape that failed makes two gaps one.  None where it
        counts nothing, or has few samples yet.  Raises ``BackendError`` where the
        store does not answer.
        """
        metric, where = request.metric, f"metric {request.key}"
        query = interpolate(
            metric.query or "", request.version, request.variables, 60, where=where
        ).strip()
        found = counting(query) if metric.countable else None
        apart = [0.0]
        for selector in found.selectors if found is not None else ():
            try:
                answer = self._ask(metric, f"{selector}[{RECENT_SECONDS}s]", where)
                gaps = [] if answer is None else sorted(gaps_of(answer.json()))
            except (requests.RequestException, ValueError) as error:
                raise BackendError(f"{where}: no answer to {selector}") from error
            apart.append(round(gaps[len(gaps) // 4], 1) if len(gaps) > 1 else 0.0)
        return max(apart) or None

    def _counted(self, request: MetricRequest, reading: Reading, where: str) -> Reading:
        """Return the reading with its window's counts, or with why there are none.

        What jq makes of the value it does not make of the counts: they are not read.
        """
        if not request.metric.plain:
            return reading
        ahead = self._settings.scrape_interval or SCRAPE_SECONDS
        look_back, gaps = max(LOOK_BACK, FEWEST_SCRAPES * ahead), list[float]()
        said = list(reading.warnings)

        def ask(selector: str, at: float, back: float) -> Any:
            samples = f"{selector}[{math.ceil(back + ahead)}s]"
            answer = self._ask(request.metric, samples, where, at + ahead)
            if answer is None or answer.status_code != OK:
                status = "no answer" if answer is None else f"HTTP {answer.status_code}"
                raise BackendError(f"query failed: {status} to {selector}")
            body = answer.json()
            gaps.extend(gaps_of(body))
            return body

        assert request.window is not None, "asked only with a window"
        try:
            counts = read_counts(ask, reading.query, *request.window, look_back, warn=said.append)
        except (requests.RequestException, ValueError, BackendError) as error:
            text = told(error) if isinstance(error, requests.RequestException) else str(error)
            return replace(reading, warnings=(*reading.warnings, f"not counted: {text}"))
        return replace(reading, counts=counts, warnings=(*said, *_sparse(gaps, ahead)))

    def _ask(
        self, metric: Metric, query: str, where: str, at: float | None = None
    ) -> requests.Response | None:
        url = checked_url(self._settings.url or base_url(metric, where), where=where)
        keys, auth = credentials(metric, self._secrets, where=where)
        with _Keeping() as session:
            session.trust_env = False
            session.verify = self._settings.verify_tls
            client = PrometheusConnect(
                url=url,
                headers=headers_of(metric, keys),
                auth=auth,
                session=session,
                retry=retry_policy(self._settings),
            )
            # not a 200, or no data.result: the kept answer says what it was
            with suppress(PrometheusApiClientException, ValueError, KeyError, TypeError):
                params = {} if at is None else {"time": f"{at:.3f}"}
                client.custom_query(query, params=params, timeout=self._settings.timeout)
            return session.answer

    def _reading(self, request: MetricRequest, answer: requests.Response, query: str) -> Reading:
        try:
            body = answer.json()
        except ValueError:
            reason = f"query failed: HTTP {answer.status_code}, {excerpt(answer.content)}"
            return Reading(None, reason, query)
        if answer.status_code != OK:
            text = body.get("error") if isinstance(body, dict) else body
            reason = f"query failed: HTTP {answer.status_code}, {excerpt(text)}"
            return Reading(None, reason, query)
        reading = prometheus_reading(body, query=query, several=self._several(request))
        own = request.metric.spec.jq_expression
        if own is None or reading.value is None or request.metric.plain:
            return reading
        through_jq = jq_reading(body, own, query=query)
        return Reading(through_jq.value, through_jq.reason, query, reading.warnings)

    def _several(self, request: MetricRequest) -> SeveralSeries:
        """Return what several series mean: a policy of counts asks for a window."""
        if self._settings.several_series is not None:
            return self._settings.several_series
        fine = request.window is None or request.metric.chooses
        return SeveralSeries.FIRST if fine else SeveralSeries.REFUSE


def _sparse(gaps: Sequence[float], stated: float) -> Iterator[str]:
    """Yield that scrapes are further apart than they are taken to be, where they are.

    Then a counter stands still at both ends of a window, and counts what was served a part of a
    scrape before it, by weights that may have been others.
    """
    if gaps and (found := statistics.median(gaps)) > SPARSE * stated:
        yield (f"its samples are {found:.3g} s apart, not {stated:g}: state "
               f"spec.prometheus.scrape_interval")  # fmt: skip


def base_url(metric: Metric, where: str) -> str:
    """Return the store's address without the API's own path."""
    template = (metric.spec.url_template or "").strip()
    if not template:
        raise SpecError(f"{where}: no urlTemplate", hint="or set spec.prometheus.url")
    return template.removesuffix("/").removesuffix("/query").removesuffix("/api/v1")


def connect(settings: Settings, secrets: Secrets) -> Prometheus:
    """Return the source."""
    return Prometheus(settings, secrets)
