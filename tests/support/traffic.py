"""Steady traffic that is counted in windows, for runs with a policy of counts."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rig import Rig, bundle

from crossfade.spec.metric import Metric
from crossfade.spec.rollout import Bundle, Policy
from crossfade.verdict import Counts, Reading
from crossfade_steps.ports import MetricRequest

QPS = 50.0
ERRORS, REWARD = "default/errors", "default/r"
QUERY = 'sum(rate({name}_total{{v="$name"}}[10s])) / sum(rate(requests_total{{v="$name"}}[10s]))'


@dataclass
class Traffic:
    """Answers what a version's share of the traffic counts.

    Nothing is known before ``since``; from ``broken`` on every answer of the candidate is an error
    (seconds since the epoch).  ``shares`` gives the split that is in force.
    """

    key: str
    since: float = 0.0
    broken: float = math.inf
    shares: Callable[[], tuple[float, ...]] = lambda: (1.0, 0.0)
    reads: list[tuple[float, float]] = field(default_factory=list)

    def read(self, request: MetricRequest) -> Reading:
        assert request.window is not None, "a policy of counts reads windows"
        self.reads.append(request.window)
        begin, end = (max(t, self.since) for t in request.window)
        if end == begin:
            return Reading(None, "no data")
        index = ("v1", "v2").index(request.version)
        rate = QPS * self.shares()[index]
        count, bad = rate * (end - begin), 0.0
        if self.key == REWARD:
            bad = 0.3 * count
        elif index:
            bad = rate * max(0.0, end - max(begin, self.broken))
        return Reading(bad / count if count else None, "", counts=Counts(bad, count))


def counted(**changes: Any) -> Bundle:
    queries = {key: _metric(key.partition("/")[2]) for key in (ERRORS, REWARD)}
    prometheus = {"scrape_interval": 2}
    given = {"metrics": queries, "policy": Policy(name="evidence"), "prometheus": prometheus}
    return bundle().model_copy(update={**given, **changes})


def _metric(name: str) -> Metric:
    spec = {"provider": "prometheus", "urlTemplate": "http://prometheus/api/v1/query",
            "params": [{"name": "query", "value": QUERY.format(name=name)}]}  # fmt: skip
    return Metric.model_validate(
        {
            "apiVersion": "iter8.tools/v2alpha2",
            "kind": "Metric",
            "metadata": {"name": name, "namespace": "default"},
            "spec": spec,
        }
    )


def rig(whole: Bundle, paused: Callable[[], bool] = lambda: False, **traffic: Any) -> Rig:
    """Return a run whose traffic follows the weights, unless ``shares`` say otherwise."""

    def shares() -> tuple[float, ...]:
        return tuple(weight / 100 for weight in found.weights())

    sources = {key: Traffic(key, **{"shares": shares, **traffic}) for key in (ERRORS, REWARD)}
    found = Rig(whole, sources=sources, paused=paused)
    return found
