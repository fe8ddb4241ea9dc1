"""Rules about credentials: in clear text, named but not there, or known to a Job alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from crossfade.errors import Severity
from crossfade.lint.rule import Context, Place, rule
from crossfade.spec.interpolation import placeholders
from crossfade.spec.metric import AuthType
from crossfade.spec.requests import (
    asks_for_feedback,
    elsewhere,
    fortio_command,
    proving_request,
    sent_headers,
)
from crossfade.spec.rollout import FeedbackLoad, FortioLoad, Verify
from crossfade.spec.secrets import keys_in
from crossfade.spec.source import Document, Path
from crossfade.spec.urls import userinfo

SECRET_WORDS = ("authorization", "key", "token", "password", "secret")
Sender = FortioLoad | FeedbackLoad | Verify


@rule(
    "Credential",
    "a credential in clear text",
    "keep it in a Secret and write ${name} in its place",
)
def embedded_credential(context: Context) -> Iterator[Place]:
    """Find header values that look like credentials, and URLs that hold one."""
    for key, metric in context.bundle.metrics.items():
        document = context.metric_document(key)
        for i, header in enumerate(metric.spec.header_templates):
            if _in_clear(header.name, header.value) and not placeholders(header.value):
                message = f"metric {key}: header {header.name} holds its credential in clear text"
                yield Place(document, ("spec", "headerTemplates", i), message)
        if _named(metric.spec.url_template or ""):
            message = f"metric {key}: urlTemplate holds a credential in clear text"
            yield Place(document, ("spec", "urlTemplate"), message)
    if _named(str(context.bundle.prometheus.get("url") or "")):
        message = "prometheus.url holds a credential in clear text"
        yield Place(context.rollout_document, ("spec", "prometheus", "url"), message)
    yield from _of_requests(context)


def _in_clear(name: str, value: str) -> bool:
    """Return whether a header sounds like a credential and names no key of a Secret."""
    sounds = any(word in name.lower() for word in SECRET_WORDS)
    return sounds and bool(value) and not keys_in([value])


def _named(url: str) -> bool:
    own = userinfo(url)
    return bool(own) and not placeholders(own)


def _of_requests(context: Context) -> Iterator[Place]:
    """Find them in what load and ``verify`` send, and in the Jobs of load files."""
    for path, sender in _senders(context):
        for name, value in sender.headers.items():
            if _in_clear(name, value):
                message = f"{path[-1]}: header {name} holds its credential in clear text"
                yield Place(context.rollout_document, (*path, "headers", name), message)
    for document in context.find("Job"):
        words = fortio_command(document.data) or [""]
        headers = sent_headers(words)
        found = [f"header {name}" for name, value in headers.items()
                 if _in_clear(name, value) and "$(" not in value]  # fmt: skip
        found += ["the URL"] if _named(words[-1]) else []
        for what in found:
            message = f"Job {document.name}: {what} holds its credential in clear text"
            yield Place(document, ("spec",), message)


def _senders(context: Context) -> Iterator[tuple[Path, Sender]]:
    """Yield what sends headers from the rollout's own file, with its place there."""
    for i, load in enumerate(context.bundle.load):
        if isinstance(load, FortioLoad | FeedbackLoad):
            yield (
                ("spec", "load", i, "fortio" if isinstance(load, FortioLoad) else "feedback"),
                load,
            )
    if context.bundle.verify is not None:
        yield ("spec", "verify"), context.bundle.verify


@rule(
    "Key",
    "a Secret that the headers cannot be filled from",
    "name a Secret under secret; a load's is in the run's own namespace",
    Severity.ERROR,
)
def unfilled_key(context: Context) -> Iterator[Place]:
    """Find ``${key}`` without a ``secret``, and a load's Secret that its Job could not reach."""
    yield from _unfilled_metrics(context)
    own = context.bundle.namespace
    for path, sender in _senders(context):
        keys = keys_in(sender.headers.values())
        if keys and sender.secret is None:
            message = f"{path[-1]}: {', '.join(keys)} in the headers, but no secret is named"
            yield Place(context.rollout_document, (*path, "headers"), message)
        namespace = (sender.secret or "").rpartition("/")[0]
        if not isinstance(sender, Verify) and namespace not in ("", own):
            message = f"{path[-1]}: secret {sender.secret}, expected one of namespace {own}"
            yield Place(context.rollout_document, (*path, "secret"), message)


def _unfilled_metrics(context: Context) -> Iterator[Place]:
    """Find metrics that would fail each time they are asked: their headers are never filled."""
    for key, metric in context.bundle.metrics.items():
        if metric.spec.secret is not None or metric.spec.mock:
            continue
        for i, header in enumerate(metric.spec.header_templates):
            for name in keys_in([header.value]):
                message = f"metric {key}: {name} in header {header.name}, but no secret is named"
                path = ("spec", "headerTemplates", i)
                yield Place(context.metric_document(key), path, message)


@rule(
    "Auth",
    "authType Basic without a Secret: the store is asked without a credential",
    "name a Secret under secret, with the keys username and password",
)
def auth_without_secret(context: Context) -> Iterator[Place]:
    """Find metrics that say how they authenticate, and not as whom; other types have headers."""
    for key, metric in context.bundle.metrics.items():
        spec = metric.spec
        if spec.auth_type is AuthType.BASIC and spec.secret is None and not spec.mock:
            message = f"metric {key}: authType {spec.auth_type} without secret"
            yield Place(context.metric_document(key), ("spec", "authType"), message)


@rule(
    "Verify",
    "no request is known that a promotion can be proven with",
    "write spec.verify: its url, payload and headers, with secret for what is in a Secret",
)
def unknown_request(context: Context) -> Iterator[Place]:
    """Find promotions that nothing can prove, and Jobs whose request only their own pod knows."""
    if proving_request(context.bundle) is not None:
        return
    yield from _unknown_jobs(context)
    if context.bundle.promote and not any(map(_predicts, context.find("Job"))):
        message = "neither verify nor a load that predicts: no answer proves the promotion"
        yield Place(context.rollout_document, ("spec", "promote"), message)


def _predicts(job: Document) -> bool:
    """Return whether a Job asks for predictions, be it by a URL that is still to be put in."""
    words = fortio_command(job.data) or []
    return bool(words) and not asks_for_feedback(words[-1])


def _unknown_jobs(context: Context) -> Iterator[Place]:
    for document in context.find("Job"):
        data: Mapping[str, object] = document.data
        words = fortio_command(data) or [""]
        names = elsewhere(data)
        if asks_for_feedback(words[-1]) or not (names or userinfo(words[-1])):
            continue
        what = f"{', '.join(names)} from outside of it" if names else "a credential in its URL"
        message = f"Job {document.name} sends {what}: a promotion is not proven by such a request"
        yield Place(document, ("spec",), message)
