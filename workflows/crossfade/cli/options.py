"""Options with limits: a number that is none, or a name that is none, gets no further."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated

import typer

from crossfade.spec.names import image_name, namespace_name


def _number(text: str) -> float:
    """Return a finite number; ``nan`` and ``inf`` pass a comparison with limits, so not here."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise typer.BadParameter(f"{text!r}, expected a number")
    return value


def fraction(text: str) -> float:
    """Return a number from 0 to 1."""
    value = _number(text)
    if not 0 <= value <= 1:
        raise typer.BadParameter(f"{text}, expected 0 to 1")
    return value


def rate(text: str) -> float:
    """Return requests a second."""
    value = _number(text)
    if not 0 < value <= 1e6:
        raise typer.BadParameter(f"{text}, expected more than 0 and at most 1000000")
    return value


def lift(text: str) -> float:
    """Return a relative change: 0.1 for a tenth more, -0.1 for a tenth less."""
    value = _number(text)
    if not -1 <= value <= 100:
        raise typer.BadParameter(f"{text}, expected -1 to 100")
    return value


def named(check: Callable[[str], str]) -> Callable[[str], str]:
    """Return a parser of an option from a check that raises ``ValueError``."""

    def name(text: str) -> str:
        try:
            return check(text)
        except ValueError as error:
            raise typer.BadParameter(f"{text!r}, {error}") from None

    return name


Namespace = Annotated[
    str | None,
    typer.Option("-n", "--namespace", parser=named(namespace_name),
                 help="default: the current context's"),
]  # fmt: skip
Image = Annotated[
    str | None,
    typer.Option(envvar="CROSSFADE_IMAGE", parser=named(image_name), help="the image of the steps"),
]
StepsImage = Annotated[
    str,
    typer.Option("--image", envvar="CROSSFADE_IMAGE", parser=named(image_name),
                 help="the image of the steps"),
]  # fmt: skip
AsJson = Annotated[bool, typer.Option("--json", help="print JSON for programs")]
Rps = Annotated[
    float | None, typer.Option(parser=rate, help="requests a second; default: its load")
]
Reward = Annotated[float, typer.Option(parser=fraction, help="the baseline's mean reward, 0 to 1")]
ErrorRate = Annotated[float, typer.Option(parser=fraction, help="the baseline's bad fraction")]
CandidateErrorRate = Annotated[float, typer.Option(parser=fraction, help="the candidates'")]
RewardLift = Annotated[float, typer.Option(parser=lift, help="by how much candidates are better")]
