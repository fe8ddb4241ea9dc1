"""What must hold in an Experiment beyond its schema: the checks that end one at run time.

The predecessor found these only after the start.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from crossfade.errors import Finding, Severity
from crossfade.spec.experiment import DeploymentPattern, Experiment, TestingPattern
from crossfade.spec.names import checked_name, namespace_name
from crossfade.spec.source import Document, Path, field_path
from crossfade.spec.tasks import task_findings

_GENERATE = re.compile(r"[a-z0-9][a-z0-9.-]*")
MOST_ITERATIONS = 1_000_000
VERSIONS: Path = ("spec", "versionInfo")
CRITERIA: Path = ("spec", "criteria")


def experiment_findings(document: Document, experiment: Experiment) -> list[Finding]:
    """Return everything that would end the experiment, whatever the cluster says."""
    checks = (
        _names, _candidates, _rewards, _references, _routed, _limits, _length, task_findings,
    )  # fmt: skip
    return [finding for check in checks for finding in check(document, experiment)]


def name_findings(document: Document) -> Iterator[Finding]:
    """Yield whether ``metadata.name`` or ``generateName`` is one that Kubernetes takes."""
    metadata = document.data.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    name, generate = metadata.get("name"), metadata.get("generateName")
    if isinstance(name, str):
        yield from unnamed(document, ("metadata", "name"), name)
    elif name is None and not (isinstance(generate, str) and _GENERATE.fullmatch(generate)):
        message = "metadata.name is missing, expected a name or a generateName"
        yield document.finding(Severity.ERROR, "name", message, path=("metadata",))


def unnamed(document: Document, path: Path, name: str, group: str = "") -> Iterator[Finding]:
    """Yield that the text at a path can be no object's name, of a kind of that API group."""
    try:
        checked_name(name, group)
    except ValueError as error:
        own = path == ("metadata", "name") and name.endswith("-")
        hint = f"did you mean generateName: {name}" if own else ""
        message = f"{field_path(path[-2:])} {name!r} is not a Kubernetes name, {error}"
        yield document.finding(Severity.ERROR, "name", message, path=path, hint=hint)


def unplaced(document: Document, path: Path, namespace: str) -> Iterator[Finding]:
    """Yield that the text at a path can be no namespace's name."""
    try:
        namespace_name(namespace)
    except ValueError as error:
        message = f"{field_path(path[-2:])} {namespace!r}: {error}"
        yield document.finding(Severity.ERROR, "name", message, path=path)


def _names(document: Document, experiment: Experiment) -> Iterator[Finding]:
    names = [version.name for version in experiment.versions]
    for name in sorted({n for n in names if names.count(n) > 1}):
        message = f"version name {name!r} is used {names.count(name)} times, expected once"
        yield document.finding(Severity.ERROR, "versions", message, path=VERSIONS)


def _length(document: Document, experiment: Experiment) -> Iterator[Finding]:
    if experiment.iterations > MOST_ITERATIONS:
        message = f"{experiment.iterations} iterations in all, expected at most {MOST_ITERATIONS}"
        yield document.finding(Severity.ERROR, "length", message, path=("spec", "duration"))


def _candidates(document: Document, experiment: Experiment) -> Iterator[Finding]:
    pattern = experiment.spec.strategy.testing_pattern
    count = len(experiment.spec.version_info.candidates)
    wanted = {
        TestingPattern.CONFORMANCE: (count == 0, "0 candidates"),
        TestingPattern.CANARY: (count == 1, "exactly 1 candidate"),
        TestingPattern.AB: (count == 1, "exactly 1 candidate"),
        TestingPattern.ABN: (count >= 1, "at least 1 candidate"),
    }[pattern]
    if not wanted[0]:
        message = f"{pattern} takes {wanted[1]}, found {count}"
        path = (*VERSIONS, "candidates")
        yield document.finding(Severity.ERROR, "versions", message, path=path)


def _rewards(document: Document, experiment: Experiment) -> Iterator[Finding]:
    pattern = experiment.spec.strategy.testing_pattern
    count = len(experiment.spec.criteria.rewards)
    comparing = pattern in (TestingPattern.AB, TestingPattern.ABN)
    if comparing and count != 1:
        message = f"{pattern} needs exactly one reward, {count} given"
        yield document.finding(Severity.ERROR, "rewards", message, path=(*CRITERIA, "rewards"))
    if not comparing and count:
        message = f"{pattern} compares no rewards, {count} given"
        yield document.finding(Severity.ERROR, "rewards", message, path=(*CRITERIA, "rewards"))


def _references(document: Document, experiment: Experiment) -> Iterator[Finding]:
    versions = experiment.versions
    moving = experiment.spec.strategy.deployment_pattern is not DeploymentPattern.FIXED_SPLIT
    without = [v.name for v in versions if v.weight_obj_ref is None]
    if moving and len(versions) > 1 and len(without) > 1:
        message = (
            f"{experiment.spec.strategy.deployment_pattern} needs a weightObjRef for all but one "
            f"version, {', '.join(without)} have none"
        )
        yield document.finding(Severity.ERROR, "weights", message, path=VERSIONS)
    for i, version in enumerate(versions):
        ref = version.weight_obj_ref
        path = (*VERSIONS, "baseline") if i == 0 else (*VERSIONS, "candidates", i - 1)
        if ref is not None:
            values = (("kind", ref.kind), ("name", ref.name), ("fieldPath", ref.field_path))
            for field, value in values:
                if not (value or "").strip():
                    message = f"weightObjRef.{field} of {version.name} is missing"
                    at = (*path, "weightObjRef")
                    yield document.finding(Severity.ERROR, "weights", message, path=at)
            if (ref.field_path or ".").strip()[:1] != ".":
                message = f"fieldPath {ref.field_path!r} of {version.name} must start with '.'"
                at = (*path, "weightObjRef", "fieldPath")
                yield document.finding(Severity.ERROR, "weights", message, path=at)


def _routed(document: Document, experiment: Experiment) -> Iterator[Finding]:
    for i, version in enumerate(experiment.versions):
        ref = version.weight_obj_ref
        if ref is None:
            continue
        own: Path = ("baseline",) if i == 0 else ("candidates", i - 1)
        path = (*VERSIONS, *own, "weightObjRef")
        if (ref.name or "").strip():
            group = (ref.api_version or "").rpartition("/")[0]
            yield from unnamed(document, (*path, "name"), str(ref.name), group)
        yield from unplaced(document, (*path, "namespace"), ref.namespace or "")


def _limits(document: Document, experiment: Experiment) -> Iterator[Finding]:
    for i, objective in enumerate(experiment.spec.criteria.objectives):
        path = (*CRITERIA, "objectives", i)
        lower, upper = objective.lower_limit, objective.upper_limit
        if lower is None and upper is None:
            message = f"objective {objective.metric} has no limit, so it judges nothing"
            yield document.finding(Severity.WARNING, "objectives", message, path=path)
        elif lower is not None and upper is not None and lower > upper:
            message = (
                f"objective {objective.metric}: lowerLimit {lower:g} is above upperLimit "
                f"{upper:g}, so no value can meet it"
            )
            yield document.finding(Severity.ERROR, "objectives", message, path=path)
