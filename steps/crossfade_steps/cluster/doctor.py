"""Look at a cluster before anything is changed: as the rollout's own account, from a pod of it.

Each check is one JSON line on standard output, so that whoever started the pod can read it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

from crossfade import routes
from crossfade.errors import CrossfadeError
from crossfade.rights import Rule, installed_rules, rules_by_namespace
from crossfade.spec.rollout import JobLoad
from crossfade_steps import versions
from crossfade_steps.cluster.stage import Stage
from crossfade_steps.deploy import parse_name
from crossfade_steps.ports import ObjectKey
from crossfade_steps.reading import observe

BUDGET_SECONDS = 20.0
NEEDED = (("argoproj.io", "Workflow"), ("coordination.k8s.io", "Lease"))
REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at; ``good`` is None where nothing can be said yet."""

    what: str
    subject: str
    good: bool | None
    text: str = ""


def doctor(stage: Stage) -> Mapping[str, str]:
    """Print every check as a line of JSON."""
    for check in checks(stage):
        print(json.dumps(asdict(check)), flush=True)
    return {}


def checks(stage: Stage) -> Iterator[Check]:
    """Look at kinds, rights, routes and metrics, in this order."""
    yield from _kinds(stage)
    yield from _rights(stage)
    try:
        yield _weights(stage)
        yield _lease(stage)
        yield from _metrics(stage)
    except CrossfadeError as error:
        yield Check("cluster", "reading", False, str(error))


def _kinds(stage: Stage) -> Iterator[Check]:
    """Look whether the API serves every kind that the rollout names, in the version it names."""
    bundle = stage.run.bundle
    jobs = [job for load in bundle.load if isinstance(load, JobLoad) for job in load.jobs]
    promoted = [manifest for documents in bundle.promote.values() for manifest in documents]
    wanted = {(*_parts(str(m["apiVersion"])), str(m["kind"]))
              for m in (*bundle.deploy, *promoted, *jobs)}  # fmt: skip
    wanted |= {(group, "", kind) for group, kind in NEEDED}
    routed = stage.run.router.keys()
    wanted |= {(key.group, "", key.kind) for key in routed}
    for group, version, kind in sorted(wanted):
        known = stage.kube.knows(group, kind, version)
        name = f"{kind} of {'/'.join(filter(None, (group, version))) or 'core'}"
        yield Check("kind", name, known, "" if known else "the cluster does not serve it")


def _parts(api_version: str) -> tuple[str, str]:
    group, _, version = api_version.rpartition("/")
    return group, version


def _rights(stage: Stage) -> Iterator[Check]:
    """Ask the API whether this account may do what the rollout needs."""
    rules = rules_by_namespace(stage.run.bundle)
    rules[stage.namespace] = [*installed_rules(), *rules.get(stage.namespace, [])]
    for namespace, own in sorted(rules.items()):
        for rule in own:
            yield _right(stage, namespace, rule)


def _right(stage: Stage, namespace: str, rule: Rule) -> Check:
    names = rule.get("resourceNames") or [""]
    missing = [
        f"{verb} {name}".strip() for verb in rule["verbs"] for name in names
        if not _allowed(stage, namespace, rule, verb, name)
    ]  # fmt: skip
    resource = ".".join(filter(None, (rule["resources"][0], rule["apiGroups"][0])))
    subject = f"{', '.join(rule['verbs'])} {resource} in {namespace}"
    return Check("right", subject, not missing, f"missing: {', '.join(missing)}" if missing else "")


def _allowed(stage: Stage, namespace: str, rule: Rule, verb: str, name: str) -> bool:
    asked = {"namespace": namespace, "verb": verb, "group": rule["apiGroups"][0],
             "resource": rule["resources"][0], "name": name}  # fmt: skip
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
              "spec": {"resourceAttributes": asked}}  # fmt: skip
    answer = stage.kube.must("POST", REVIEW, review)
    return bool(answer.get("status", {}).get("allowed"))


def _weights(stage: Stage) -> Check:
    """Resolve every version's weight, in the stored object or in the manifest that will make it."""
    run = stage.run
    key = run.router.keys()[0]
    try:
        if stage.kube.get(key) is not None:
            weights = run.router.read().weights
            return Check("weights", str(key), True, f"now {dict(weights)}")
        return _in_manifest(stage, key)
    except CrossfadeError as error:
        return Check("weights", str(key), False, str(error))


def _in_manifest(stage: Stage, key: ObjectKey) -> Check:
    bundle = stage.run.bundle
    own = [m for m in bundle.deploy if ObjectKey.of(m, bundle.namespace) == key]
    if not own:
        return Check("weights", str(key), False, "does not exist, and no document deploys it")
    experiment = bundle.experiment
    references = routes.references_by_object(experiment.versions, experiment.namespace)
    rule = routes.resolve(own[0], next(iter(references.values())))
    return Check("weights", str(key), True, f"will be made with {dict(rule.percent())}")


def _lease(stage: Stage) -> Check:
    owner = stage.lease.owner()
    key = str(stage.run.router.keys()[0])
    return Check("owner", key, owner is None, f"being changed by run {owner}" if owner else "free")


def _metrics(stage: Stage) -> Iterator[Check]:
    """Ask every query once; a version that is not deployed has no data yet, and needs none."""
    run = stage.run
    weights = {version.name: 0 for version in run.versions}
    seen = observe(run.bundle.experiment, run.bundle.metrics, run.sources, iteration=1,
                   elapsed_seconds=60, weights=weights, budget_seconds=BUDGET_SECONDS)  # fmt: skip
    there = {version.name: _deployed(stage, version.name) for version in run.versions}
    for key, readings in seen.readings.items():
        for version, reading in readings.items():
            subject = f"{key} of {version}"
            if reading.value is not None:
                yield Check("metric", subject, True, f"{reading.value:.6g}")
            else:
                early = not there[version] and reading.reason.startswith("no data")
                text = (
                    f"{reading.reason}; {version} is not deployed yet" if early else reading.reason
                )
                yield Check("metric", subject, None if early else False, text)


def _deployed(stage: Stage, version: str) -> bool:
    """Return whether a version's workloads exist already."""
    names = versions.objects_of(stage.run, version)
    return bool(names) and all(stage.kube.get(parse_name(name)) is not None for name in names)
