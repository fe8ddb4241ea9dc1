"""Which workloads a version has, as far as a rollout's documents tell."""

from __future__ import annotations

from collections.abc import Iterable, Set
from contextlib import suppress

from crossfade.errors import SpecError
from crossfade.routes import in_full, knative, references_by_object, resolve, seldon
from crossfade.spec.dependents import read_only_by
from crossfade.spec.ownership import (
    GROUPS,
    WORKLOADS,
    Manifest,
    known_manifests,
    object_name,
    single_owner,
)
from crossfade.spec.rollout import Bundle
from crossfade.spec.source import listed, mapped


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


def read_by_candidates(
    bundle: Bundle, candidates: Set[str], stored: Iterable[Manifest] = ()
) -> dict[str, list[str]]:
    """Return by workload the documents that only the candidates' pods read, whoever else there is.

    Others are all that is deployed or promoted besides, of whatever kind, and what is ``stored`` of
    the baseline; of a SeldonDeployment with the weights, every predictor that is no candidate's.
    """
    own: list[Manifest] = []
    others: list[Manifest] = []
    promoted = [manifest for group in bundle.promote.values() for manifest in group]
    parts = _candidate_predictors(bundle)
    for manifest in (*bundle.deploy, *promoted, *stored):
        name = object_name(manifest, bundle.namespace)
        if name in candidates:
            own.append(manifest)
        elif name in parts:
            own.append(_with_predictors(manifest, parts[name], among=True))
            others.append(_with_predictors(manifest, parts[name], among=False))
        else:
            others.append(manifest)
    return read_only_by(own, others, bundle.deploy, bundle.namespace)


def _candidate_predictors(bundle: Bundle) -> dict[str, frozenset[str]]:
    """Return the candidates' predictors of each SeldonDeployment that holds the weights."""
    experiment, found = bundle.experiment, {}
    groups = references_by_object(experiment.versions, experiment.namespace)
    for manifest in bundle.deploy:
        for (api_version, *rest), references in groups.items():
            key = (api_version.rpartition("/")[0], *rest)
            if manifest.get("kind") != seldon.KIND or key_of(manifest, bundle.namespace) != key:
                continue
            with suppress(SpecError):  # said where the weights are read
                slots = list(resolve(manifest, references).slots.values())[1:]
                names = frozenset(str(slot.identity) for slot in slots if slot is not None)
                found[object_name(manifest, bundle.namespace)] = names
    return found


def _with_predictors(manifest: Manifest, names: Set[str], *, among: bool) -> Manifest:
    predictors = listed(manifest, ("spec", "predictors"))
    kept = [p for p in predictors if (str(p.get("name")) in names) is among]
    return {**manifest, "spec": {**mapped(manifest, ("spec",)), "predictors": kept}}


def runs_models(group: str, kind: str) -> bool:
    """Return whether objects of a kind have pods that take requests."""
    return kind in WORKLOADS or (group, kind) == (knative.GROUP, knative.KIND)


def key_of(manifest: Manifest, namespace: str) -> tuple[str, str, str, str]:
    """Return group, kind, namespace and name."""
    metadata = mapped(manifest, ("metadata",))
    group = str(manifest.get("apiVersion", "")).rpartition("/")[0]
    place = str(metadata.get("namespace") or namespace)
    return group, str(manifest.get("kind")), place, str(metadata.get("name"))
