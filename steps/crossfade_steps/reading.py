"""Read every metric of every version at once, with one common elapsed time."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from crossfade.counting import counting
from crossfade.errors import SpecError
from crossfade.spec.experiment import Experiment
from crossfade.spec.interpolation import interpolate
from crossfade.spec.metric import Metric
from crossfade.verdict import Observation, Reading, Shape
from crossfade_steps.ports import MetricRequest, MetricSource

WORKERS = 16
FAILED = ("request failed", "query failed", "reading failed", "no answer", "partial answer",
          "the answer is not JSON")  # fmt: skip
NO_DATA = "no data"
"""How the reason of a reading without a value begins: nobody answered, or there is nothing."""
Answer = tuple[MetricRequest, Reading | BaseException]


Window = tuple[float, float]


def requests_for(
    experiment: Experiment, metrics: Mapping[str, Metric], elapsed_seconds: int,
    window: Window | None = None,
) -> list[MetricRequest]:  # fmt: skip
    """Return one request a metric and version, metrics that count samples included."""
    keys = dict.fromkeys(experiment.metric_references())
    for key in tuple(keys):
        if key in metrics:
            size = metrics[key].sample_size_key(experiment.namespace)
            if size in metrics:
                keys[str(size)] = None
    return [
        MetricRequest(
            metrics[key],
            key,
            version.name,
            {variable.name: variable.value for variable in version.variables},
            elapsed_seconds,
            window,
        )
        for key in keys
        if key in metrics
        for version in experiment.versions
    ]


def observe(
    experiment: Experiment,
    metrics: Mapping[str, Metric],
    sources: Mapping[str, MetricSource],
    *,
    iteration: int,
    elapsed_seconds: int,
    weights: Mapping[str, int],
    budget_seconds: float,
    window: Window | None = None,
) -> Observation:
    """Return what all metrics say now, and what they count in a window (seconds since the epoch).

    What has not answered within ``budget_seconds`` is a reading without a value: one hanging
    metric keeps no other from being judged (faults C19).  Raises ``SpecError`` for a request that
    no retry can mend.
    """
    wanted = requests_for(experiment, metrics, elapsed_seconds, window)
    late = Reading(None, f"no answer within {budget_seconds:g} s")
    readings: dict[str, dict[str, Reading]] = {}
    for request in wanted:
        readings.setdefault(request.key, {})[request.version] = late
    for request, answer in _ask_all(wanted, sources, budget_seconds):
        readings[request.key][request.version] = _reading(answer)
    until = 0.0 if window is None else window[1]
    shapes = {} if window is None else shapes_of(wanted)
    every = [reading for own in readings.values() for reading in own.values()]
    return Observation(iteration, elapsed_seconds, dict(weights), readings, shapes, until,
                       silent=_silent(every))  # fmt: skip


def _silent(readings: Sequence[Reading]) -> bool:
    """Return whether stores failed to answer, and none of them said anything."""
    said = [r for r in readings
            if r.value is not None or r.counts or r.reason.startswith(NO_DATA)]  # fmt: skip
    return not said and any(reading.reason.startswith(FAILED) for reading in readings)


def shapes_of(requests: Sequence[MetricRequest]) -> dict[str, Shape]:
    """Return what each metric's query counts, where it counts anything."""
    found: dict[str, Shape] = {}
    for request in requests:
        text = request.metric.query
        if text is None or request.key in found or not request.metric.countable:
            continue
        query = interpolate(text, request.version, request.variables, request.elapsed_seconds,
                            where=f"metric {request.key}").strip()  # fmt: skip
        counted = counting(query)
        if counted is not None:
            found[request.key] = counted.shape
    return found


def _reading(answer: Reading | BaseException) -> Reading:
    if isinstance(answer, SpecError):
        raise answer
    if isinstance(answer, BaseException):
        return Reading(None, f"reading failed: {type(answer).__name__}: {answer}")
    return answer


def _ask_all(
    wanted: list[MetricRequest], sources: Mapping[str, MetricSource], budget_seconds: float
) -> list[Answer]:
    """Ask in daemon threads, so that a store that never answers cannot keep the process alive."""
    todo: queue.SimpleQueue[MetricRequest] = queue.SimpleQueue()
    done: queue.SimpleQueue[Answer] = queue.SimpleQueue()
    for request in wanted:
        todo.put(request)
    for _ in range(min(WORKERS, len(wanted))):
        threading.Thread(target=_work, args=(todo, done, sources), daemon=True).start()
    until = time.monotonic() + budget_seconds
    answers: list[Answer] = []
    while len(answers) < len(wanted):
        try:
            answers.append(done.get(timeout=max(0.0, until - time.monotonic())))
        except queue.Empty:
            break
    return answers


def _work(
    todo: queue.SimpleQueue[MetricRequest],
    done: queue.SimpleQueue[Answer],
    sources: Mapping[str, MetricSource],
) -> None:
    while True:
        try:
            request = todo.get_nowait()
        except queue.Empty:
            return
        answer: Any
        try:
            answer = sources[request.key].read(request)
        except Exception as error:  # a source's bug is one unknown reading, not the end of the run
            answer = error
        done.put((request, answer))
