"""A run under policy ``iter8`` whose values and rewards a test gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crossfade import policies
from crossfade.policies.iter8 import decide
from crossfade.spec.experiment import Experiment
from crossfade.verdict import Decision, Observation, Reading

SETTINGS = policies.load("iter8").Settings()
NAMES = ("v1", "v2", "v3", "v4", "v5", "v6")


def experiment(
    *,
    versions: int = 2,
    pattern: str = "A/B",
    deployment: str = "Progressive",
    direction: str | None = "High",
    limits: Sequence[Any] = (100,),
    iterations: int = 50,
    rollback: bool | None = None,
    **weights: int,
) -> Experiment:
    objectives = [{"metric": f"o{i}", "upperLimit": limit} for i, limit in enumerate(limits)]
    if rollback is not None:
        objectives = [{**o, "rollback_on_failure": rollback} for o in objectives]
    strategy: dict[str, Any] = {"testingPattern": pattern, "deploymentPattern": deployment}
    if weights:
        strategy["weights"] = {
            "maxCandidateWeight": weights.get("cap", 100),
            "maxCandidateWeightIncrement": weights.get("inc", 10),
        }
    rewards = [{"metric": "r", "preferredDirection": direction}] if direction else []
    document = {
        "apiVersion": "iter8.tools/v2alpha2",
        "kind": "Experiment",
        "metadata": {"name": "e"},
        "spec": {
            "target": "t",
            "strategy": strategy,
            "criteria": {"objectives": objectives, "rewards": rewards},
            "duration": {"iterationsPerLoop": iterations},
            "versionInfo": {
                "baseline": {"name": NAMES[0]},
                "candidates": [{"name": name} for name in NAMES[1:versions]],
            },
        },
    }
    return Experiment.model_validate(document)


def reading(value: float | None) -> Reading:
    return Reading(value, "" if value is not None else "no data")


def observation(
    weights: Sequence[int],
    *,
    iteration: int = 1,
    objective: Sequence[float | None] = (),
    reward: Sequence[float | None] = (),
) -> Observation:
    names = NAMES[: len(weights)]
    values = dict(zip(names, objective, strict=False))
    rewards = dict(zip(names, reward, strict=False))
    return Observation(
        iteration=iteration,
        elapsed_seconds=10 * iteration,
        weights=dict(zip(names, weights, strict=True)),
        readings={
            "default/o0": {name: reading(values.get(name)) for name in names},
            "default/r": {name: reading(rewards.get(name)) for name in names},
        },
    )


GOOD = ((1.0, 1.0), (0.7, 1.0))  # objective values, rewards: the candidate is best
NO_DATA = ((None, None), (None, None))
CANDIDATE_BAD = ((1.0, 101.0), (0.7, 1.0))
BASELINE_BETTER = ((1.0, 1.0), (1.0, 0.7))
TIE = ((1.0, 1.0), (0.5, 0.5))
NOBODY = ((101.0, 101.0), (0.7, 1.0))
BASELINE_BAD = ((101.0, 1.0), (1.0, 0.5))


def path(
    worlds: Sequence[Any], *, start: Sequence[int] = (100, 0), **settings: Any
) -> tuple[str, Decision]:
    """Return the trajectory as text, and the last decision."""
    spec, weights, texts, last = experiment(**settings), list(start), [], None
    for k, (objective, reward) in enumerate(worlds, start=1):
        seen = observation(weights, iteration=k, objective=objective, reward=reward)
        last, _ = decide(spec, SETTINGS, seen, {})
        weights = list(last.weights.values())
        texts.append("/".join(map(str, weights)))
    assert last is not None
    return " ".join(texts), last
