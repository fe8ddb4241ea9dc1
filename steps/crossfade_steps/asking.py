"""HTTP for metric stores: one session with time-outs, bounded retries and honest TLS."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import replace
from string import Template
from typing import Any
from urllib.parse import urlsplit

import requests
from pydantic import BaseModel, ConfigDict, Field
from requests.adapters import HTTPAdapter
from urllib3.exceptions import NewConnectionError
from urllib3.exceptions import TimeoutError as HttpTimeout
from urllib3.util.retry import Retry

from crossfade.errors import SpecError
from crossfade.spec.metric import AuthType, Metric
from crossfade.verdict import Reading

Secrets = Callable[[str], Mapping[str, str]]
"""Gives the keys of a Secret named ``name`` or ``namespace/name``."""

EXCERPT = 256
SHORTEST_SECRET, HIDDEN, CUT = 4, "***", "..."
RETRIED = (408, 429, 500, 502, 503, 504)


class HttpSettings(BaseModel):
    """How to talk to a metric store; times in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    timeout: float = Field(default=5.0, gt=0, le=60)
    retries: int = Field(default=2, ge=0, le=10)
    most_retry_after: int = Field(default=5, ge=0, le=60)
    verify_tls: bool | str = True


def no_secrets(name: str) -> Mapping[str, str]:
    """Refuse every secret: the place where a run goes on knows none."""
    raise SpecError(
        f"secret {name} cannot be read here",
        hint="secrets are read on the cluster only, by the step that needs them",
    )


def retry_policy(settings: HttpSettings) -> Retry:
    """Return urllib3's retry: it honours Retry-After up to a limit and backs off with jitter.

    The last answer is returned, not raised, so that its status and body can be told.
    """
    return Retry(
        total=settings.retries,
        status_forcelist=RETRIED,
        allowed_methods=None,
        backoff_factor=0.2,
        backoff_jitter=0.1,
        respect_retry_after_header=True,
        retry_after_max=settings.most_retry_after,
        raise_on_status=False,
    )


def new_session(settings: HttpSettings) -> requests.Session:
    """Return a session that retries, verifies TLS, and reads nothing from the environment."""
    session = requests.Session()
    session.trust_env = False
    session.verify = settings.verify_tls
    adapter = HTTPAdapter(max_retries=retry_policy(settings))
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


def checked_url(url: str, *, where: str) -> str:
    """Return the URL.  Raises ``SpecError`` unless it is http or https with a host."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SpecError(f"{where}: URL {url!r}, expected http:// or https:// and a host")
    return url


def credentials(
    metric: Metric, secrets: Secrets, *, where: str
) -> tuple[Mapping[str, str], tuple[str, str] | None]:
    """Return the secret's keys and the Basic credentials, where the metric asks for them."""
    if metric.spec.secret is None:
        return {}, None
    keys = secrets(metric.spec.secret)
    if metric.spec.auth_type is not AuthType.BASIC:
        return keys, None
    for name in ("username", "password"):
        if name not in keys:
            raise SpecError(f"{where}: secret {metric.spec.secret} has no key {name!r}")
    return keys, (keys["username"], keys["password"])


class KeyTemplate(Template):
    """A text with keys of a Secret in braces, which may have hyphens and dots."""

    braceidpattern = r"(?a:[-._a-zA-Z0-9]+)"


def headers_of(metric: Metric, keys: Mapping[str, str]) -> dict[str, str]:
    """Return the metric's headers; templates are filled with the secret's keys only.

    Raises ``SpecError`` for a key in braces that the secret does not have.
    """
    found = {}
    for header in metric.spec.header_templates:
        found[header.name] = KeyTemplate(header.value).safe_substitute(keys)
        missing = [m["braced"] for m in KeyTemplate.pattern.finditer(header.value)
                   if m["braced"] and m["braced"] not in keys]  # fmt: skip
        if missing:
            raise SpecError(
                f"metric {metric.metadata.name}: header {header.name}: {', '.join(missing)} is no "
                f"key of secret {metric.spec.secret}",
                hint=f"it has {', '.join(sorted(keys)) or 'no key'}",
            )
    return found


def discreet(reading: Reading, metric: Metric, secrets: Secrets) -> Reading:
    """Return the reading without any value of the metric's secret in its reason and warnings.

    A store may answer with what it was sent, headers included; the record and the log must not.
    """
    if metric.spec.secret is None or not (reading.reason or reading.warnings):
        return reading
    keys = secrets(metric.spec.secret)
    pair = f"{keys.get('username', '')}:{keys.get('password', '')}"
    values = [*keys.values(), base64.b64encode(pair.encode()).decode()]
    hidden = sorted((v for v in values if len(v) >= SHORTEST_SECRET), key=len, reverse=True)
    warnings = tuple(_without(text, hidden) for text in reading.warnings)
    return replace(reading, reason=_without(reading.reason, hidden), warnings=warnings)


def _without(text: str, hidden: list[str]) -> str:
    """Return the text without these values, nor the beginning of one where it was cut short."""
    for value in hidden:
        text = text.replace(value, HIDDEN)
        for length in range(len(value) - 1, 0, -1):
            if text.endswith(f"{value[:length]}{CUT}"):
                text = f"{text.removesuffix(value[:length] + CUT)}{HIDDEN}{CUT}"
                break
    return text


def excerpt(body: Any) -> str:
    """Return the beginning of a body for a message: short, so that no secret travels far."""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body)
    return text if len(text) <= EXCERPT else f"{text[:EXCERPT]}{CUT}"


def told(error: requests.RequestException) -> str:
    """Return a network error in one line, with the host, without what libraries print."""
    host = urlsplit(error.request.url or "").hostname if error.request is not None else None
    return f"{host}: {_kind(error)}" if host else _kind(error)


def _kind(error: requests.RequestException) -> str:
    cause = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(error, requests.Timeout) or (
        isinstance(cause, HttpTimeout) and not isinstance(cause, NewConnectionError)
    ):
        return "no answer in time"
    if isinstance(error, requests.ConnectionError):
        return "connection failed"
    return type(error).__name__
