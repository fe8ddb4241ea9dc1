"""HTTP for metric stores: one session with time-outs, bounded retries and honest TLS."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from string import Template
from typing import Any
from urllib.parse import quote, quote_plus

import requests
from requests.adapters import HTTPAdapter
from requests.utils import requote_uri
from urllib3.exceptions import NewConnectionError
from urllib3.exceptions import TimeoutError as HttpTimeout
from urllib3.util.retry import Retry

from crossfade.errors import CrossfadeError, SpecError
from crossfade.spec.metric import AuthType, Metric
from crossfade.spec.prometheus import HttpSettings
from crossfade.spec.urls import is_http, masked, split
from crossfade.verdict import Reading

Secrets = Callable[[str], Mapping[str, str]]
"""Gives the keys of a Secret named ``name`` or ``namespace/name``."""

EXCERPT = 256
SHORTEST_SECRET, HIDDEN, CUT = 4, "***", "..."
_HEX = re.compile("%[0-9A-F]{2}")
RETRIED = (408, 429, 500, 502, 503, 504)


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


def checked_url(url: str, *, where: str, written: str | None = None) -> str:
    """Return the URL.

    Raises ``SpecError`` unless it is http or https with a host.  The error shows what was
    ``written`` in the file: keys of a secret may stand in the URL itself.
    """
    if not is_http(url):
        shown = masked(url if written is None else written)
        raise SpecError(f"{where}: URL {shown!r}, expected http:// or https:// and a host")
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


def discreetly(ask: Callable[[Secrets], Reading], secrets: Secrets) -> Reading:
    """Return what ``ask`` reads, or raise what it raises, without a value of any secret it read.

    A store may answer with what it was sent, headers included, and an error may tell of a URL;
    the record and the log must not.
    """
    known: list[str] = []

    def read(name: str) -> Mapping[str, str]:
        keys = secrets(name)
        known.extend(forms(keys))
        return keys

    try:
        reading = ask(read)
    except CrossfadeError as error:
        error.args, error.hint = (hide(str(error), known),), hide(error.hint, known)
        raise
    except Exception as error:  # whatever it is, its text is told
        return Reading(None, hide(f"reading failed: {type(error).__name__}: {error}", known))
    warnings = tuple(hide(text, known) for text in reading.warnings)
    query, reason = hide(reading.query, known), hide(reading.reason, known)
    return replace(reading, reason=reason, warnings=warnings, query=query)


def forms(keys: Mapping[str, str]) -> list[str]:
    """Return the values of a secret as they may come back: plain, quoted, or as Basic sends it."""
    pair = f"{keys.get('username', '')}:{keys.get('password', '')}"
    found = [base64.b64encode(pair.encode()).decode()] if len(pair) > 1 else []
    for value in keys.values():
        for text in {value, value.strip()}:
            in_url = [quote(text, safe=""), quote(text), quote_plus(text), requote_uri(text)]
            found += [text, *in_url, json.dumps(text)[1:-1], repr(text)[1:-1]]
            found += [_HEX.sub(lambda part: part[0].lower(), form) for form in in_url]
    return found


def hide(text: str, values: Iterable[str]) -> str:
    """Return the text without these values; those under 4 characters hide in plain sight."""
    hidden = {value for value in values if len(value) >= SHORTEST_SECRET}
    return _without(text, sorted(hidden, key=len, reverse=True))


def _without(text: str, hidden: list[str]) -> str:
    """Return the text without these values, nor the beginning of one where it was cut short."""
    for value in hidden:
        text = text.replace(value, HIDDEN)
        for length in range(len(value) - 1, 0, -1) if CUT in text else ():
            begun = f"{value[:length]}{CUT}"
            if text.endswith(begun):
                text = f"{text.removesuffix(begun)}{HIDDEN}{CUT}"
            elif length >= SHORTEST_SECRET:  # jq cuts what it tells of, too
                text = text.replace(begun, f"{HIDDEN}{CUT}")
    return text


def excerpt(body: Any) -> str:
    """Return the beginning of a body for a message: short, so that no secret travels far."""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body)
    return text if len(text) <= EXCERPT else f"{text[:EXCERPT]}{CUT}"


def told(error: requests.RequestException, written: str | None = None) -> str:
    """Return a network error in one line, with the host, without what libraries print.

    The host is that of what was ``written`` in the file, where keys of a secret may stand in it.
    """
    asked = error.request.url if error.request is not None else None
    parts = split(written or asked or "")
    host = parts.hostname if parts is not None else None
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
