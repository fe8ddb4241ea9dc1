"""Documents to one bundle: which is the experiment, which metrics it needs, what else belongs."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from crossfade.errors import Finding, Severity
from crossfade.spec.builtins import builtin
from crossfade.spec.experiment import Experiment
from crossfade.spec.folder import sort_out
from crossfade.spec.metric import Metric
from crossfade.spec.rollout import Bundle, JobLoad, Manifest, Rollout, RolloutSpec
from crossfade.spec.source import Document, look
from crossfade.spec.source import Path as FieldPath
from crossfade.spec.validation import validate

Found = tuple[Document, Experiment]


def assemble(
    documents: Sequence[Document], substitutions: Mapping[str, str]
) -> tuple[Bundle | None, list[Finding]]:
    """Return the bundle of a rollout, or of loose documents, and what is missing for one."""
    rollout = _rollout(documents)
    experiments = _experiments(documents, rollout)
    if len(experiments) != 1:
        return None, [_not_one(documents, experiments)]
    document, experiment = experiments[0]
    metrics, findings = _metrics(document, experiment, documents, rollout)
    parts = _parts(documents, experiment, rollout, substitutions)
    name = rollout.metadata.name if rollout and rollout.metadata.name else experiment.name
    fields: dict[str, Any] = {"name": name, "experiment": experiment, "metrics": metrics, **parts}
    fields["namespace"] = _namespace(experiment, rollout)
    if rollout is not None:
        fields.update(_passed_on(rollout.spec))
        folder = Path(_file_of(documents)).parent.absolute()
        fields["models"] = {uri: str(folder / name) for uri, name in rollout.spec.models.items()}
    try:
        return Bundle(**fields), findings
    except ValidationError as error:
        reason = str(error.errors(include_url=False)[0]["msg"])
        return None, [*findings, document.finding(Severity.ERROR, "rollout", reason)]


def _passed_on(spec: RolloutSpec) -> dict[str, Any]:
    names = ("versions", "verify", "policy", "loop", "approval", "prometheus", "image",
             "service_account", "deadline", "ready_timeout",
             "report_artifact", "retry_rejected")  # fmt: skip
    return {name: getattr(spec, name) for name in names}


def _namespace(experiment: Experiment, rollout: Rollout | None) -> str:
    if rollout is not None and rollout.metadata.namespace:
        return rollout.metadata.namespace
    return experiment.namespace


def _rollout(documents: Sequence[Document]) -> Rollout | None:
    for document in documents:
        if document.kind == "Rollout":
            return validate(document, Rollout)[0]
    return None


def _experiments(documents: Sequence[Document], rollout: Rollout | None) -> list[Found]:
    found = [d for d in documents if d.kind == "Experiment"]
    if rollout is not None and isinstance(rollout.spec.experiment, dict):
        found = [d for d in found if d.inline]
    models = [(document, validate(document, Experiment)[0]) for document in found]
    return [(document, model) for document, model in models if model is not None]


def _file_of(documents: Sequence[Document]) -> str:
    return next((d.file for d in documents if d.kind == "Rollout"), "")


def _not_one(documents: Sequence[Document], experiments: Sequence[Found]) -> Finding:
    if experiments:
        document, _ = experiments[1]
        message = f"{len(experiments)} experiments were given, expected one"
        return document.finding(Severity.ERROR, "experiment", message)
    file = documents[0].file if documents else ""
    message = "no experiment that can be read, expected one"
    return Finding(Severity.ERROR, "experiment", message, file=file)


def _metrics(
    document: Document,
    experiment: Experiment,
    documents: Sequence[Document],
    rollout: Rollout | None,
) -> tuple[dict[str, Metric], list[Finding]]:
    known, broken = _known_metrics(documents, rollout, experiment.namespace)
    metrics: dict[str, Metric] = {}
    findings: list[Finding] = []
    wanted = {key: (document, path) for key, path in experiment.metric_places().items()}
    queue = list(wanted)
    for key in queue:
        if key in broken:  # it is defined, and wrong
            findings += broken[key]
            continue
        source, metric = known.get(key, (Document("", {}), builtin(key)))
        if metric is None:
            findings.append(_missing(*wanted[key], key, [*known, *broken]))
            continue
        metrics[key] = metric
        size = metric.sample_size_key(experiment.namespace)
        if size is not None and size not in wanted:
            wanted[size] = (source, ("spec", "sampleSize"))
            queue.append(size)
    return metrics, findings


def _known_metrics(
    documents: Sequence[Document], rollout: Rollout | None, namespace: str
) -> tuple[dict[str, tuple[Document, Metric]], dict[str, list[Finding]]]:
    """Return the metrics with their documents, and what is wrong with those that are none."""
    inline = [m for m in rollout.spec.metrics if isinstance(m, dict)] if rollout else []
    known: dict[str, tuple[Document, Metric]] = {}
    broken: dict[str, list[Finding]] = {}
    read = [document.data for document in documents]
    extra = [Document("", data) for data in inline if data not in read]
    for document in (d for d in (*documents, *extra) if d.kind == "Metric"):
        model, findings = validate(document, Metric)
        if model is not None:
            known[model.key(namespace)] = document, model
        else:
            place = look(document.data, ("metadata", "namespace")) or namespace
            broken[f"{place}/{document.name}"] = findings
    return known, {key: findings for key, findings in broken.items() if key not in known}


def _missing(document: Document, path: FieldPath, key: str, known: Sequence[str]) -> Finding:
    name = key.partition("/")[2]
    near = difflib.get_close_matches(key, known, n=1)
    near += [other for other in known if other.partition("/")[2] == name]
    hint = f"did you mean {near[0]}" if near else f"metrics given: {', '.join(known) or 'none'}"
    message = f"metric {key} is not defined in what was given"
    return document.finding(Severity.ERROR, "metrics", message, path=path, hint=hint)


def _parts(
    documents: Sequence[Document],
    experiment: Experiment,
    rollout: Rollout | None,
    substitutions: Mapping[str, str],
) -> dict[str, Any]:
    if rollout is None:
        parts = sort_out(documents, experiment)
        jobs = tuple(replace_texts(job, substitutions) for job in parts.jobs)
        load = (JobLoad(jobs=jobs),) if jobs else ()
        return {"deploy": parts.deploy, "load": load, "promote": dict(parts.promote)}
    folder = Path(_file_of(documents)).parent
    spec = rollout.spec
    promote = {
        version: _manifests(documents, folder, [given] if isinstance(given, str) else given)
        for version, given in spec.promote.items()
    }
    return {
        "deploy": _manifests(documents, folder, spec.deploy),
        "load": _loads(documents, folder, spec, substitutions),
        "promote": promote,
    }


def _manifests(
    documents: Sequence[Document], folder: Path, sources: Sequence[str | dict[str, Any]]
) -> tuple[Manifest, ...]:
    found: list[Manifest] = []
    for source in sources:
        if isinstance(source, dict):
            found.append(source)
        else:
            named = [d for d in documents if Path(d.file) == folder / source and not d.inline]
            found += [d.data for d in named]
    return tuple(found)


def _loads(
    documents: Sequence[Document],
    folder: Path,
    spec: RolloutSpec,
    substitutions: Mapping[str, str],
) -> tuple[Any, ...]:
    loads: list[Any] = []
    for load in spec.load:
        if load.file is not None:
            texts = {**load.set_, **substitutions}
            jobs = _manifests(documents, folder, [load.file])
            loads.append(JobLoad(jobs=tuple(replace_texts(job, texts) for job in jobs)))
        loads += [kind for kind in (load.fortio, load.feedback) if kind is not None]
    return tuple(loads)


def replace_texts(manifest: Manifest, texts: Mapping[str, str]) -> Manifest:
    """Return the manifest with every name in ``texts`` replaced in every string of it."""
    if not texts:
        return manifest

    def replaced(node: Any) -> Any:
        if isinstance(node, str):
            for name, value in texts.items():
                node = node.replace(name, value)
            return node
        if isinstance(node, dict):
            return {key: replaced(value) for key, value in node.items()}
        return [replaced(item) for item in node] if isinstance(node, list) else node

    result: Manifest = replaced(json.loads(json.dumps(manifest)))
    return result
