"""A run under policy ``evidence`` in a world of counts."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from typing import Any

from crossfade.policies.evidence import Settings, decide
from crossfade.spec.experiment import Experiment
from crossfade.verdict import Counts, Decision, Observation, Reading, Shape

SHAPES = {"ns/errors": Shape("fraction"), "ns/latency": Shape("quantile", quantile=0.95),
          "ns/reward": Shape("fraction"), "ns/count": Shape("total")}  # fmt: skip


def experiment(iterations: int = 30, direction: str = "High", **spec: Any) -> Experiment:
    versions = [{"name": "v1"}, {"name": "v2"}]
    document = {
        "apiVersion": "iter8.tools/v2alpha2", "kind": "Experiment",
        "metadata": {"name": "e", "namespace": "ns"},
        "spec": {
            "target": "t", "strategy": {"testingPattern": "A/B"},
            "criteria": {
                "requestCount": "count",
                "rewards": [{"metric": "reward", "preferredDirection": direction}],
                "objectives": [{"metric": "errors", "upperLimit": "0.01"},
                               {"metric": "latency", "upperLimit": "0.5"}],
            },
            "duration": {"iterationsPerLoop": iterations},
            "versionInfo": {"baseline": versions[0], "candidates": versions[1:]}, **spec,
        },
    }  # fmt: skip
    return Experiment.model_validate(document)


def readings(n: float, *, errors: float, slow: float, reward: float) -> dict[str, Reading]:
    bad, late, gain = n * errors, n * slow, n * reward
    return {
        "ns/errors": Reading(errors, counts=Counts(bad, n)),
        "ns/latency": Reading(0.1, counts=Counts(n, None, (0.5,), (n - late, n))),
        "ns/reward": Reading(reward, counts=Counts(gain, n)),
        "ns/count": Reading(n, counts=Counts(n)),
    }


World = Callable[[int, str, float], dict[str, Reading]]


def play(
    world: World, spec: Experiment, *, traffic: float = 500,
    shapes: Mapping[str, Shape] = SHAPES, stored: bool = True, **settings: Any,
) -> list[Decision]:  # fmt: skip
    """Return the decisions of a run in a world, each state through JSON."""
    rules, state, weights = Settings(**settings), {}, {"v1": 100, "v2": 0}
    found: list[Decision] = []
    for k in itertools.count(1):
        by_version = {v: world(k, v, traffic * w / 100) for v, w in weights.items()}
        by_metric = {key: {v: own[key] for v, own in by_version.items() if key in own}
                     for key in SHAPES}  # fmt: skip
        seen = Observation(k, 10 * k, dict(weights), by_metric, shapes, float(k))
        decision, after = decide(spec, rules, seen, state)
        state = json.loads(json.dumps(after)) if stored else dict(after)
        found.append(decision)
        weights = dict(decision.weights)
        if decision.outcome is not None:
            break
    return found


def steady(v1: Mapping[str, float], v2: Mapping[str, float]) -> World:
    return lambda k, version, n: readings(n, **(v1 if version == "v1" else v2))


GOOD = {"errors": 0.002, "slow": 0.01, "reward": 0.3}
