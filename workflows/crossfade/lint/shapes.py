"""What each metric of a rollout counts, known before anything is read."""

from __future__ import annotations

from contextlib import suppress

from crossfade.counting import counting
from crossfade.errors import SpecError
from crossfade.spec.interpolation import interpolate
from crossfade.spec.rollout import Bundle
from crossfade.verdict import Shape


def shapes(bundle: Bundle) -> dict[str, Shape]:
    """Return what each metric's query counts, with the baseline's variables in it."""
    baseline = bundle.experiment.versions[0]
    values = {variable.name: variable.value for variable in baseline.variables}
    found = {}
    for key, metric in bundle.metrics.items():
        if metric.query is None or not metric.countable:
            continue
        with suppress(SpecError):  # a placeholder without a value is another finding
            query = interpolate(metric.query, baseline.name, values, 60, where=f"metric {key}")
            counted = counting(query.strip())
            if counted is not None:
                found[key] = counted.shape
    return found
