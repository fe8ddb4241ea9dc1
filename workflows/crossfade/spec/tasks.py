"""Tasks of actions: never run by crossfade, but read, so that a mistake in one is not hidden."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from crossfade.errors import Finding, Severity
from crossfade.spec.experiment import Experiment, Task
from crossfade.spec.source import Document, Path

KNOWN = frozenset(
    {
        "common/exec",
        "common/bash",
        "common/promote-kubectl",
        "common/readiness",
        "metrics/collect",
        "notification/slack",
        "notification/http",
        "gitops/helmex-update",
    }
)
CONDITIONS = ("WinnerFound", "CandidateWon")
# an `if` is an expression of antonmedv/expr over the Experiment; these it brings itself
_OPERATORS = (
    "not",
    "and",
    "or",
    "in",
    "len",
    "all",
    "none",
    "any",
    "one",
    "filter",
    "map",
    "count",
)
_CALL = re.compile(r"\b([A-Za-z_]\w*)\s*\(")
_CLAUSE = re.compile(r"@<(.*?)(?:>@|$)", re.DOTALL)
_PIPELINE = re.compile(r'^-?\s*(?:\.[\w.]*|\w+\s+\.[\w.]*|"[^"]*"|\s)+(?:"[^"]*"\s*)?-?$')
_URL = re.compile(r"^\s*https?://\S+\s*$")


def task_findings(document: Document, experiment: Experiment) -> Iterator[Finding]:
    """Yield what is wrong with the tasks of every action."""
    for action, tasks in (experiment.spec.strategy.actions or {}).items():
        for i, task in enumerate(tasks or ()):
            path: Path = ("spec", "strategy", "actions", action, i)
            yield from _task(document, experiment, task, path)


def _task(document: Document, experiment: Experiment, task: Task, path: Path) -> Iterator[Finding]:
    where = f"{path[-2]}[{path[-1]}]"
    if (task.task is None) == (task.run is None):
        what = "both task and run" if task.task else "neither task nor run"
        hint = "the task after it lost its if" if task.if_ and not task.task else ""
        message = f"{where} has {what}, expected exactly one"
        yield document.finding(Severity.ERROR, "task", message, path=path, hint=hint)
    for name in _CALL.findall(task.if_ or ""):
        if name not in (*CONDITIONS, *_OPERATORS):
            yield _unknown_condition(document, name, path)
    if task.task is not None and task.task not in KNOWN:
        yield _unsupported(document, task.task, path)
    if task.run is not None:
        yield from _run(document, experiment, task, path)
    if task.task == "metrics/collect":
        yield from _collect(document, experiment, task, path)
    if task.task == "common/readiness":
        yield from _readiness(document, task, path)


def _unknown_condition(document: Document, name: str, path: Path) -> Finding:
    near = difflib.get_close_matches(name, CONDITIONS, n=1)
    hint = f"did you mean {near[0]}()" if near else f"there are {', '.join(CONDITIONS)}"
    message = f"{path[-2]}[{path[-1]}].if asks for {name}(), which is no condition"
    return document.finding(Severity.WARNING, "task", message, path=(*path, "if"), hint=hint)


def _unsupported(document: Document, name: str, path: Path) -> Finding:
    hint = "such a task filled in weightObjRef: give it in versionInfo instead"
    hint = hint if "init" in name or "setup" in name else ""
    message = f"task {name} is not supported"
    return document.finding(Severity.ERROR, "task", message, path=(*path, "task"), hint=hint)


def _run(document: Document, experiment: Experiment, task: Task, path: Path) -> Iterator[Finding]:
    where, text = f"{path[-2]}[{path[-1]}].run", task.run or ""
    run_path = (*path, "run")
    if _URL.match(text):
        message = f"{where} starts with {text.strip()[:8]} and is no command"
        yield document.finding(
            Severity.WARNING, "task", message, path=run_path, hint="kubectl apply -f was lost?"
        )
    for clause in _CLAUSE.findall(text):
        if not _PIPELINE.match(clause.strip()):
            message = f"{where}: template error in @<{clause}>@: not a field such as .Name"
            yield document.finding(Severity.ERROR, "task", message, path=run_path)
        if ".Secret" in clause and not (task.with_ or {}).get("secret"):
            message = f"{where} uses .Secret without with.secret"
            yield document.finding(Severity.ERROR, "task", message, path=run_path)
    yield from _branch(document, experiment, task, run_path)


def _branch(
    document: Document, experiment: Experiment, task: Task, path: Path
) -> Iterator[Finding]:
    """Say where the branch of one version names the manifest of the other."""
    if len(experiment.versions) != 2 or not task.if_:
        return
    negated = task.if_.strip().startswith(("not ", "!"))
    suffix, other = ("v1", "v2") if negated else ("v2", "v1")
    text = task.run or ""
    if "CandidateWon" in task.if_ and f"-{other}." in text and f"-{suffix}." not in text:
        message = f"the branch '{task.if_}' mentions {other}: the branches look swapped"
        yield document.finding(Severity.WARNING, "task", message, path=path)


def _collect(
    document: Document, experiment: Experiment, task: Task, path: Path
) -> Iterator[Finding]:
    names = [version.name for version in experiment.versions]
    versions = (task.with_ or {}).get("versions")
    for i, version in enumerate(versions if isinstance(versions, list) else []):
        name = version.get("name") if isinstance(version, dict) else None
        if name not in names:
            message = (
                f'metrics/collect version "{name}" is not a version of this experiment '
                f"[{', '.join(names)}]: its built-in metrics would be missing"
            )
            at = (*path, "with", "versions", i)
            yield document.finding(Severity.ERROR, "task", message, path=at)


def _readiness(document: Document, task: Task, path: Path) -> Iterator[Finding]:
    references = (task.with_ or {}).get("objRefs")
    for i, ref in enumerate(references if isinstance(references, list) else []):
        if not isinstance(ref, dict):
            continue
        wait = str(ref.get("waitFor", ""))
        if ref.get("kind") == "Deployment" and wait.lower() == "condition=ready":
            message = "a Deployment has no condition Ready, so this would wait for ever"
            at = (*path, "with", "objRefs", i)
            hint = "condition=Available"
            yield document.finding(Severity.WARNING, "task", message, path=at, hint=hint)
