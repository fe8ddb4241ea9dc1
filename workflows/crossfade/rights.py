"""What a rollout's service account must be allowed to do: one Role and RoleBinding a namespace.

Nothing is cluster-wide, no secret is listed, and names are given wherever they are known.  The
rights of Argo's executor, the run's state and the guard are not here: they are the same for every
rollout, and come with the installation (``install/``).
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from crossfade.contract import ACCOUNT
from crossfade.errors import SpecError
from crossfade.routes import references_by_object
from crossfade.spec.names import dns_name, lock_name
from crossfade.spec.ownership import GROUPS, WORKLOADS, object_name
from crossfade.spec.requests import proving_request
from crossfade.spec.rollout import Bundle, JobLoad
from crossfade.spec.source import mapped
from crossfade.workloads import key_of, read_by_candidates, workloads_of

GROUP = "rbac.authorization.k8s.io"
MOST_NAME = 63
PLURALS = {"Endpoints": "endpoints", "SecurityContextConstraints": "securitycontextconstraints"}
Rule = dict[str, Any]
INSTALLED = (
    ("argoproj.io", "workflowtaskresults", ("create", "patch")),
    ("argoproj.io", "workflows", ("get", "patch")),
    ("", "configmaps", ("get", "list", "create", "patch")),
    ("", "events", ("create",)),
    ("batch", "jobs", ("create",)),
)
"""What the installation allows in a rollout's own namespace (install/account.yaml)."""


def rights(bundle: Bundle) -> list[dict[str, Any]]:
    """Return the Roles and RoleBindings of a rollout, ready to apply."""
    rules = rules_by_namespace(bundle)
    mark = hashlib.sha256(f"{bundle.namespace}/{bundle.name}".encode()).hexdigest()[:8]
    name = f"{dns_name(f'crossfade-{bundle.name}', MOST_NAME - len(mark) - 1)}-{mark}"
    return [
        o for namespace in sorted(rules) for o in _role(bundle, name, namespace, rules[namespace])
    ]


def rules_by_namespace(bundle: Bundle) -> dict[str, list[Rule]]:
    """Return the rules that each namespace needs."""
    found: dict[str, list[Rule]] = defaultdict(list)
    _of_objects(bundle, found)
    _of_named(bundle, found)
    _of_routes(bundle, found)
    _of_load(bundle, found)
    for secret in sorted(_secrets(bundle)):
        namespace, _, name = secret.rpartition("/")
        found[namespace or bundle.namespace].append(rule("", "secrets", ["get"], [name]))
    return {namespace: _merged(rules) for namespace, rules in found.items()}


def _merged(rules: list[Rule]) -> list[Rule]:
    """Return the same rights in fewer rules: one for the same objects, one for the same verbs."""
    by_objects: dict[tuple[str, str, tuple[str, ...]], dict[str, None]] = defaultdict(dict)
    for r in rules:
        key = (r["apiGroups"][0], r["resources"][0], tuple(r.get("resourceNames", ())))
        by_objects[key].update(dict.fromkeys(r["verbs"]))
    by_verbs: dict[tuple[str, str, bool, tuple[str, ...]], list[str]] = defaultdict(list)
    for (group, resource, names), verbs in by_objects.items():
        by_verbs[group, resource, bool(names), tuple(verbs)] += names
    return [rule(group, resource, list(verbs), names)
            for (group, resource, _, verbs), names in by_verbs.items()]  # fmt: skip


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
    name = kind.lower()
    if kind in PLURALS or name.endswith(("ay", "ey", "oy")):
        return PLURALS.get(kind, f"{name}s")
    if name.endswith(("s", "x", "ch", "sh")):
        return f"{name}es"
    return f"{name[:-1]}ies" if name.endswith("y") else f"{name}s"


def _of_objects(bundle: Bundle, found: dict[str, list[Rule]]) -> None:
    """Allow creating of any name, since that cannot be restricted, and the rest by name.

    What exists is read; a candidate's workloads are brought to their documents and removed at the
    end, what only they read is brought, too; what the promote documents say is applied; nothing
    else is changed.
    """
    removed, applied = _removed(bundle), _applied(bundle)
    read = read_by_candidates(bundle, removed)
    applied |= {name for found in read.values() for name in found}
    names: dict[tuple[str, str, str], dict[str, list[str]]] = defaultdict(dict)
    for manifest in (*bundle.deploy, *(m for group in bundle.promote.values() for m in group)):
        group, kind, namespace, name = key_of(manifest, bundle.namespace)
        if kind == "Namespace":
            found[name].append(rule("", "namespaces", ["get"], [name]))
            continue
        full = f"{kind}/{namespace}/{name}"
        verbs = ["get", *(["patch"] if full in removed | applied else []),
                 *(["delete"] if full in removed else [])]  # fmt: skip
        names[namespace, group, kind][name] = verbs
    for (namespace, group, kind), own in sorted(names.items()):
        found[namespace] += [
            rule(group, plural(kind), verbs, [name]) for name, verbs in own.items()
        ]
        found[namespace].append(rule(group, plural(kind), ["create"]))
        found[namespace] += _of_readiness(kind)


def _of_readiness(kind: str) -> list[Rule]:
    """Return what looking at a workload needs besides itself: its pods, Seldon's Deployments."""
    pods = [rule("", "pods", ["list"])] if kind in WORKLOADS else []
    made = [rule("apps", "deployments", ["list"])] if kind == "SeldonDeployment" else []
    return [*pods, *made]


def _of_named(bundle: Bundle, found: dict[str, list[Rule]]) -> None:
    """Allow reading the workloads that ``versions:`` names, which no document may hold."""
    for version in bundle.versions.values():
        for text in version.objects:
            full, _, rest = text.partition("/")
            namespace, _, name = rest.partition("/")
            kind, _, group = full.partition(".")
            found[namespace] += [rule(group or GROUPS.get(kind, ""), plural(kind), ["get"], [name]),
                                 *_of_readiness(kind)]  # fmt: skip


def _applied(bundle: Bundle) -> set[str]:
    return {object_name(m, bundle.namespace) for group in bundle.promote.values() for m in group}


def _removed(bundle: Bundle) -> set[str]:
    """Return the candidates' workloads; every workload where the routes do not tell whose it is."""
    try:
        known = [workloads_of(bundle, version.name) for version in bundle.experiment.versions]
    except SpecError:
        known = []
    if all(known) and known:
        return {name for names in known[1:] for name in names} - set(known[0])
    return {object_name(m, bundle.namespace) for m in bundle.deploy if m.get("kind") in WORKLOADS}


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
            *_of_readiness(kind),
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
        verbs = ["get", "list", "delete"]  # creating comes with the installation
        if namespace != bundle.namespace:
            verbs.append("create")
        found[namespace].append(rule("batch", "jobs", verbs))


def _secrets(bundle: Bundle) -> set[str]:
    """Return the Secrets that steps read; a load's are put into its Job by the kubelet."""
    proving = proving_request(bundle)
    named = [metric.spec.secret for metric in bundle.metrics.values()]
    named += [] if proving is None else [proving.secret]
    return {name for name in named if name}


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
