"""Talking to what runs on this machine: loopback only, so never through a proxy."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import requests

from crossfade.errors import BackendError


def request(
    method: str,
    url: str,
    *,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    seconds: float = 10.0,
) -> requests.Response:
    """Return the answer, whatever its status.  Raises ``requests.RequestException``."""
    with requests.Session() as session:
        session.trust_env = False
        return session.request(method, url, data=body, headers=headers, timeout=seconds)


def answers(url: str) -> bool:
    """Return whether a GET gives 200 within a second."""
    try:
        return request("GET", url, seconds=1.0).status_code == 200
    except requests.RequestException:
        return False


def wait_for(name: str, url: str, seconds: float, failed: Callable[[], str | None]) -> None:
    """Wait until ``url`` gives 200.

    Raises ``BackendError`` with the reason of ``failed`` as soon as there is one, or when it takes
    too long.
    """
    until = time.monotonic() + seconds
    while not answers(url):
        reason = failed()
        if reason is not None:
            raise BackendError(reason)
        if time.monotonic() > until:
            raise BackendError(f"{name} did not become ready within {seconds:.0f} s")
        time.sleep(0.05)
