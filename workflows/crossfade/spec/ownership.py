"""Which deployed objects make up a version: read from the host its route points at.

``iris-default.ns-baseline.svc.cluster.local`` is the Service that Seldon makes for predictor
``default`` of SeldonDeployment ``ns-baseline/iris``; a plain Service belongs to the Deployments
whose pods it selects; a KServe host starts with the InferenceService's name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from crossfade.errors import SpecError

Manifest = Mapping[str, Any]
WORKLOADS = ("SeldonDeployment", "Deployment", "InferenceService", "StatefulSet")
_SERVICE_NAME = "seldon.io/svc-name"


def object_name(manifest: Manifest, default_namespace: str) -> str:
    """Return ``Kind/namespace/name``, the form that ``versions:`` in a rollout uses."""
    metadata = manifest.get("metadata") or {}
    namespace = metadata.get("namespace") or default_namespace
    return f"{manifest.get('kind')}/{namespace}/{metadata.get('name')}"


def owners(host: str, manifests: Iterable[Manifest], default_namespace: str) -> tuple[str, ...]:
    """Return the workloads behind a Service host as ``Kind/namespace/name``.

    An empty answer means that none of the manifests serves that host.
    """
    service, _, rest = host.partition(".")
    namespace = rest.partition(".")[0] or default_namespace
    found = []
    for manifest in _in_namespace(manifests, namespace, default_namespace):
        if _serves(manifest, service, manifests):
            found.append(object_name(manifest, default_namespace))
    return tuple(found)


def single_owner(
    version: str, host: str, manifests: Iterable[Manifest], default_namespace: str
) -> tuple[str, ...]:
    """Return ``owners`` and refuse an ambiguous answer.

    Raises ``SpecError`` where several workloads serve the version's host.
    """
    found = owners(host, manifests, default_namespace)
    if len(found) > 1:
        raise SpecError(
            f"version {version}: host {host} is served by {', '.join(found)}, expected one",
            hint=f"name them under spec.versions.{version}.objects",
        )
    return found


def _in_namespace(
    manifests: Iterable[Manifest], namespace: str, default_namespace: str
) -> Iterable[Manifest]:
    for manifest in manifests:
        metadata = manifest.get("metadata") or {}
        if (metadata.get("namespace") or default_namespace) == namespace:
            yield manifest


def _serves(manifest: Manifest, service: str, manifests: Iterable[Manifest]) -> bool:
    kind = manifest.get("kind")
    name = str((manifest.get("metadata") or {}).get("name"))
    if kind == "SeldonDeployment":
        return service in _seldon_services(manifest, name)
    if kind == "InferenceService":
        return service in (name, f"{name}-predictor", f"{name}-predictor-default")
    if kind in ("Deployment", "StatefulSet"):
        return any(_selects(other, service, manifest) for other in manifests)
    return False


def _seldon_services(manifest: Manifest, name: str) -> set[str]:
    services = set()
    for predictor in (manifest.get("spec") or {}).get("predictors") or ():
        annotations = predictor.get("annotations") or {}
        services.add(annotations.get(_SERVICE_NAME) or f"{name}-{predictor.get('name')}")
    return services


def _selects(service: Manifest, name: str, workload: Manifest) -> bool:
    metadata = service.get("metadata") or {}
    if service.get("kind") != "Service" or metadata.get("name") != name:
        return False
    if metadata.get("namespace") != (workload.get("metadata") or {}).get("namespace"):
        return False
    selector = (service.get("spec") or {}).get("selector") or {}
    template = (workload.get("spec") or {}).get("template") or {}
    labels = (template.get("metadata") or {}).get("labels") or {}
    return bool(selector) and selector.items() <= labels.items()
