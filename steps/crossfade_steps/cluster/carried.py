"""Whether what is stored is what an earlier try of the same request made of it.

A try whose answer was lost may have been carried out.  Its repetition is then refused: the object
exists, its version is another, it is gone.  That is nobody else's change.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from crossfade_steps.cluster.transport import JSON_PATCH, MERGE_PATCH, Request

Object = Mapping[str, Any]
_PLACE = re.compile(r"/(-|[0-9]+)$")


def only_once(method: str, body: Any, content: str) -> bool:
    """Return whether a repetition could do twice what was asked once.

    So does a create whose name the server makes up, and a patch that inserts into a list (or takes
    out of it) at whatever version.
    """
    if method == "POST":
        return not ((body or {}).get("metadata") or {}).get("name")
    if content != JSON_PATCH or any(each["op"] == "test" for each in body):
        return False
    return any(each["op"] != "replace" and _PLACE.search(each["path"]) for each in body)


def object_path(request: Request) -> str:
    """Return the path of the object that a request is about."""
    path = request.path.partition("?")[0]
    return f"{path}/{request.body['metadata']['name']}" if request.method == "POST" else path


def out(request: Request, stored: Object | None) -> bool:
    """Return whether the stored object (None: there is none) is what the request asked for."""
    if request.method == "DELETE":
        wanted = (request.body.get("preconditions") or {}).get("uid")
        return stored is None or (wanted is not None and stored["metadata"]["uid"] != wanted)
    if stored is None:
        return False
    if request.content == JSON_PATCH:
        return all(_holds(stored, operation) for operation in request.body)
    if request.content == MERGE_PATCH:
        metadata = {k: v for k, v in (request.body.get("metadata") or {}).items()
                    if k != "resourceVersion"}  # fmt: skip
        return _carries(stored, {**request.body, "metadata": metadata})
    return request.method == "POST" and _carries(stored, _said(request.body))


def _said(sent: Any) -> Any:
    """Return what a manifest says: the server leaves out what is empty, and fills in nulls."""
    if isinstance(sent, Mapping):
        kept = {key: _said(value) for key, value in sent.items()}
        return {key: value for key, value in kept.items() if value not in (None, {}, [], "", False)}
    return [_said(value) for value in sent] if isinstance(sent, list | tuple) else sent


def _carries(stored: Any, sent: Any) -> bool:
    """Return whether all that was sent is stored; the server adds, and None means absent."""
    if isinstance(sent, Mapping):
        return isinstance(stored, Mapping) and all(
            key not in stored if value is None else key in stored and _carries(stored[key], value)
            for key, value in sent.items()
        )
    if isinstance(sent, list | tuple):
        return (isinstance(stored, list) and len(stored) == len(sent)
                and all(map(_carries, stored, sent)))  # fmt: skip
    return bool(stored == sent)


def _holds(stored: Object, operation: Mapping[str, Any]) -> bool:
    """Return whether an operation of a JSON Patch (RFC 6902) has left what it was to leave."""
    if operation["op"] == "test":
        return True  # it held then
    if operation["op"] not in ("add", "replace", "remove"):
        return False
    found = _at(stored, str(operation["path"]).split("/")[1:])
    if operation["op"] == "remove":
        return not found
    return bool(found) and _carries(found[0], operation["value"])


def _at(node: Any, path: Sequence[str]) -> list[Any]:
    """Return the value at a JSON Pointer (RFC 6901) in a list; an empty one where there is none."""
    for part in path:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(node, Mapping) and key in node:
            node = node[key]
        elif isinstance(node, list) and key.isdecimal() and int(key) < len(node):
            node = node[int(key)]
        elif isinstance(node, list) and key == "-" and node:
            node = node[-1]  # what was put at the end
        else:
            return []
    return [node]
