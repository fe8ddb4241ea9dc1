"""Metrics that come with the predecessor: named in experiments, defined in no file."""

from __future__ import annotations

from crossfade.spec.metric import Metric

NAMESPACE = "iter8-system"
NAMES = (
    "request-count",
    "error-count",
    "error-rate",
    "mean-latency",
    *(f"latency-{p}th-percentile" for p in (50, 75, 90, 95, 99)),
)


def builtin(key: str) -> Metric | None:
    """Return the built-in metric ``iter8-system/...`` of that key, None if there is none."""
    namespace, _, name = key.partition("/")
    if namespace != NAMESPACE or name not in NAMES:
        return None
    return Metric.model_validate(
        {
            "apiVersion": "iter8.tools/v2alpha2",
            "kind": "Metric",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"provider": "iter8"},
        }
    )
