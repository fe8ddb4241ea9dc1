"""The Kubernetes API behind HTTP, in memory, with what goes wrong on the way to it."""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from fake_kube import FakeKube
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import NewConnectionError, ReadTimeoutError

from crossfade.errors import Conflict
from crossfade_steps.cluster.kube import Kube
from crossfade_steps.cluster.transport import JSON_PATCH, Transport
from crossfade_steps.ports import ObjectKey

KINDS = {"/api/v1": ("ConfigMap", "configmaps"), "/apis/batch/v1": ("Job", "jobs")}
LOST, REFUSED, LATE = "lost", "refused", "late"


class Api:
    """A server; ``faults`` come one a request: a status, or how the answer is lost.

    ``LOST`` carries the request out first, ``LATE`` does not, ``REFUSED`` never reaches it; a
    mapping is the headers of a 429; ``discovery`` is the status that every look at kinds gets.
    """

    def __init__(self) -> None:
        self.store, self.faults, self.asked = FakeKube(), [], []
        self.now, self.waits = 0.0, []
        self.between: Any = lambda: None
        self.discovery = 0
        self.rest_client = self
        self.configuration = SimpleNamespace(host="", auth_settings=dict)

    def kube(self) -> Kube:
        client: Any = self
        return Kube(client, transport=Transport(client, lambda: self.now, self.sleep))

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds
        self.between()

    def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: Any,
        _request_timeout: tuple[float, float],
    ) -> Any:  # fmt: skip
        path = url.partition("?")[0]
        if self.discovery and path in KINDS:
            raise _error(self.discovery)
        if path in KINDS:
            kind, name = KINDS[path]
            return _answer({"resources": [{"kind": kind, "name": name, "namespaced": True}]})
        if path == "/apis/batch":
            return _answer({"versions": [{"version": "v1"}]})
        self.asked.append((method, url))
        fault = self.faults.pop(0) if self.faults else None
        if fault == LOST:
            self._carry_out(method, path, headers, body)
        if fault in (LOST, LATE):
            self.now += _request_timeout[1]
            raise ReadTimeoutError(None, url, "timed out")  # type: ignore[arg-type]
        if fault == REFUSED:
            raise NewConnectionError(None, "refused")  # type: ignore[arg-type]
        if isinstance(fault, ssl.SSLError):  # as the client has it: a status of none
            raise ApiException(status=0, reason=str(fault)) from fault
        if fault is not None:
            raise _error(429, fault) if isinstance(fault, Mapping) else _error(fault)
        return _answer(self._carry_out(method, path, headers, body))

    def _carry_out(self, method: str, path: str, headers: Any, body: Any) -> Any:
        _, kind, namespace, name = _parts(path)
        key = ObjectKey("batch" if kind == "Job" else "", kind, namespace, name)
        try:
            if method == "POST":
                made = body["metadata"]
                name = made.get("name") or made["generateName"] + str(len(self.asked))
                return self.store.create({**body, "metadata": {**made, "name": name}})
            stored = self.store.get(key)
            if stored is None:
                raise _error(404)
            if method == "GET":
                return stored
            if method == "DELETE":
                uid = (body.get("preconditions") or {}).get("uid")
                return self.store.delete(key, uid=uid)
            if headers["Content-Type"] == JSON_PATCH:
                return self.store.patch(key, body)
            return self.store.merge(key, body)
        except Conflict as error:
            raise _error(409) from error


def _parts(path: str) -> tuple[str, str, str, str]:
    base, _, rest = path.partition("/namespaces/")
    namespace, plural, *name = rest.split("/")
    kind = next(kind for kind, own in KINDS.values() if own == plural)
    return base, kind, namespace, name[0] if name else ""


def _answer(stored: Any) -> Any:
    return SimpleNamespace(status=200, data=json.dumps(stored or {}))


def _error(status: int, headers: Mapping[str, str] | None = None) -> ApiException:
    error = ApiException(status=status, reason="no")
    error.headers, error.body = headers, '{"message": "no"}'
    return error
