"""Files to a bundle: read, validate, resolve, and report everything that is wrong at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from crossfade.errors import Finding, Severity
from crossfade.spec.assembly import assemble
from crossfade.spec.documents import read_file
from crossfade.spec.experiment import Experiment
from crossfade.spec.metric import Metric
from crossfade.spec.rollout import Rollout
from crossfade.spec.semantics import experiment_findings, name_findings, unnamed, unplaced
from crossfade.spec.source import Document, Loaded, listed, look, mapped
from crossfade.spec.source import Path as FieldPath
from crossfade.spec.validation import shown, validate

SUFFIXES = (".yaml", ".yml", ".json")
EXPERIMENT_API = "iter8.tools/v2alpha2"
ROLLOUT_API = "crossfade.dev/v1alpha1"
APIS = {"Experiment": EXPERIMENT_API, "Metric": EXPERIMENT_API, "Rollout": ROLLOUT_API}


def load(paths: Sequence[Path], *, substitutions: Mapping[str, str] | None = None) -> Loaded:
    """Load a rollout file, a folder, or loose files.

    ``substitutions`` replace texts in load files.  Nothing is raised for what the files say: the
    answer has all findings, and a bundle only when no finding is an error.
    """
    return put_together(*_read(paths), substitutions=substitutions)


def put_together(
    documents: list[Document],
    findings: list[Finding],
    *,
    substitutions: Mapping[str, str] | None = None,
) -> Loaded:
    """Load the documents that were read, with those that a rollout among them names.

    ``findings`` are those of the reading.  The rest is as ``load`` has it.
    """
    rollouts = [d for d in documents if d.kind == "Rollout"]
    found = [f for d in documents for f in document_findings(d)]
    if rollouts:
        rollout, _ = validate(rollouts[0], Rollout)
        if len(rollouts) > 1:
            message = f"{len(rollouts)} rollouts were given, expected one"
            findings.append(rollouts[1].finding(Severity.ERROR, "rollout", message))
        if rollout is not None:
            more, more_findings = read_named(rollouts[0], rollout)
            findings += more_findings
            more += inline_documents(rollouts[0])
            found += [f for d in more for f in document_findings(d)]
            documents += more
    bundle, problems = assemble(documents, dict(substitutions or {}))
    findings += found
    problems = _not_yet_told(problems, findings, whole=bundle is not None)
    unique = tuple(dict.fromkeys([*findings, *problems]))
    broken = any(f.severity is Severity.ERROR for f in unique)
    return Loaded(None if broken else bundle, unique, tuple(documents))


def _not_yet_told(
    problems: Sequence[Finding], findings: Sequence[Finding], *, whole: bool
) -> list[Finding]:
    """Return the problems without what is only missing because it could not be read."""
    errors = {f.rule for f in findings if f.severity is Severity.ERROR}
    told = {"experiment"} if errors and not whole else set()
    told |= {"metrics"} if "file" in errors else set()
    return [f for f in problems if f.rule not in told]


def document_findings(document: Document) -> list[Finding]:
    """Return what is wrong with one document on its own."""
    if not isinstance(document.data, Mapping):
        kind = type(document.data).__name__
        message = f"the document is {kind}, expected a Kubernetes object"
        return [document.finding(Severity.ERROR, "file", message)]
    refused = _refusal(document)
    if refused is not None:
        return [refused]
    if document.kind == "Experiment":
        experiment, findings = validate(document, Experiment)
        findings += name_findings(document)
        return findings + (experiment_findings(document, experiment) if experiment else [])
    if document.kind == "Metric":
        return _metric_findings(document)
    if document.kind == "Rollout":
        return validate(document, Rollout)[1]
    return _object_findings(document)


def _object_findings(document: Document) -> list[Finding]:
    """Return whether an object of another kind has a name and place that Kubernetes takes."""
    metadata = document.data.get("metadata")
    if not isinstance(metadata, Mapping):
        message = f"metadata of {document.kind} must be a mapping, got {shown(metadata)}"
        return [document.finding(Severity.ERROR, "field", message, path=("metadata",))]
    findings = []
    for key in ("name", "namespace"):
        value = metadata.get(key)
        if not isinstance(value, str) and (key == "name" or value is not None):
            message = f"metadata.{key} of {document.kind} must be text, got {shown(value)}"
            path = ("metadata", key)
            findings.append(document.finding(Severity.ERROR, "field", message, path=path))
        elif isinstance(value, str) and key == "name":
            group = str(document.data["apiVersion"]).rpartition("/")[0]
            findings += unnamed(document, ("metadata", key), value, group)
        elif isinstance(value, str):
            findings += unplaced(document, ("metadata", key), value)
    return findings


def _metric_findings(document: Document) -> list[Finding]:
    metric, findings = validate(document, Metric)
    findings += name_findings(document)
    metadata = document.data.get("metadata")
    if isinstance(metadata, dict) and "creator" in metadata:
        message = "unknown field creator is ignored (it belongs under labels: lost indentation?)"
        path = ("metadata", "creator")
        findings.append(document.finding(Severity.WARNING, "field", message, path=path))
    if metric is not None and metric.spec.secret is not None:
        place, _, name = metric.spec.secret.rpartition("/")
        findings += unnamed(document, ("spec", "secret"), name)
        findings += unplaced(document, ("spec", "secret"), place)
    written = (document.data.get("spec") or {}).get("type") if metric else None
    if written in ("gauge", "counter"):
        message = f"type {written} is read as {written.capitalize()}"
        path = ("spec", "type")
        findings.append(document.finding(Severity.WARNING, "field", message, path=path))
    return findings


def _refusal(document: Document) -> Finding | None:
    api, kind = document.data.get("apiVersion"), document.data.get("kind")
    for name, value in (("apiVersion", api), ("kind", kind)):
        if value and not isinstance(value, str):
            message = f"{name} must be text, got {shown(value)}"
            return document.finding(Severity.ERROR, "kind", message, path=(name,))
    if not kind or not api:
        missing = " and ".join(n for n, v in (("apiVersion", api), ("kind", kind)) if not v)
        hint = ""
        if {"url", "provider", "metrics"} <= set(document.data):
            hint = "it looks like a metrics file of Iter8 0.10 or later: write kind Metric instead"
        message = f"not a Kubernetes object: {missing} missing"
        return document.finding(Severity.ERROR, "kind", message, hint=hint)
    wanted = APIS.get(str(kind))
    group = str(api).rpartition("/")[0]
    if wanted and api != wanted and group == wanted.rpartition("/")[0]:
        message = f"unsupported apiVersion {api} of {kind}, expected {wanted}"
        return document.finding(Severity.ERROR, "kind", message, path=("apiVersion",))
    return None


def read_named(document: Document, rollout: Rollout) -> tuple[list[Document], list[Finding]]:
    """Read the files that a rollout names; their documents know which key named them."""
    folder = Path(document.file).parent
    documents: list[Document] = []
    findings: list[Finding] = []
    named = dict[str, FieldPath]()
    for name, path in _names(rollout):
        named.setdefault(name, path)
    for name, path in named.items():
        if "://" in name:
            message = f"{name}: a URL is never fetched, expected a file beside the rollout"
            findings.append(document.finding(Severity.ERROR, "file", message, path=path))
        elif _is_absent(folder / name):
            near = difflib.get_close_matches(name, [p.name for p in _files_in(folder)], n=1)
            findings.append(document.finding(
                Severity.ERROR, "file", f"{name} cannot be read: there is no such file", path=path,
                hint=f"did you mean {near[0]}" if near else ""))  # fmt: skip
        else:
            read, problems = read_file(folder / name)
            documents += read
            findings += problems
    return documents, findings


def _is_absent(path: Path) -> bool:
    try:
        return not path.exists()
    except (OSError, ValueError):  # reading it tells why
        return False


def _files_in(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def inline_documents(rollout: Document) -> list[Document]:
    """Return the documents that a rollout holds itself, with the lines of its own file."""
    spec = mapped(rollout.data, ("spec",))
    paths: list[FieldPath] = [("spec", "experiment")]
    for key in ("metrics", "deploy"):
        paths += [("spec", key, i) for i in range(len(listed(spec, (key,))))]
    for version in mapped(spec, ("promote",)):
        own = ("spec", "promote", version)
        paths += [(*own, i) for i in range(len(listed(rollout.data, own)))]
    return [_at(rollout, path) for path in paths if isinstance(look(rollout.data, path), Mapping)]


def _at(document: Document, path: FieldPath) -> Document:
    lines = {p[len(path) :]: line for p, line in document.lines.items() if p[: len(path)] == path}
    return Document(document.file, look(document.data, path), lines, inline=True)


def _names(rollout: Rollout) -> Iterator[tuple[str, FieldPath]]:
    """Yield every file that a rollout names, and where."""
    spec = rollout.spec
    sources: list[tuple[object, FieldPath]] = [(spec.experiment, ("experiment",))]
    sources += [(own, ("metrics", i)) for i, own in enumerate(spec.metrics)]
    sources += [(own, ("deploy", i)) for i, own in enumerate(spec.deploy)]
    sources += [(load.file, ("load", i, "file")) for i, load in enumerate(spec.load) if load.file]
    for version, own in spec.promote.items():
        if isinstance(own, str):
            sources.append((own, ("promote", version)))
        else:
            sources += [(one, ("promote", version, i)) for i, one in enumerate(own)]
    for source, path in sources:
        if isinstance(source, str):
            yield source, ("spec", *path)


def _read(paths: Sequence[Path]) -> tuple[list[Document], list[Finding]]:
    documents: list[Document] = []
    findings: list[Finding] = []
    for path in paths:
        for file in _files(path):
            read, problems = read_file(file)
            documents += read
            findings += problems
    if not documents and not findings:
        names = ", ".join(map(str, paths)) or "no path"
        findings.append(Finding(Severity.ERROR, "file", f"nothing to read in {names}"))
    return documents, findings


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = sorted(p for p in path.iterdir() if p.suffix in SUFFIXES and p.is_file())
    rollouts = [p for p in files if p.stem == "rollout"]
    return rollouts or [p for p in files if not p.name.startswith("workflow")]
