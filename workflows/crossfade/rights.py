"""What a rollout's service account must be allowed to do: one Role and RoleBinding a namespace.

Nothing is cluster-wide, no secret is listed, and names are given wherever they are known.  The
rights of Argo's executor, the run's state and the guard are not here: they are the same for every
rollout, and come with the installation (``install/``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from crossfade.contract import ACCOUNT
from crossfade.routes import references_by_object
from crossfade.spec.names import dns_name, lock_name
from crossfade.spec.ownership import WORKLOADS
from crossfade.spec.rollout import Bundle, JobLoad, Manifest
from crossfade.spec.source import mapped

GROUP = "rbac.authorization.k8s.io"
MOST_NAME = 63
PLURALS = {"InferenceService": "inferenceservices", "NetworkPolicy": "networkpolicies",
           "Ingress": "ingresses", "HTTPRoute": "httproutes"}  # fmt: skip
Rule = dict[str, Any]
INSTALLED = (
    ("argoproj.io", "workflowtaskresults", ("create", "patch")),
    ("argoproj.io", "workflows", ("get",)),
    ("", "configmaps", ("get", "list", "create", "patch")),
    ("", "events", ("create",)),
    ("batch", "jobs", ("create",)),
)
"""What the installation allows in a rollout's own namespace (install/account.yaml)."""


def rights(bundle: Bundle) -> list[dict[str, Any]]:
    """Return the Roles and RoleBindings of a rollout, ready to apply."""
    rules = rules_by_namespace(bundle)
    name = dns_name(f"crossfade-{bundle.name}", MOST_NAME)
    return [
        o for namespace in sorted(rules) for o in _role(bundle, name, namespace, rules[namespace])
    ]


def rules_by_namespace(bundle: Bundle) -> dict[str, list[Rule]]:
    """Return the rules that each namespace needs."""
    found: dict[str, list[Rule]] = defaultdict(list)
    _of_objects(bundle, found)
    _of_routes(bundle, found)
    _of_load(bundle, found)
    for secret in sorted(_secrets(bundle)):
        namespace, _, name = secret.rpartition("/")
        found[namespace or bundle.namespace].append(rule("", "secrets", ["get"], [name]))
    return {namespace: list({str(r): r for r in rules}.values())
            for namespace, rules in found.items()}  # fmt: skip


def installed_rules() -> list[Rule]:
    """Return the rules that come with the installation."""
    return [rule(group, resource, list(verbs)) for group, resource, verbs in INSTALLED]


def rule(group: str, resource: str, verbs: list[str], names: Iterable[str] = ()) -> Rule:
    """Return one rule, for the named objects only where names are given."""
    made: Rule = {"apiGroups": [group], "resources": [resource], "verbs": verbs}
    if names:
        made["resourceNames"] = sorted(set(names))
    return made


def plural(kind: str) -> str:
    """Return a kind's resource name, as Kubernetes forms it for nearly every kind."""
    return PLURALS.get(kind, f"{kind.lower()}s")


def _of_objects(bundle: Bundle, found: dict[str, list[Rule]]) -> None:
    """Allow creating of any name, since that cannot be restricted, and the rest by name."""
    names: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    promoted = [m for documents in bundle.promote.values() for m in documents]
    for manifest in (*bundle.deploy, *promoted):
        key = _key(manifest, bundle.namespace)
        if key[1] == "Namespace":
            found[key[3]].append(rule("", "namespaces", ["get"], [key[3]]))
        else:
            names[key[2], key[0], key[1]].add(key[3])
    for (namespace, group, kind), own in sorted(names.items()):
        verbs = ["get", "patch", *(["delete"] if kind in WORKLOADS else [])]
        found[namespace].append(rule(group, plural(kind), verbs, own))
        found[namespace].append(rule(group, plural(kind), ["create"]))
        if kind in WORKLOADS:
            found[namespace].append(rule("", "pods", ["list"]))
        if kind == "SeldonDeployment":
            found[namespace].append(rule("apps", "deployments", ["list"]))


def _of_routes(bundle: Bundle, found: dict[str, list[Rule]]) -> None:
    experiment = bundle.experiment
    for api_version, kind, namespace, name in references_by_object(
        experiment.versions, experiment.namespace
    ):
        group = api_version.rpartition("/")[0]
        lease = lock_name(group, kind, namespace, name)
        found[namespace] += [
            rule(group, plural(kind), ["get", "patch"], [name]),
            rule("coordination.k8s.io", "leases", ["get", "patch", "delete"], [lease]),
            rule("coordination.k8s.io", "leases", ["create"]),
        ]


def _of_load(bundle: Bundle, found: dict[str, list[Rule]]) -> None:
    namespaces = {
        mapped(job, ("metadata",)).get("namespace") or bundle.namespace
        for load in bundle.load
        if isinstance(load, JobLoad)
        for job in load.jobs
    }
    if any(not isinstance(load, JobLoad) for load in bundle.load):
        namespaces.add(bundle.namespace)
    for namespace in sorted(namespaces):
        found[namespace].append(rule("batch", "jobs", ["get", "list", "create", "delete"]))


def _secrets(bundle: Bundle) -> set[str]:
    return {metric.spec.secret for metric in bundle.metrics.values() if metric.spec.secret}


def _key(manifest: Manifest, namespace: str) -> tuple[str, str, str, str]:
    """Return group, kind, namespace and name."""
    metadata = mapped(manifest, ("metadata",))
    group = str(manifest.get("apiVersion", "")).rpartition("/")[0]
    place = str(metadata.get("namespace") or namespace)
    return group, str(manifest.get("kind")), place, str(metadata.get("name"))


def _role(
    bundle: Bundle, name: str, namespace: str, rules: list[Rule]
) -> tuple[dict[str, Any], dict[str, Any]]:
    labels = {"app.kubernetes.io/managed-by": "crossfade"}
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    account = {"kind": "ServiceAccount", "name": bundle.service_account or ACCOUNT,
               "namespace": bundle.namespace}  # fmt: skip
    return (
        {"apiVersion": f"{GROUP}/v1", "kind": "Role", "metadata": metadata, "rules": rules},
        {"apiVersion": f"{GROUP}/v1", "kind": "RoleBinding", "metadata": metadata,
         "roleRef": {"apiGroup": GROUP, "kind": "Role", "name": name}, "subjects": [account]},
    )  # fmt: skip
