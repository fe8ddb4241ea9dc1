"""The compiler: a bundle to an Argo Workflow, through Hera, which nothing else imports."""

from __future__ import annotations

from importlib.util import find_spec

from crossfade.errors import CrossfadeError

if find_spec("hera") is None:
    raise CrossfadeError(
        "compiling needs Hera, which is not installed",
        hint="pip install 'crossfade[compiler]'",
    )

from crossfade.compiler.steering import steering_text
from crossfade.compiler.workflow import (
    compile_text,
    cron_workflow,
    documents,
    to_dict,
    workflow,
    workflow_template,
)

__all__ = [
    "compile_text",
    "cron_workflow",
    "documents",
    "steering_text",
    "to_dict",
    "workflow",
    "workflow_template",
]
