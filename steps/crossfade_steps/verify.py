"""Prove with real answers that a copy serves the model it should."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from crossfade.errors import BackendError
from crossfade.spec.rollout import Verify
from crossfade_steps.ports import Clock, Responder, Response

ANSWERS = 5
PAUSE_SECONDS = 0.2


def served_model(response: Response) -> str:
    """Return what the answer says of the model that gave it, empty when it says nothing.

    Seldon's executor names each graph node's image in ``meta.requestPath``.
    """
    try:
        body = json.loads(response.body)
        path: Any = body["meta"]["requestPath"]
    except (ValueError, LookupError, TypeError):
        return ""
    return json.dumps(path, sort_keys=True) if isinstance(path, Mapping) else ""


def good_answer(request: Verify, responder: Responder) -> Response:
    """Send the request and return its answer.  Raises ``BackendError`` unless it is a 2xx."""
    response = responder.send(request.url, request.payload, request.headers)
    if not 200 <= response.status < 300:
        excerpt = response.body[:256].decode("utf-8", "replace")
        raise BackendError(
            f"{request.url}: answered {response.status}, expected 2xx, with {excerpt!r}"
        )
    return response


def prove(
    request: Verify,
    responder: Responder,
    clock: Clock,
    *,
    model: str = "",
    version: str = "",
    header: str = "version",
    answers: int = ANSWERS,
    timeout_seconds: float = 60.0,
) -> None:
    """Ask until ``answers`` answers in a row are good; one wrong answer starts the count again.

    Good means a 2xx, the same ``model`` where both sides name one, and the response header
    ``header`` equal to ``version`` where the route sets one.  Raises ``BackendError`` with the last
    reason when the time is up.
    """
    until = clock.now() + timeout_seconds
    in_a_row, reason = 0, "no answer yet"
    while in_a_row < answers:
        wrong = _wrong(request, responder, model, version, header)
        in_a_row = in_a_row + 1 if wrong is None else 0
        reason = wrong or reason
        if clock.now() >= until and in_a_row < answers:
            raise BackendError(f"not verified after {timeout_seconds:.0f} s: {reason}")
        if in_a_row < answers:
            clock.sleep(PAUSE_SECONDS)


def _wrong(
    request: Verify, responder: Responder, model: str, version: str, header: str
) -> str | None:
    try:
        response = good_answer(request, responder)
    except BackendError as error:
        return str(error)
    served = served_model(response)
    if model and served and served != model:
        return f"{request.url}: served by {served}, expected {model}"
    label = {k.lower(): v for k, v in response.headers.items()}.get(header.lower())
    if version and label is not None and label != version:
        return f"{request.url}: header {header} is {label}, expected {version}"
    return None
