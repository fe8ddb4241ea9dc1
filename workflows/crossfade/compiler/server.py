"""Create what was compiled through the Argo Server, by Hera's own client.

Hera's models have no field for a template's own annotations (the names that people see in the Argo
UI), so the document itself is sent instead of a model made from it.
"""

from __future__ import annotations

import json
from typing import Any

from hera.exceptions import HeraException
from hera.workflows import WorkflowsService

from crossfade.errors import BackendError, SpecError

_CREATE = {"Workflow": ("create_workflow", "workflow"),
           "WorkflowTemplate": ("create_workflow_template", "template"),
           "CronWorkflow": ("create_cron_workflow", "cronWorkflow")}  # fmt: skip


class _Request:
    """A create request whose body is a document as it is."""

    def __init__(self, key: str, document: dict[str, Any]) -> None:
        self._body = {key: document}

    def json(self, **options: Any) -> str:
        """Return the body; Hera's options are for models."""
        return json.dumps(self._body)


def create(
    document: dict[str, Any], *, host: str | None = None, token: str | None = None,
    verify_ssl: bool = True,
) -> str:  # fmt: skip
    """Create a Workflow, WorkflowTemplate or CronWorkflow and return its name.

    Host and token are Hera's own settings where they are left out.  Raises ``SpecError`` for a host
    without a scheme, ``BackendError`` with the server's message.
    """
    namespace = document["metadata"]["namespace"]
    service = WorkflowsService(host=host, token=token, verify_ssl=verify_ssl, namespace=namespace)
    method, key = _CREATE[document["kind"]]
    try:
        made = getattr(service, method)(_Request(key, document), namespace=namespace)
    except AssertionError as error:
        raise SpecError(f"Argo Server {host!r}: expected http:// or https:// and a host") from error
    except (HeraException, OSError) as error:
        raise BackendError(f"Argo Server {service.host}: {error}") from error
    return str(made.metadata.name)
