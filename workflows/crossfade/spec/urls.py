"""URLs in what users write: http and https only, and never a credential in one."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

REFUSED = "http_url"
"""The type of the error for a URL; its text shows as much of the value as may be shown."""
_OWN = re.compile(r"//[^/?#]*@")
_NOT_A_URL = re.compile(r"[\x00-\x20\x7f]")


def split(url: str) -> SplitResult | None:
    """Return the parts of a URL, None for a text that has none (``http://[x``, a port ``x``)."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # which is read, and may be no number, only when it is asked for
    except ValueError:
        return None
    return parts


def is_http(url: str) -> bool:
    """Return whether the URL is http or https with a host."""
    parts = split(url)
    return parts is not None and parts.scheme in ("http", "https") and bool(parts.hostname)


def masked(url: str) -> str:
    """Return the URL for a message: without who asks, which may be a password."""
    return _OWN.sub("//***@", url)


def userinfo(url: str) -> str:
    """Return what stands before the host (``user:password``), empty for nothing."""
    found = _OWN.search(url)
    return found[0][2:-1] if found else ""


def http_url(url: str) -> str:
    """Return a URL as given.

    Raises pydantic's error for one that is not http or https with a host, that a program could take
    for an option, or that holds a credential, which would be in the workflow for everybody to read.
    """
    if userinfo(url):
        raise _refused(f"{masked(url)!r} holds a credential, expected none: it would be in the "
                       "workflow for everybody to read; name a Secret under secret and write "
                       "${key} in a header")  # fmt: skip
    if not is_http(url) or _NOT_A_URL.search(url):
        raise _refused(f"{masked(url)!r}, expected http:// or https:// and a host")
    return url


def _refused(text: str) -> PydanticCustomError:
    return PydanticCustomError(REFUSED, "{text}", {"text": text})


HttpUrl = Annotated[str, AfterValidator(http_url)]
