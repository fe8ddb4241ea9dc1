"""The request that proves a promotion: as ``verify`` says, else the first predicting load's."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from crossfade.spec.rollout import Bundle, FeedbackLoad, FortioLoad, JobLoad, Manifest, Verify
from crossfade.spec.source import listed

_VALUE_FLAGS = {"-H": "header", "-payload": "payload"}


def proving_request(bundle: Bundle) -> Verify | None:
    """Return the request that a real user's answer is checked with, or None when none is known.

    A feedback Job is not one: its answers are empty whichever model serves.
    """
    if bundle.verify is not None:
        return bundle.verify
    for load in bundle.load:
        if isinstance(load, FeedbackLoad | FortioLoad):
            return Verify(url=load.url, payload=load.payload, headers=load.headers,
                          secret=load.secret)  # fmt: skip
        if isinstance(load, JobLoad):
            for request in map(fortio_request, load.jobs):
                if request is not None and not request.url.rstrip("/").endswith("/feedback"):
                    return request
    return None


def secrets_of_requests(bundle: Bundle) -> tuple[str, ...]:
    """Return the Secrets that load and the proving request name, without repeats."""
    senders = [load for load in bundle.load if not isinstance(load, JobLoad)]
    named = [load.secret for load in senders]
    proving = proving_request(bundle)
    named += [] if proving is None else [proving.secret]
    return tuple(dict.fromkeys(name for name in named if name))


def at_host(request: Verify, host: str, port: int) -> Verify:
    """Return the same request sent straight to ``host:port`` instead of the gateway."""
    parts = urlsplit(request.url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {k: v for k, v in request.headers.items() if k.lower() != "host"}
    return request.model_copy(update={"url": f"http://{host}:{port}{path}", "headers": headers})


def fortio_request(job: Manifest) -> Verify | None:
    """Return the request that a Job's fortio container sends, or None when it has none."""
    words = fortio_command(job)
    return None if words is None else _parse(words)


def fortio_command(job: Mapping[str, Any]) -> list[str] | None:
    """Return the words of a Job's fortio container, environment put in; None without one."""
    for container in _containers(job):
        if not _is_fortio(container):
            continue
        environment = {
            str(item.get("name")): str(item.get("value", ""))
            for item in listed(container, ("env",))
            if isinstance(item, Mapping)
        }
        return [_expand(word, environment) for word in _words(container)]
    return None


def runs_fortio(job: Mapping[str, Any]) -> bool:
    """Return whether one of a Job's containers runs fortio."""
    return any(_is_fortio(container) for container in _containers(job))


def _is_fortio(container: Mapping[str, Any]) -> bool:
    words = _words(container)
    return bool(words) and "fortio" in words[0]


def _words(container: Mapping[str, Any]) -> list[str]:
    return [str(w) for key in ("command", "args") for w in listed(container, (key,))]


def _containers(job: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    containers = listed(job, ("spec", "template", "spec", "containers"))
    yield from (item for item in containers if isinstance(item, Mapping))


def _expand(word: str, environment: Mapping[str, str]) -> str:
    """Replace ``$(NAME)`` as Kubernetes does: unknown names stay as they are."""
    for name, value in environment.items():
        word = word.replace(f"$({name})", value)
    return word


def _flags(words: list[str]) -> list[str]:
    """Return the words as Go reads them: ``--x`` is ``-x``, and ``-x=1`` two words."""
    found = []
    for word in words:
        if not word.startswith("-"):
            found.append(word)
            continue
        name, equals, value = word.partition("=")
        found += [f"-{name.lstrip('-')}", *([value] if equals else [])]
    return found


def _parse(words: list[str]) -> Verify | None:
    headers: dict[str, str] = {}
    payload = None
    for flag, value in itertools.pairwise(_flags(words)):
        what = _VALUE_FLAGS.get(flag)
        if what == "header":
            name, _, text = value.partition(":")
            headers[name.strip()] = text.strip()
        elif what == "payload":
            payload = value
    try:
        return Verify(url=words[-1], payload=payload, headers=headers)
    except ValidationError:  # no URL, or none that is asked from here
        return None


def fortio_words(load: FortioLoad, url: str) -> list[str]:
    """Return fortio's arguments for a plain load that lasts until it is ended.

    What its headers take from a Secret must be put in already.
    """
    words = ["load", "-quiet", "-t", "0", "-qps", str(load.qps), "-c", str(load.connections)]
    for name, value in load.headers.items():
        words += ["-H", f"{name}: {value}"]
    if load.payload is not None:
        words += ["-payload", load.payload]
    return [*words, url]


def request_rate(bundle: Bundle) -> float | None:
    """Return the predictions a second that the rollout's own load sends, None when unknown."""
    rates = []
    for load in bundle.load:
        if isinstance(load, FeedbackLoad | FortioLoad):
            rates.append(load.qps)
        elif isinstance(load, JobLoad):
            rates += [rate for job in load.jobs if (rate := _job_rate(job)) is not None]
    return sum(rates) if rates else None


def _job_rate(job: Manifest) -> float | None:
    words = fortio_command(job) or []
    words = _flags(words)
    if not words or words[-1].rstrip("/").endswith("/feedback") or "-qps" not in words[:-1]:
        return None
    try:
        return float(words[words.index("-qps") + 1])
    except ValueError:
        return None
