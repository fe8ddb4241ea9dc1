"""A run of 1,000 decisions by policy ``evidence``: 10 versions, 20 metrics, the state as stored."""

from __future__ import annotations

import json
import statistics
import time
import tracemalloc
from collections.abc import Mapping
from typing import Any

import numpy as np

from crossfade import policies
from crossfade.spec.experiment import Experiment
from crossfade.verdict import Counts, Observation, Reading, Shape

TRAFFIC, BAD, REWARD = 5000, 0.002, 0.3


def observed(
    k: int, names: list[str], keys: list[str], weights: Mapping[str, int], rng: Any
) -> Observation:
    """Return what an interval brings where all versions are alike; the last key is the reward."""
    shares = np.array([weights[name] for name in names]) / 100
    requests = rng.multinomial(TRAFFIC, shares)
    readings = {}
    for key in keys:
        bad = rng.binomial(requests, REWARD if key == keys[-1] else BAD)
        readings[key] = {
            name: Reading(float(b) / max(n, 1), counts=Counts(float(b), float(n)))
            for name, b, n in zip(names, bad, requests, strict=True)
        }
    return Observation(k, 10 * k, dict(weights), readings, dict.fromkeys(keys, Shape("fraction")),
                       float(k))  # fmt: skip


def thousand(experiment: Experiment, keys: list[str], iterations: int = 1000) -> dict[str, float]:
    """Return milliseconds of a decision, of the first and last hundred, state size and memory."""
    rule, rng = policies.load("evidence"), np.random.default_rng(1)
    names = [version.name for version in experiment.versions]
    weights = dict.fromkeys(names, 100 // len(names))
    state: Mapping[str, Any] = {}
    took, sizes, held = [], [], []
    tracemalloc.start()
    for k in range(1, iterations + 1):
        seen = observed(k, names, keys, weights, rng)
        tracemalloc.stop()
        begin = time.perf_counter()
        _, after = rule.decide(experiment, rule.Settings(), seen, state)
        took.append(1000 * (time.perf_counter() - begin))
        text = json.dumps(after)
        sizes.append(len(text))
        state = json.loads(text)
        tracemalloc.start()
        rule.decide(experiment, rule.Settings(), seen, state)
        held.append(tracemalloc.get_traced_memory()[1] / 1024)
    tracemalloc.stop()
    return {
        "median": statistics.median(took), "first": statistics.median(took[:100]),
        "last": statistics.median(took[-100:]), "state_10": sizes[9] / 1024,
        "state_end": sizes[-1] / 1024, "peak_10": held[9], "peak_end": held[-1],
    }  # fmt: skip
