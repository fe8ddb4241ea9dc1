"""References to Secrets, ``${key}`` in a header and a name; and Secrets that stand in clear."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator

from crossfade.errors import SpecError

_KEY = re.compile(r"\$\{([-._a-zA-Z0-9]+)\}")
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")


def secret_name(text: str) -> str:
    """Return ``name`` or ``namespace/name`` as given.  Raises ``ValueError`` for anything else."""
    place, slash, own = text.rpartition("/")
    if not _NAME.fullmatch(own) or (slash and not _NAME.fullmatch(place)):
        raise ValueError("expected a Secret as name or namespace/name")
    return text


SecretName = Annotated[str, AfterValidator(secret_name)]


def keys_in(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the keys that texts name as ``${key}``, in order, without repeats."""
    return tuple(dict.fromkeys(key for text in texts for key in _KEY.findall(text)))


def put_in(headers: Mapping[str, str], value: Callable[[str], str]) -> dict[str, str]:
    """Return the headers with each ``${key}`` replaced by the key's value, once, verbatim."""
    return {name: _KEY.sub(lambda found: value(found[1]), text) for name, text in headers.items()}


def filled(
    headers: Mapping[str, str], keys: Mapping[str, str], *, secret: str, where: str
) -> dict[str, str]:
    """Return the headers with a Secret's keys put in.

    Raises ``SpecError`` naming the Secret and the keys that it does not have.
    """
    missing = [key for key in keys_in(headers.values()) if key not in keys]
    if missing:
        raise SpecError(
            f"{where}: {', '.join(missing)} is no key of secret {secret}",
            hint=f"it has {', '.join(sorted(keys)) or 'no key'}",
        )
    return put_in(headers, keys.__getitem__)


def secret_within(manifest: Any) -> str | None:
    """Return which Secret a manifest is or lists (``Secret name``), None for none.

    A Secret is one in whatever kind of list it stands.
    """
    if not isinstance(manifest, Mapping):
        return None
    kind = str(manifest.get("kind", ""))
    if kind in ("Secret", "SecretList"):
        metadata = manifest.get("metadata")
        name = metadata.get("name") if isinstance(metadata, Mapping) else None
        return f"{kind} {name or ''}".strip()
    items = manifest.get("items") if kind.endswith("List") else None
    found = (secret_within(item) for item in (items if isinstance(items, list) else ()))
    return next((name for name in found if name is not None), None)
