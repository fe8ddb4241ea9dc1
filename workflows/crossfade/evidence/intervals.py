"""What one interval brings of an experiment: requests, judged and bad values, rewards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from crossfade.evidence.limits import Plan, compares
from crossfade.evidence.rules import Array, Interval, Rules
from crossfade.spec.experiment import Experiment, qualified
from crossfade.verdict import Counts, Observation, Shape

Known = list[float | None]
SLACK, FEW = 1.1, 3.0
"""How many more rewards than requests there may seem to be: scrapes are not at one moment."""


def interval(
    experiment: Experiment, seen: Observation, plan: Plan, rules: Rules
) -> Interval | None:
    """Return an observation's counts; None when not even the requests are known."""
    names = [version.name for version in experiment.versions]
    shape = (len(names), len(plan.limits))
    judged, low, high = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    complete = True
    for v, name in enumerate(names):
        for j, limit in enumerate(plan.limits):
            counts = _counts(seen, limit.metric, name)
            if counts is None:
                complete = complete and not _serves(seen, name)
                continue
            judged[v, j], low[v, j], high[v, j] = limit.tally(seen.shapes[limit.metric], counts)
    rewards, rewarded = _rewards(experiment, seen, names, rules)
    requests = _requests(experiment, seen, names, judged)
    if requests is None:
        return None
    if compares(experiment) and rewards is None:
        complete = False
    return Interval(requests, judged, low, high, rewards, complete, rewarded=rewarded)


def comparable(shape: Shape | None, rules: Rules) -> bool:
    """Return whether a reward of that shape can be compared.

    Of a bare value and of a percentile it is not known what to add up, and a mean's values must
    have ends: one in fifty that is twenty times as large decides otherwise (F4 is of [0, 1]).
    """
    if shape is None or shape.kind == "quantile":
        return False
    return shape.kind != "mean" or rules.reward_range is not None


def _serves(seen: Observation, name: str) -> bool:
    return seen.weights.get(name, 0) > 0


def _counts(seen: Observation, metric: str, version: str) -> Counts | None:
    reading = seen.readings.get(metric, {}).get(version)
    return None if reading is None else reading.counts


def _rewards(
    experiment: Experiment, seen: Observation, names: list[str], rules: Rules
) -> tuple[Array | None, Array | None]:
    """Return each version's sum of rewards, and of how many values, None where it is not said.

    Both are None unless every version with traffic has a sum.
    """
    if not compares(experiment):
        return None, None
    metric = qualified(experiment.spec.criteria.rewards[0].metric, experiment.namespace)
    shape = seen.shapes.get(metric)
    if shape is None or not comparable(shape, rules):
        return None, None
    sums, values = [], []
    for name in names:
        counts = _counts(seen, metric, name)
        if counts is None and _serves(seen, name):
            return None, None
        own = Counts(0.0, 0.0) if counts is None else counts
        reward = _reward(shape, own, rules)
        if reward is None:
            return None, None
        sums.append(reward)
        values.append(own.count)
    known = [value for value in values if value is not None]
    return np.array(sums), np.array(known) if len(known) == len(names) else None


def _reward(shape: Shape, counts: Counts, rules: Rules) -> float | None:
    """Return a sum of rewards of 0 to 1 a request, unless they are counted as events.

    None for more than one a request: what is added up then is not what the test is of.
    """
    total, count = counts.total, counts.count
    if count is None or (rules.reward == "count" and shape.kind != "mean"):
        return total
    if shape.kind == "mean":
        least, most = rules.reward_range or (0.0, 1.0)
        total = (total * shape.scale - least * count) / (most - least)
    if total > SLACK * count + FEW:
        return None
    return min(max(total, 0.0), count)


def _requests(
    experiment: Experiment, seen: Observation, names: list[str], judged: Array
) -> Array | None:
    """Return requests by version, of the first source that knows them for all with traffic.

    Two sources may count differently: of two versions they would say that the split is wrong.
    """
    for known in _sources(experiment, seen, names, judged):
        if all(n is not None or not _serves(seen, v) for v, n in zip(names, known, strict=True)):
            return np.array([n or 0.0 for n in known])
    return None


def _sources(
    experiment: Experiment, seen: Observation, names: Sequence[str], judged: Array
) -> Iterator[Known]:
    """Yield requests by version: of the request count, each test, the reward's denominator.

    Rewards come last: feedback that is late, or of some requests only, is no wrong split.
    """
    criteria = experiment.spec.criteria
    if criteria.request_count:
        key = qualified(criteria.request_count, experiment.namespace)
        read = [_counts(seen, key, name) for name in names]
        yield [None if counts is None else counts.total for counts in read]
    for j in range(judged.shape[1]):
        yield [float(value) if value > 0 else None for value in judged[:, j]]
    for reward in criteria.rewards[:1]:
        key = qualified(reward.metric, experiment.namespace)
        read = [_counts(seen, key, name) for name in names]
        yield [None if counts is None else counts.count for counts in read]
