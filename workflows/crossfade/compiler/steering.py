"""A WorkflowTemplate that steers runs: pause, resume, abort, promote, from the Argo UI's form."""

from __future__ import annotations

from hera.workflows import Parameter, WorkflowTemplate
from hera.workflows import models as m

from crossfade.compiler.dump import to_yaml
from crossfade.compiler.templates import Containers, pod_security, retry, volume
from crossfade.contract import ACCOUNT, ASKS, STEER
from crossfade.version import VERSION

NAME = "crossfade-steer"


def steering_template(image: str, namespace: str | None = None) -> WorkflowTemplate:
    """Return the template; what it asks for goes through the same door as the command line."""
    given = [
        Parameter(name="run", description="a run: the name of its Workflow"),
        Parameter(name="ask", enum=list(ASKS), value=ASKS[0]),
        Parameter(name="version", value="", description="promote: which, where there are more"),
    ]
    built = WorkflowTemplate(
        name=NAME,
        namespace=namespace,
        entrypoint=STEER.name,
        arguments=given,
        service_account_name=ACCOUNT,
        labels={"app.kubernetes.io/name": "crossfade", "app.kubernetes.io/version": VERSION,
                "app.kubernetes.io/managed-by": "crossfade"},
        security_context=pod_security(),
        volumes=[volume()],
        ttl_strategy=m.TTLStrategy(seconds_after_completion=24 * 3600),
        workflow_metadata=m.WorkflowMetadata(
            annotations={"workflows.argoproj.io/title": "{{workflow.parameters.ask}} "
                         "{{workflow.parameters.run}}"}),
    )  # fmt: skip
    with built:
        Containers(image).plain(STEER, retry(2))
    return built


def steering_text(image: str, namespace: str | None = None) -> str:
    """Return the template's YAML."""
    return to_yaml([steering_template(image, namespace).to_dict()])
