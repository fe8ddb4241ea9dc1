"""Which workloads a version has, as far as a rollout's documents tell."""

from __future__ import annotations

from crossfade.routes import in_full, knative, references_by_object, resolve
from crossfade.spec.ownership import GROUPS, WORKLOADS, Manifest, known_manifests, single_owner
from crossfade.spec.rollout import Bundle
from crossfade.spec.source import mapped


def workloads_of(bundle: Bundle, version: str) -> tuple[str, ...]:
    """Return a version's workloads as far as the documents tell, as ``Kind/namespace/name``."""
    named = bundle.versions.get(version)
    if named is not None and named.objects:
        return named.objects
    own = routed_workload(bundle, version)
    if own is not None:
        return (own,)
    experiment = bundle.experiment
    groups = references_by_object(experiment.versions, experiment.namespace)
    for (api_version, kind, namespace, name), references in groups.items():
        key = (api_version.rpartition("/")[0], kind, namespace, name)
        for manifest in bundle.deploy:
            if key_of(manifest, bundle.namespace) == key:
                found = in_full(resolve(manifest, references).hosts(), namespace)
                host = found.get(version)
                if host is None:
                    return ()
                known = known_manifests(bundle.deploy, bundle.promote, bundle.namespace)
                return single_owner(version, host[0], known, bundle.namespace)
    return ()


def routed_workload(bundle: Bundle, version: str) -> str | None:
    """Return the routing object that runs the version, too; None where it only points at hosts.

    As ``Kind/namespace/name``, with the group behind the kind where the kind alone does not tell
    it: ``Service.serving.knative.dev/default/web``.
    """
    experiment = bundle.experiment
    groups = references_by_object(experiment.versions, experiment.namespace)
    own = [key for key, references in groups.items() if references.get(version) is not None]
    keys = own or list(groups)  # a version without a path has what the others leave
    if len(keys) != 1:
        return None
    api_version, kind, namespace, name = keys[0]
    group = api_version.rpartition("/")[0]
    if not runs_models(group, kind):
        return None
    return f"{kind if GROUPS.get(kind) == group else f'{kind}.{group}'}/{namespace}/{name}"


def runs_models(group: str, kind: str) -> bool:
    """Return whether objects of a kind have pods that take requests."""
    return kind in WORKLOADS or (group, kind) == (knative.GROUP, knative.KIND)


def key_of(manifest: Manifest, namespace: str) -> tuple[str, str, str, str]:
    """Return group, kind, namespace and name."""
    metadata = mapped(manifest, ("metadata",))
    group = str(manifest.get("apiVersion", "")).rpartition("/")[0]
    place = str(metadata.get("namespace") or namespace)
    return group, str(manifest.get("kind")), place, str(metadata.get("name"))
