"""Which deployed objects make up a version: read from the host its route points at.

``iris-default.ns-baseline.svc.cluster.local`` is the Service that Seldon makes for predictor
``default`` of SeldonDeployment ``ns-baseline/iris``; a plain Service belongs to the Deployments
whose pods it selects; a KServe host starts with the InferenceService's name.  A Service that is in
no document was there before: then the Deployment of its name is taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from crossfade.errors import SpecError
from crossfade.spec.source import listed, look, mapped

Manifest = Mapping[str, Any]
WORKLOADS = ("SeldonDeployment", "Deployment", "InferenceService", "StatefulSet")
GROUPS = {
    "SeldonDeployment": "machinelearning.seldon.io",
    "InferenceService": "serving.kserve.io",
    "Deployment": "apps",
    "StatefulSet": "apps",
}
_SERVICE_NAME = "seldon.io/svc-name"


def object_name(manifest: Manifest, default_namespace: str) -> str:
    """Return ``Kind/namespace/name``, the form that ``versions:`` in a rollout uses."""
    metadata = mapped(manifest, ("metadata",))
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
        if _serves(manifest, service, manifests, default_namespace):
            found.append(object_name(manifest, default_namespace))
    return tuple(dict.fromkeys(found))


def known_manifests(
    deploy: Iterable[Manifest], promote: Mapping[str, Iterable[Manifest]], default_namespace: str
) -> tuple[Manifest, ...]:
    """Return what is deployed, and of what is promoted only the objects that are not.

    A baseline that was in production before is often named by the promote documents alone.
    """
    found = {object_name(manifest, default_namespace): manifest for manifest in deploy}
    for manifests in promote.values():
        for manifest in manifests:
            found.setdefault(object_name(manifest, default_namespace), manifest)
    return tuple(found.values())


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
        own = look(manifest, ("metadata", "namespace"))
        if (own or default_namespace) == namespace:
            yield manifest


def _serves(
    manifest: Manifest, service: str, manifests: Iterable[Manifest], default_namespace: str
) -> bool:
    kind = manifest.get("kind")
    name = str(look(manifest, ("metadata", "name")))
    if kind == "SeldonDeployment":
        return service in _seldon_services(manifest, name)
    if kind == "InferenceService":
        return service in (name, f"{name}-predictor", f"{name}-predictor-default")
    if kind in ("Deployment", "StatefulSet"):
        own = object_name(manifest, default_namespace).split("/")[1]
        name_of_service = f"Service/{own}/{service}"
        services = [m for m in manifests if object_name(m, default_namespace) == name_of_service]
        return any(_selects(other, manifest) for other in services) if services else name == service
    return False


def _seldon_services(manifest: Manifest, name: str) -> set[str]:
    services = set()
    for predictor in listed(manifest, ("spec", "predictors")):
        services.add(service_name(predictor, name))
    return services


def service_name(predictor: Manifest, deployment: str) -> str:
    """Return the Service that Seldon makes for a predictor of a SeldonDeployment."""
    named = look(predictor, ("annotations", _SERVICE_NAME))
    return str(named or f"{deployment}-{look(predictor, ('name',))}")


def _selects(service: Manifest, workload: Manifest) -> bool:
    selector = mapped(service, ("spec", "selector"))
    labels = mapped(workload, ("spec", "template", "metadata", "labels"))
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())
