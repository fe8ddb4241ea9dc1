"""The request that proves a promotion: as ``verify`` says, else the first predicting load's."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from crossfade.spec.rollout import Bundle, FeedbackLoad, FortioLoad, JobLoad, Manifest, Verify
from crossfade.spec.source import listed

_IMAGE = re.compile(r"(^|/)fortio([:@]|$)")
_VARIABLE = re.compile(r"\$(?:\$|\(([^()\s]+)\))")
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
                if request is not None and not asks_for_feedback(request.url):
                    return request
    return None


def secrets_of_requests(bundle: Bundle) -> tuple[str, ...]:
    """Return the Secrets that load and the proving request name, without repeats."""
    senders = [load for load in bundle.load if not isinstance(load, JobLoad)]
    named = [load.secret for load in senders]
    proving = proving_request(bundle)
    named += [] if proving is None else [proving.secret]
    return tuple(dict.fromkeys(name for name in named if name))


def asks_for_feedback(url: str) -> bool:
    """Return whether a URL is where feedback goes: its answers are empty, whoever gives them."""
    return url.rstrip("/").endswith("/feedback")


def at_host(request: Verify, host: str, port: int) -> Verify:
    """Return the same request sent straight to ``host:port`` instead of the gateway."""
    parts = urlsplit(request.url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {k: v for k, v in request.headers.items() if k.lower() != "host"}
    return request.model_copy(update={"url": f"http://{host}:{port}{path}", "headers": headers})


def fortio_request(job: Manifest) -> Verify | None:
    """Return the request that a Job's fortio container sends, or None when it is not known here.

    It is not where the container's variables come from a Secret, a ConfigMap or a field: their
    values are put in on the cluster, and an answer to a request without them proves nothing.
    """
    words = fortio_command(job)
    return None if words is None or elsewhere(job) else _parse(words)


def fortio_command(job: Mapping[str, Any]) -> list[str] | None:
    """Return the words of a Job's fortio container, environment put in; None without one."""
    container = _fortio(job)
    if container is None:
        return None
    known = _environment(container)
    return [_expand(word, known) for word in _words(container)]


def elsewhere(job: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the variables of a Job's fortio request whose values do not stand in the Job.

    In the URL any unknown one is such a variable: Kubernetes adds those of its Services.
    """
    container = _fortio(job)
    if container is None:
        return ()
    known, named = _environment(container), _names_from_elsewhere(container)
    *texts, url = _request_words(_words(container))
    if not listed(container, ("envFrom",)):
        texts = [f"$({name})" for text in texts for name in _variables(text) if name in named]
    used = dict.fromkeys(name for text in (*texts, url) for name in _variables(text))
    return tuple(name for name in used if name not in known)


def _request_words(words: list[str]) -> list[str]:
    """Return the headers, the payload and the URL of fortio's words, the URL last."""
    pairs = itertools.pairwise(_flags(words))
    return [*(value for flag, value in pairs if flag in _VALUE_FLAGS), words[-1]]


def _fortio(job: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return next(filter(_is_fortio, _containers(job)), None)


def _environment(container: Mapping[str, Any]) -> dict[str, str]:
    """Return the variables whose values stand in the Job; a value may name earlier ones."""
    known: dict[str, str] = {}
    for item in _variables_of(container):
        name = str(item.get("name"))
        if item.get("valueFrom"):
            known.pop(name, None)
        else:
            value = item.get("value")
            known[name] = _expand("" if value is None else str(value), known)
    return known


def _names_from_elsewhere(container: Mapping[str, Any]) -> set[str]:
    return {str(item.get("name")) for item in _variables_of(container) if item.get("valueFrom")}


def _variables_of(container: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [item for item in listed(container, ("env",)) if isinstance(item, Mapping)]


def runs_fortio(job: Mapping[str, Any]) -> bool:
    """Return whether one of a Job's containers runs fortio."""
    return any(_is_fortio(container) for container in _containers(job))


def _is_fortio(container: Mapping[str, Any]) -> bool:
    words = _words(container)
    return bool(words) and "fortio" in words[0]


def _words(container: Mapping[str, Any]) -> list[str]:
    """Return what a container runs; fortio's own image runs fortio where no command is named."""
    words = [str(w) for key in ("command", "args") for w in listed(container, (key,))]
    if listed(container, ("command",)) or not _IMAGE.search(str(container.get("image", ""))):
        return words
    return ["fortio", *words]


def _containers(job: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    containers = listed(job, ("spec", "template", "spec", "containers"))
    yield from (item for item in containers if isinstance(item, Mapping))


def _variables(word: str) -> list[str]:
    return [found[1] for found in _VARIABLE.finditer(word) if found[1]]


def _expand(word: str, environment: Mapping[str, str]) -> str:
    """Replace ``$(NAME)`` as Kubernetes does: once, unknown names stay, ``$$`` is a dollar."""

    def value(found: re.Match[str]) -> str:
        return environment.get(found[1], found[0]) if found[1] else "$"

    return _VARIABLE.sub(value, word)


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


def sent_headers(words: list[str]) -> dict[str, str]:
    """Return the headers that fortio's words send, by name."""
    headers = {}
    for flag, value in itertools.pairwise(_flags(words)):
        if _VALUE_FLAGS.get(flag) == "header":
            name, _, text = value.partition(":")
            headers[name.strip()] = text.strip()
    return headers


def _parse(words: list[str]) -> Verify | None:
    pairs = itertools.pairwise(_flags(words))
    payloads = [value for flag, value in pairs if _VALUE_FLAGS.get(flag) == "payload"]
    payload = payloads[-1] if payloads else None
    try:
        return Verify(url=words[-1], payload=payload, headers=sent_headers(words))
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
    if not words or asks_for_feedback(words[-1]) or "-qps" not in words[:-1]:
        return None
    try:
        return float(words[words.index("-qps") + 1])
    except ValueError:
        return None
