"""Names that Kubernetes and Argo accept, for any text, the same for the same text."""

from __future__ import annotations

import hashlib
import re

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
