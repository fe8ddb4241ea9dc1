"""``crossfade simulate``: what a policy would make of a candidate that is as one supposes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

from crossfade.cli.loading import bundle_of, pins_users, read, weights_at_start
from crossfade.cli.output import err, out, show_findings, write_file
from crossfade.errors import SpecError
from crossfade.evidence.limits import Plan, design
from crossfade.lint.shapes import shapes
from crossfade.report.plot import plot, shares
from crossfade.simulation import Played, Version, World, play, summary
from crossfade.spec.experiment import Direction
from crossfade.spec.requests import request_rate
from crossfade.spec.rollout import Bundle

BARS = 40


def run(
    paths: Sequence[Path], settings: Sequence[str], policy: str | None, *, rps: float | None,
    errors: tuple[float, float], reward: tuple[float, float], runs: int, seed: int, as_json: bool,
    page: Path | None = None,
) -> int:  # fmt: skip
    """Print how the runs ended; ``errors`` and ``reward`` are (baseline, candidate or lift)."""
    loaded = read(paths, settings, policy)
    bundle = bundle_of(loaded, despite=["E1"])
    show_findings(loaded.findings)
    rate = rps or request_rate(bundle)
    if rate is None:
        raise SpecError("the requests a second are not known", hint="name them: --rps 50")
    experiment = bundle.experiment
    traffic = rate * experiment.spec.duration.interval_seconds
    world = _world(bundle, traffic, errors, reward)
    known, rng = shapes(bundle), np.random.default_rng(seed)
    turns = track(range(runs), "simulating", console=err, transient=True)
    played = [play(experiment, bundle.policy, known, world, rng) for _ in turns]
    told = {"policy": bundle.policy.name, **summary(played)}
    if page is not None:
        supposed = _supposed(rate, errors, reward)
        text = plot(experiment.name, told, supposed, played, experiment.iterations)
        write_file(page, text)
    weights = _mean_weights(played, experiment.iterations)
    if as_json:
        print(json.dumps({**told, "candidate_weight": weights}, indent=1))
    else:
        _show(told, weights)
    return 0


def _world(
    bundle: Bundle, traffic: float, errors: tuple[float, float], reward: tuple[float, float]
) -> World:
    """Return what is supposed: of several candidates the last one is so, others are as now."""
    experiment = bundle.experiment
    rewards = experiment.spec.criteria.rewards
    low = bool(rewards) and rewards[0].preferred_direction is Direction.LOW
    lifted = min(max(reward[0] * (1 - reward[1] if low else 1 + reward[1]), 0.0), 1.0)
    as_now = Version(reward[0], default_bad=errors[0])
    versions = [as_now for _ in experiment.versions]
    if len(versions) > 1:  # of equals none is better
        versions[-1] = Version(lifted, default_bad=errors[1])
    start = () if design(experiment, Plan((), ())).moves else weights_at_start(bundle)
    return World(traffic, tuple(versions), start, sticky=pins_users(bundle))


def _show(told: dict[str, Any], weights: list[float]) -> None:
    out.print(f"{told['runs']} runs by policy {told['policy']}")
    for word, share in sorted(told["outcomes"].items(), key=lambda item: -item[1]):
        out.print(f"  {word:18} {share:7.1%}  {'#' * round(BARS * share)}")
    when = told["iterations"]
    out.print(f"decided at iteration {when:g} (median)" if when else "never decided")
    out.print(
        f"requests to the candidate: {told['exposed']:.0f}, bad ones: {told['bad']:.1f} (mean)"
    )
    out.print("candidates' weight over the iterations (mean):")
    for k, weight in enumerate(weights, start=1):
        out.print(f"  {k:4} {weight:5.1f}  {'#' * round(BARS * weight / 100)}")


def _supposed(
    rate: float, errors: tuple[float, float], reward: tuple[float, float]
) -> list[tuple[str, str]]:
    return [
        ("requests a second", f"{rate:g}"),
        ("bad values of the baseline", f"{errors[0]:.3%}"),
        ("bad values of a candidate", f"{errors[1]:.3%}"),
        ("reward of the baseline", f"{reward[0]:g}"),
        ("lift of a candidate's reward", f"{reward[1]:+.1%}"),
    ]


def _mean_weights(played: Sequence[Played], iterations: int) -> list[float]:
    """Return the candidates' mean share after each iteration; an ended run keeps its last one."""
    total = np.sum([shares(run, iterations)[1:] for run in played], axis=0)
    return [round(float(value), 2) for value in total / len(played)]
