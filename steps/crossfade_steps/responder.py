"""Requests to users' entry points over HTTP (port ``Responder``)."""

from __future__ import annotations

from collections.abc import Mapping

import requests

from crossfade.errors import BackendError
from crossfade_steps.ports import Response

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
