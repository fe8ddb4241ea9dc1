"""The Python face of crossfade: ``Rollout.load("rollout.yaml")``."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import yaml
from pydantic import BaseModel, ValidationError
from pydantic.alias_generators import to_camel

from crossfade.errors import Finding, Severity, SpecError
from crossfade.lint import lint, stopping
from crossfade.spec.documents import documents_of, parse
from crossfade.spec.loading import ROLLOUT_API, document_findings, load, put_together
from crossfade.spec.rollout import Bundle
from crossfade.spec.source import Loaded

if TYPE_CHECKING:
    from hera.workflows import CronWorkflow, Workflow, WorkflowTemplate

    from crossfade_steps.run import Ended


def _checked(findings: Sequence[Finding]) -> Sequence[Finding]:
    """Return the findings.  Raises ``SpecError`` with those that stop the command line, too."""
    errors = stopping(findings)
    if errors:
        text = "\n".join(str(finding) for finding in errors)
        raise SpecError(f"{len(errors)} error(s) in what was given\n{text}", findings=errors)
    return findings


def _whole(loaded: Loaded) -> tuple[Bundle, Sequence[Finding]]:
    """Return the bundle that was loaded, and its findings.  Raises ``SpecError`` for errors."""
    if loaded.bundle is None:
        errors = [f for f in loaded.findings if f.severity is Severity.ERROR]
        text = "\n".join(str(finding) for finding in errors)
        raise SpecError(f"{len(errors)} error(s) in what was given\n{text}", findings=errors)
    return loaded.bundle, _checked((*loaded.findings, *lint(loaded)))


def _stated(keys: Mapping[str, Any]) -> Loaded:
    """Return what the keys of a rollout say, read and judged as its file is; paths from here."""
    metadata = {key: keys[key] for key in ("name", "namespace") if key in keys}
    spec = {to_camel(key): value for key, value in keys.items() if key not in metadata}
    document = {"apiVersion": ROLLOUT_API, "kind": "Rollout", "metadata": metadata, "spec": spec}
    plain = json.loads(json.dumps(document, default=_plain))
    text = yaml.safe_dump(
        plain, allow_unicode=True, sort_keys=False
    )  # JSON's escapes are not YAML's
    return put_together(*parse(text, "Rollout(...)"))


def _plain(value: Any) -> Any:
    """Return a value as a file would have it: a path as text, one of our objects as its fields."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return str(value)


class Rollout:
    """A rollout, ready to be compiled or run; ``bundle`` is everything it consists of.

    Made of a bundle, or of the keys of a rollout's file: ``Rollout(experiment="experiment.yaml",
    metrics=["metrics.yaml"], service_account="ml")``, with ``name`` and ``namespace`` beside those
    of its ``spec``.  Paths are relative to the working directory, and each may be the object
    itself.  Raises ``SpecError`` with every finding when it cannot be carried out.
    """

    def __init__(
        self, bundle: Bundle | None = None, findings: Sequence[Finding] = (), **keys: Any
    ) -> None:
        if (bundle is None) == (not keys):
            raise TypeError("Rollout: expected a bundle, or keys such as experiment=, not both")
        self.bundle, found = (bundle, findings) if bundle else _whole(_stated(keys))
        self.findings = tuple(found)

    @classmethod
    def load(cls, *paths: str | Path, substitutions: Mapping[str, str] | None = None) -> Rollout:
        """Load a rollout file, or a folder with an experiment and its files.

        Raises ``SpecError`` with every finding when it cannot be carried out.
        """
        loaded = load([Path(path) for path in paths], substitutions=substitutions)
        return cls(*_whole(loaded))

    @classmethod
    def of(cls, bundle: Bundle) -> Rollout:
        """Return the rollout of a bundle made in Python.

        Its manifests are judged like files.  Raises ``SpecError`` with every finding when it cannot
        be carried out.
        """
        documents = documents_of(bundle)
        found = [finding for document in documents for finding in document_findings(document)]
        return cls(bundle, _checked((*found, *lint(Loaded(bundle, (), documents)))))

    def using(self, **changes: Any) -> Rollout:
        """Return the rollout with other settings of its bundle: ``image``, ``loop``, ``policy``.

        Raises ``SpecError`` for a setting that there is not, or that cannot be carried out.
        """
        own = {"experiment": self.bundle.experiment.model_dump(mode="json", exclude_unset=True)}
        data = {**self.bundle.model_dump(mode="json", exclude_defaults=True), **own, **changes}
        try:
            return Rollout.of(Bundle.model_validate(data))
        except ValidationError as error:
            first = error.errors()[0]
            raise SpecError(f"using {first['loc']}: {first['msg']}") from error

    def workflow(self) -> Workflow:
        """Return Hera's Workflow."""
        from crossfade import compiler

        return compiler.workflow(self.bundle)

    def workflow_template(self) -> WorkflowTemplate:
        """Return Hera's WorkflowTemplate."""
        from crossfade import compiler

        return compiler.workflow_template(self.bundle)

    def cron_workflow(self, schedule: str) -> CronWorkflow:
        """Return Hera's CronWorkflow for a schedule such as ``0 2 * * *`` (UTC)."""
        from crossfade import compiler

        return compiler.cron_workflow(self.bundle, schedule)

    def yaml(self, **options: Any) -> str:
        """Return the workflow as YAML that every parser reads alike (see ``compile_text``)."""
        from crossfade import compiler

        return compiler.compile_text(self.bundle, **options)

    def submit(self, host: str | None = None, token: str | None = None) -> str:
        """Start a run through the Argo Server (Hera's settings by default); return its name."""
        from crossfade.compiler import documents
        from crossfade.compiler.server import create
        from crossfade_steps.cluster.kube import connect

        *before, workflow = documents(self.bundle)
        for manifest in before:
            connect().apply(manifest)
        return create(workflow, host=host, token=token)

    def run(self, folder: str | Path | None = None, *, approved: bool = False) -> Ended:
        """Carry the rollout out on this machine and return how it ended.

        ``folder`` gets the record and the logs; one of its own under ``.crossfade/runs`` if not
        given.  ``approved`` says yes beforehand where the rollout has a person decide.  Raises
        ``SpecError`` where nobody did, and for a folder that holds a run already.
        """
        from crossfade_steps.embedded.here import run_here

        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
        own = f"{self.bundle.name}-{stamp}-{uuid4().hex[:6]}"
        place = Path(".crossfade") / "runs" / own if folder is None else Path(folder)
        return run_here(self.bundle, place, lambda entry: None, lambda entry: None,
                        approved=approved)  # fmt: skip
