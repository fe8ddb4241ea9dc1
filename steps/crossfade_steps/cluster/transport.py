"""Requests to the Kubernetes API, repeated while it is busy or away.

An API that said 429, or that was never reached, has done nothing; any other failure may have come
after the request was carried out.  ``Answer.unsure`` says so, and ``carried`` looks what became of
it.  Statuses and ``Retry-After``: RFC 9110, RFC 6585.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import urllib3
from kubernetes.client import ApiClient
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from crossfade.errors import BackendError

JSON, APPLY = "application/json", "application/apply-patch+yaml"
JSON_PATCH, MERGE_PATCH = "application/json-patch+json", "application/merge-patch+json"
BUSY, RETRIED = 429, (429, 500, 502, 503, 504)
TOTAL_SECONDS = 20.0
"""How long after the first try another one may begin."""
FIRST_PAUSE, MOST_PAUSE = 0.25, 4.0
CONNECT_SECONDS, READ_SECONDS = 5.0, 8.0
WRITE_SECONDS = 15.0
"""A write waits for admission webhooks, 10 s each by default."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request; ``once``: it is repeated only where the API is known to have done nothing."""

    method: str
    path: str
    body: Any = None
    content: str = JSON
    accept: str = JSON
    once: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; ``unsure``: an earlier try may have been carried out."""

    status: int
    text: bytes | str
    unsure: bool = False


@dataclass(frozen=True, slots=True)
class _Try:
    """One try: ``status`` 0 for no answer, ``wait`` in seconds; ``undone``: nothing came of it."""

    status: int
    text: bytes | str
    wait: float = 0.0
    undone: bool = False


class Transport:
    """One API server, and the time that is waited with."""

    def __init__(
        self,
        client: ApiClient,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client, self._now, self._sleep = client, now, sleep

    def send(self, request: Request, total: float = TOTAL_SECONDS) -> Answer:
        """Send a request until it is answered; no try begins ``total`` seconds after the first.

        Raises ``BackendError`` when the last try had no answer at all.
        """
        until, pause, unsure = self._now() + total, FIRST_PAUSE, False
        while True:
            tried = self._try(request)
            wait = max(pause, tried.wait)
            failed = tried.status in (0, *RETRIED)
            if not failed or (request.once and not tried.undone) or self._now() + wait > until:
                break
            unsure = unsure or not tried.undone
            self._sleep(wait)
            pause = min(2 * pause, MOST_PAUSE)
        if not tried.status:
            host = self._client.configuration.host
            raise BackendError(
                f"Kubernetes API at {host}: {tried.text!s}: {request.method} {request.path}",
                hint="is the cluster running? kubectl cluster-info",
            )
        return Answer(tried.status, tried.text, unsure)

    def _try(self, request: Request) -> _Try:
        headers = {"Accept": request.accept, "Content-Type": request.content,
                   **self._authentication()}  # fmt: skip
        url = f"{self._client.configuration.host}{request.path}"
        patience = READ_SECONDS if request.method == "GET" else WRITE_SECONDS
        try:
            answer = self._client.rest_client.request(
                request.method, url, headers=headers, body=request.body,
                _request_timeout=(CONNECT_SECONDS, patience),
            )  # fmt: skip
            text = answer.read() if hasattr(answer, "read") else answer.data
            return _Try(answer.status, text)
        except ApiException as error:
            if not error.status:  # the client has TLS's own troubles come as a status of none
                if _refused(error):
                    raise BackendError(f"Kubernetes API: {error.reason}") from error
                return _Try(0, str(error.reason))
            wait = _retry_after(error.headers)
            return _Try(error.status, error.body or b"", wait, error.status == BUSY)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            cause = getattr(error, "reason", error)
            undone = isinstance(cause, NewConnectionError | ConnectTimeoutError)
            return _Try(0, type(error).__name__, undone=undone)

    def _authentication(self) -> dict[str, str]:
        found = self._client.configuration.auth_settings().values()
        return {s["key"]: s["value"] for s in found if s["in"] == "header" and s["value"]}


def _refused(error: BaseException | None) -> bool:
    """Return whether a certificate was not accepted: no repetition mends that."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError) or any(
            isinstance(part, ssl.SSLCertVerificationError) for part in error.args
        ):
            return True
        error = error.__cause__ or error.__context__
    return False


def _retry_after(headers: Mapping[str, str] | None) -> float:
    """Return the seconds that the API asks to wait; 0 where it says none, or a date."""
    text = str((headers or {}).get("Retry-After", ""))
    return float(text) if text.isascii() and text.isdigit() else 0.0
