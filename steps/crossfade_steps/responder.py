"""Requests to users' entry points over HTTP (port ``Responder``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import requests

from crossfade.errors import BackendError, CrossfadeError
from crossfade.spec.rollout import Verify
from crossfade.spec.secrets import filled
from crossfade_steps.asking import SHORTEST_SECRET, Secrets, forms, hide
from crossfade_steps.ports import Responder, Response

SECONDS = 10.0


class HttpResponder:
    """Asks a URL as a user would."""

    def send(self, url: str, payload: str | None, headers: Mapping[str, str]) -> Response:
        """Return the answer; a transport error is a ``BackendError``."""
        typed = {"Content-Type": "application/json", **headers}
        method = "GET" if payload is None else "POST"
        body = None if payload is None else payload.encode()
        try:
            answer = requests.request(
                method, url, data=body, headers=typed, timeout=SECONDS, allow_redirects=False
            )
        except requests.RequestException as error:
            raise BackendError(f"{url}: {type(error).__name__}") from error
        return Response(answer.status_code, dict(answer.headers), answer.content)


def responder_for(request: Verify | None, responder: Responder, secrets: Secrets) -> Responder:
    """Return what sends the request that proves a promotion, its headers filled from its Secret."""
    if request is None or request.secret is None:
        return responder
    return Filled(responder, request.secret, secrets)


class Filled:
    """Sends requests whose headers name keys of a Secret (port ``Responder``).

    The keys are read when they are sent, and no value of them comes back in an answer or an error:
    both are told.
    """

    def __init__(self, responder: Responder, secret: str, secrets: Secrets) -> None:
        self._responder, self._secret, self._secrets = responder, secret, secrets

    def send(self, url: str, payload: str | None, headers: Mapping[str, str]) -> Response:
        """Return the answer.

        A Secret without what the headers name is a ``BackendError``, like a server that does not
        answer: a promotion that is under way ends in order then.
        """
        try:
            keys = self._secrets(self._secret)
            own = filled(headers, keys, secret=self._secret, where=url)
        except CrossfadeError as error:
            raise BackendError(str(error), hint=error.hint) from error
        values = forms(keys)
        try:
            answer = self._responder.send(url, payload, own)
        except BackendError as error:
            raise BackendError(hide(str(error), values)) from None
        shown = {name: hide(value, values) for name, value in answer.headers.items()}
        return Response(answer.status, shown, _without(answer.body, values))


def _without(body: bytes, values: Sequence[str]) -> bytes:
    """Return an answer's body without these values, the longest first."""
    for value in sorted(values, key=len, reverse=True):
        if len(value) >= SHORTEST_SECRET:
            body = body.replace(value.encode(), b"***")
    return body
