"""The compiler: a bundle to an Argo Workflow, through Hera."""

from __future__ import annotations

from crossfade.spec.rollout import Bundle


def compile_text(bundle: Bundle, *, kind: str = "workflow", schedule: str | None = None) -> str:
    """Return the workflow as YAML."""
    raise NotImplementedError
