"""The Python face of crossfade: ``Rollout.load("rollout.yaml")``."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from pydantic import ValidationError

from crossfade.errors import Finding, Severity, SpecError
from crossfade.lint import lint, stopping
from crossfade.spec.documents import documents_of
from crossfade.spec.loading import document_findings, load
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


class Rollout:
    """A rollout, ready to be compiled or run; ``bundle`` is everything it consists of."""

    def __init__(self, bundle: Bundle, findings: Sequence[Finding] = ()) -> None:
        self.bundle = bundle
        self.findings = tuple(findings)

    @classmethod
    def load(cls, *paths: str | Path, substitutions: Mapping[str, str] | None = None) -> Rollout:
        """Load a rollout file, or a folder with an experiment and its files.

        Raises ``SpecError`` with every finding when it cannot be carried out.
        """
        loaded = load([Path(path) for path in paths], substitutions=substitutions)
        if loaded.bundle is None:
            errors = [f for f in loaded.findings if f.severity is Severity.ERROR]
            text = "\n".join(str(finding) for finding in errors)
            raise SpecError(f"{len(errors)} error(s) in what was given\n{text}", findings=errors)
        return cls(loaded.bundle, _checked((*loaded.findings, *lint(loaded))))

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
