"""The Kubernetes API, as thin as it can be: objects of any kind by their key (port ``Objects``).

The official client brings configuration, authentication and TLS; paths come from the API's own
discovery, so that a kind needs no class here.
"""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from kubernetes import config
from kubernetes.client import ApiClient, Configuration

from crossfade.errors import BackendError, Conflict, SpecError
from crossfade_steps.cluster import carried
from crossfade_steps.cluster.transport import (
    APPLY,
    JSON,
    JSON_PATCH,
    MERGE_PATCH,
    TOTAL_SECONDS,
    Request,
    Transport,
)
from crossfade_steps.ports import FIELD_MANAGER, Object, ObjectKey

MANAGER = FIELD_MANAGER
NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
"""Where a pod, and nothing else, finds its namespace."""
METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
PERSON_SECONDS = 3.0
_NO_NAME = set("/?#%")
"""What would make another path of a name."""


def connect(context: str | None = None, pod: Path = NAMESPACE_FILE) -> Kube:
    """Return the API that KUBECONFIG or ``context`` name, else of this pod's cluster, else of home.

    Raises ``SpecError`` when there is none.
    """
    try:
        if _in_cluster(pod) and context is None:
            config.load_incluster_config()
        else:
            config.load_kube_config(os.environ.get("KUBECONFIG"), context=context)
    except config.ConfigException as error:
        raise SpecError(
            f"no cluster to talk to: {error}", hint="set KUBECONFIG, or kubectl config use-context"
        ) from error
    settings = Configuration.get_default_copy()
    settings.retries = False  # how a request is repeated is said in one place, the transport
    return Kube(ApiClient(settings))


def reached() -> Kube:
    """Return the API for a person, who is told within seconds that it is not there."""
    return connect().within(PERSON_SECONDS)


def _in_cluster(pod: Path) -> bool:
    """Return whether this is a pod that nobody has given another cluster's kubeconfig."""
    return pod.exists() and not os.environ.get("KUBECONFIG")


def own_namespace(pod: Path = NAMESPACE_FILE) -> str:
    """Return the namespace of this pod, else that of the current context, else ``default``."""
    if _in_cluster(pod):
        return pod.read_text().strip()
    try:
        context = config.list_kube_config_contexts(os.environ.get("KUBECONFIG"))[1]["context"]
    except (config.ConfigException, KeyError, TypeError):
        return "default"
    return str(context.get("namespace", "default"))


