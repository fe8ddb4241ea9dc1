"""What many simulated runs came to, as one HTML page: no script, every text escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from crossfade.report.page import HEIGHT, WIDTH, template
from crossfade.simulation import Played

PATHS = 40
"""Runs drawn one by one, so that single ones can be seen and the page stays small."""
QUANTILES = (0.1, 0.5, 0.9)


def plot(
    title: str, told: Mapping[str, Any], supposed: Sequence[tuple[str, str]],
    played: Sequence[Played], iterations: int,
) -> str:  # fmt: skip
    """Return the page: outcomes, and the candidates' weights run by run and as quantiles.

    ``supposed`` is what the candidate was taken to be, as pairs of words.
    """
    paths = np.array([shares(run, iterations) for run in played])
    drawn = [_points(path) for path in paths[:: max(1, len(paths) // PATHS)]]
    low, middle, high = (_points(line) for line in np.quantile(paths, QUANTILES, axis=0))
    outcomes = sorted(told["outcomes"].items(), key=lambda item: -float(item[1]))
    return template("simulation.html").render(
        title=title, told=told, supposed=supposed, outcomes=outcomes, drawn=drawn, middle=middle,
        band=f"{low} {' '.join(reversed(high.split()))}", iterations=iterations,
        width=WIDTH, height=HEIGHT,
    )  # fmt: skip


def shares(run: Played, iterations: int) -> list[float]:
    """Return the candidates' weight (percent) before and after each iteration.

    A run that has ended keeps what it ended with; a promotion is all of the traffic.  What a watch
    past the last iteration moves is left out.
    """
    found = [0.0, *(100.0 - weights[0] for weights in run.weights)]
    if run.winner:
        found[-1] = 100.0
    return (found + [found[-1]] * (iterations + 1 - len(found)))[: iterations + 1]


def _points(values: Sequence[float] | np.ndarray[Any, Any]) -> str:
    last = max(1, len(values) - 1)
    return " ".join(f"{WIDTH * i / last:.1f},{HEIGHT * (1 - float(value) / 100):.1f}"
                    for i, value in enumerate(values))  # fmt: skip
