"""Names that Kubernetes and Argo accept, for any text, the same for the same text."""

from __future__ import annotations

import hashlib
import re
from typing import Annotated

from pydantic import AfterValidator

MOST_WORKFLOW = 63
MOST_CRON = 52
MOST_LABEL = 63
GENERATED = 5
"""How many characters Kubernetes appends to a generateName."""


def dns_name(text: str, most: int) -> str:
    """Return lower-case letters, digits and hyphens, at most ``most`` of them.

    What had to be changed or cut is made unique by a hash of the whole text.
    """
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if name and name == text and len(name) <= most:
        return name
    mark = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    head = name[: most - len(mark) - 1].strip("-")
    return f"{head}-{mark}" if head else f"x-{mark}"


def label_value(text: str) -> str:
    """Return a label value for any text: at most 63 letters, digits, ``-``, ``_`` and ``.``."""
    value = re.sub(r"[^A-Za-z0-9_.-]+", "-", text)[:MOST_LABEL]
    return value.strip("-_.")


def plain_text(text: str) -> str:
    """Return the text without anything that Argo would read as a template or JSON cannot carry."""
    kept = re.sub(r"[^\w .,:;/()+%<>=-]", " ", text, flags=re.ASCII)
    return re.sub(r" +", " ", kept).strip()


def lock_name(group: str, kind: str, namespace: str, name: str) -> str:
    """Return the mutex of a routed object: equal for every way of naming it."""
    text = "/".join((group, kind.lower(), namespace, name))
    return f"crossfade-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_SUBDOMAIN = re.compile(
    r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", re.ASCII
)
_RBAC = re.compile(r"[A-Za-z0-9:._-]{1,253}", re.ASCII)
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,500}", re.ASCII)


RBAC_GROUP = "rbac.authorization.k8s.io"
MOST_NAME = 253


def checked_name(text: str, group: str = "") -> str:
    """Return an object's name as given: a DNS subdomain (RFC 1123), as nearly all kinds want it.

    Objects of the RBAC group may also have colons and capitals.  Raises ``ValueError``.
    """
    if group == RBAC_GROUP and _RBAC.fullmatch(text) and ".." not in text and text != ".":
        return text
    if len(text) > MOST_NAME or not _SUBDOMAIN.fullmatch(text):
        raise ValueError(
            "expected lower-case letters, digits, '-' and '.', beginning and ending with a letter "
            f"or digit, at most {MOST_NAME}"
        )
    return text


def namespace_name(text: str) -> str:
    """Return a namespace as given, or nothing for none.  Raises ``ValueError``."""
    if text and not _LABEL.fullmatch(text):
        raise ValueError("expected a namespace: lower-case letters, digits and hyphens, at most 63")
    return text


def _account(text: str) -> str:
    if len(text) > 253 or not all(_LABEL.fullmatch(part) for part in text.split(".")):
        raise ValueError("expected a service account: lower-case letters, digits, hyphens and dots")
    return text


def image_name(text: str) -> str:
    """Return an image's name as given.  Raises ``ValueError`` for anything else."""
    if not _IMAGE.fullmatch(text):
        raise ValueError("expected an image such as registry.example.com/crossfade-steps:0.1.0")
    return text


# What goes into a compiled workflow as it is: nothing in it may be a template to Argo.
NamespaceName = Annotated[str, AfterValidator(namespace_name)]
AccountName = Annotated[str, AfterValidator(_account)]
ImageName = Annotated[str, AfterValidator(image_name)]
