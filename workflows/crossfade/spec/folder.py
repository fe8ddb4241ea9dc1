"""A folder without a rollout file: what its documents are for, read from what they are.

The experiment and its metrics are what they say; a file that a version's ``promote`` variable
names is that version's promotion; Jobs that run fortio are load; everything else is deployed,
namespaces first, routing objects last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from crossfade.spec.experiment import Experiment
from crossfade.spec.ownership import WORKLOADS
from crossfade.spec.requests import runs_fortio
from crossfade.spec.rollout import Manifest
from crossfade.spec.source import Document

OURS = ("Experiment", "Metric", "Rollout")


@dataclass(frozen=True, slots=True)
class Parts:
    """The manifests of a rollout by what they are for."""

    deploy: tuple[Manifest, ...]
    jobs: tuple[Manifest, ...]
    promote: Mapping[str, tuple[Manifest, ...]]


def sort_out(documents: Sequence[Document], experiment: Experiment) -> Parts:
    """Return what each manifest is for; documents of our own kinds are left out."""
    files = promote_files(experiment)
    promote: dict[str, list[Manifest]] = {}
    deploy: list[Manifest] = []
    jobs: list[Manifest] = []
    for document in documents:
        if document.kind in OURS or not isinstance(document.data, dict) or not document.kind:
            continue
        version = files.get(PurePosixPath(document.file.replace("\\", "/")).name)
        if version is not None:
            promote.setdefault(version, []).append(document.data)
        elif document.kind == "Job" and runs_fortio(document.data):
            jobs.append(document.data)
        else:
            deploy.append(document.data)
    deploy.sort(key=_rank)
    return Parts(tuple(deploy), tuple(jobs), {v: tuple(d) for v, d in promote.items()})


def promote_files(experiment: Experiment) -> dict[str, str]:
    """Return the version by the name of the file that its ``promote`` variable points at."""
    return {
        PurePosixPath(variable.value).name: version.name
        for version in experiment.versions
        for variable in version.variables
        if variable.name == "promote" and variable.value
    }


def _rank(manifest: Mapping[str, Any]) -> int:
    kind = manifest.get("kind")
    if kind == "Namespace":
        return 0
    return 1 if kind in WORKLOADS or kind in ("Service", "ConfigMap") else 2