class Kube:
    """One cluster; manifests without a namespace belong to ``namespace``."""

    def __init__(
        self, client: ApiClient, namespace: str = "default", transport: Transport | None = None
    ) -> None:
        self._client = client
        self.namespace = namespace
        self._transport, self._total = transport or Transport(client), TOTAL_SECONDS
        self._known: dict[tuple[str, str, str], tuple[str, str, bool]] = {}

    def within(self, seconds: float) -> Kube:
        """Return the same API for who has a deadline: no try begins so long after the first."""
        hurried = copy.copy(self)
        hurried._total = seconds
        return hurried

    def get(self, key: ObjectKey) -> Object | None:
        """Return the object, or None when it (or its kind) does not exist."""
        try:
            path = self._path(key)
        except _UnknownKind:
            return None
        return self.ask("GET", path, absent_ok=True)

    def create(self, manifest: Object) -> Object:
        """Create the object, a ``generateName`` too; an existing one is a ``Conflict``."""
        named = {**manifest, "metadata": {"name": "", **manifest["metadata"]}}
        key = ObjectKey.of(named, self.namespace)
        if key.name:
            _segment(key, "name", key.name)
        path = self._path(replace(key, name=""), str(manifest["apiVersion"]), named=False)
        return self.must("POST", f"{path}?fieldManager={MANAGER}", manifest)

    def apply(self, manifest: Object) -> Object:
        """Create the object or take over what the manifest says of it (server-side apply)."""
        path = self._path(ObjectKey.of(manifest, self.namespace), str(manifest["apiVersion"]))
        query = urlencode({"fieldManager": MANAGER, "force": "true"})
        return self.must("PATCH", f"{path}?{query}", json.dumps(manifest), content=APPLY)

    def patch(self, key: ObjectKey, operations: Sequence[Mapping[str, Any]]) -> Object:
        """Apply one JSON Patch atomically; a ``test`` that fails is a ``Conflict``."""
        path = f"{self._path(key)}?fieldManager={MANAGER}"
        return self.must("PATCH", path, list(map(dict, operations)), content=JSON_PATCH)

    def merge(self, key: ObjectKey, part: Object, *, accept: str = JSON) -> Object:
        """Apply one JSON Merge Patch; a ``resourceVersion`` in it is a precondition."""
        path = f"{self._path(key)}?fieldManager={MANAGER}"
        return self.must("PATCH", path, part, content=MERGE_PATCH, accept=accept)

    def delete(self, key: ObjectKey, *, uid: str | None = None, foreground: bool = False) -> None:
        """Delete the object if it exists and, where given, still has that UID."""
        options: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Foreground" if foreground else "Background",
        }
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        self.ask("DELETE", self._path(key), options, absent_ok=True)

    def list(
        self, group: str, kind: str, namespace: str | None, selector: str = ""
    ) -> list[dict[str, Any]]:
        """Return the objects of a kind in a namespace (None: all) that carry the labels."""
        path = self._path(ObjectKey(group, kind, namespace or "", ""), named=False)
        query = f"?{urlencode({'labelSelector': selector})}" if selector else ""
        found = self.must("GET", path + query)
        return list(found.get("items") or [])

    def knows(self, group: str, kind: str, version: str = "") -> bool:
        """Return whether the cluster serves a kind, in that version where one is given."""
        try:
            self._resource(group, kind, version)
        except _UnknownKind:
            return False
        return True

    def require(self, manifest: Object) -> None:
        """Raise ``SpecError`` when the cluster does not serve a manifest's kind and version."""
        group, _, version = str(manifest["apiVersion"]).rpartition("/")
        self._resource(group, str(manifest["kind"]), version)

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content: str = JSON,
        accept: str = JSON,
        absent_ok: bool = False,
    ) -> dict[str, Any] | None:
        """Send one request; None for an absent object where that is fine.

        An API that is busy or away is asked again for some 20 s.  Raises ``Conflict`` for 409 and
        for a failed ``test``, unless an earlier try of this very request explains it, and
        ``BackendError`` for anything else.
        """
        once = carried.only_once(method, body, content)
        request = Request(method, path, body, content, accept, once)
        answer = self._transport.send(request, self._total)
        if answer.status == 404 and absent_ok:
            return None
        if answer.status >= 300:
            error = _error(method, path, answer.status, answer.text)
            if not (answer.unsure and isinstance(error, Conflict)):
                raise error
            return self._stored_by(request, error)
        return dict(json.loads(answer.text)) if answer.text else {}

    def _stored_by(self, request: Request, error: Conflict) -> dict[str, Any]:
        """Return what an earlier try of a request has stored; raise the conflict if it is not."""
        try:
            stored = self.ask("GET", carried.object_path(request), absent_ok=True)
        except BackendError:  # what may be made need not be allowed to be read: it is there
            raise error from None
        if not carried.out(request, stored):
            raise error
        return stored or {}

    def text(self, path: str) -> str:
        """Return what is not JSON: a pod's log."""
        answer = self._transport.send(Request("GET", path, accept="*/*"), self._total)
        status, text = answer.status, answer.text
        if status >= 300:
            raise _error("GET", path, status, text)
        return text.decode("utf-8", "replace") if isinstance(text, bytes) else text

    def must(self, method: str, path: str, body: Any = None, **more: Any) -> dict[str, Any]:
        """Send one request whose object must exist."""
        answer = self.ask(method, path, body, **more)
        assert answer is not None, "absent_ok was not given"
        return answer

    def _path(self, key: ObjectKey, api_version: str = "", *, named: bool = True) -> str:
        """Return the path of an object, or with ``named=False`` of all of its kind there.

        Raises ``SpecError`` for a name that would be the path of something else.
        """
        version = api_version.rpartition("/")[2]
        base, plural, namespaced = self._resource(key.group, key.kind, version)
        middle = ""
        if namespaced and (named or key.namespace):
            middle = f"/namespaces/{_segment(key, 'namespace', key.namespace)}"
        tail = f"/{_segment(key, 'name', key.name)}" if named else ""
        return f"{base}{middle}/{plural}{tail}"

    def _resource(self, group: str, kind: str, version: str) -> tuple[str, str, bool]:
        """Return what was discovered, once for all who share this API, each with its own time."""
        key = (group, kind, version)
        if key not in self._known:
            self._known[key] = self._discover(*key)
        return self._known[key]

    def _discover(self, group: str, kind: str, version: str) -> tuple[str, str, bool]:
        """Return a kind's path, plural and whether it lives in a namespace.

        Without a version the group's preferred one that serves the kind is taken.
        """
        if _NO_NAME & {*group, *version} or ".." in group:
            raise _UnknownKind(group, kind)
        for served in [version] if version else self._versions(group):
            base = f"/apis/{group}/{served}" if group else f"/api/{served}"
            listing = self.ask("GET", base, absent_ok=True)
            for resource in (listing or {}).get("resources", ()):
                if resource["kind"] == kind and "/" not in resource["name"]:
                    return base, resource["name"], bool(resource["namespaced"])
        raise _UnknownKind(group, kind)

    def _versions(self, group: str) -> Sequence[str]:
        """Return a group's versions, the preferred one first."""
        if not group:
            return ["v1"]
        found = self.ask("GET", f"/apis/{group}", absent_ok=True) or {}
        preferred = [found["preferredVersion"]] if "preferredVersion" in found else []
        served = [str(each["version"]) for each in (*preferred, *found.get("versions", ()))]
        return list(dict.fromkeys(served))


def _segment(key: ObjectKey, what: str, text: str) -> str:
    """Return a name as one part of a path.  Raises ``SpecError`` for what can be none."""
    if not text or _NO_NAME & set(text) or ".." in text or text == ".":
        raise SpecError(f"{key}: {what} {text!r}, expected a name without / ? # % or ..")
    return quote(text, safe=":", errors="replace")


class _UnknownKind(SpecError):
    """The cluster does not serve a kind."""

    def __init__(self, group: str, kind: str) -> None:
        super().__init__(
            f"the cluster does not know {kind} of {group or 'the core group'}",
            hint="install what serves it (its CustomResourceDefinition), or leave it out",
        )


def _error(method: str, path: str, status: int, text: bytes | str) -> BackendError:
    """Return an error with the API's own message."""
    try:
        message = str(json.loads(text)["message"])
    except (ValueError, LookupError, TypeError):
        message = str(text)[:256]
    where = f"Kubernetes API: {method} {path.partition('?')[0]}: {status} {message}"
    tested = status == 422 and ("testing" in message or "test operation" in message.lower())
    if status == 409 or tested or (status == 422 and "error in our request" in message):
        return Conflict(where)
    hint = "crossfade rights prints what the service account needs" if status == 403 else ""
    return BackendError(where, hint=hint)
