"""The fields of Argo v3.6 to v4 that a compiled workflow may use.

Taken from the type differences between the release lines: what 3.6 has and 4.x has not lost.
``template.annotations`` came with 3.7 and is left out on request (``display_names=False``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

WORKFLOW = {
    "activeDeadlineSeconds", "arguments", "entrypoint", "onExit", "podGC", "podMetadata",
    "podSpecPatch", "securityContext", "serviceAccountName", "synchronization", "templates",
    "ttlStrategy", "volumes", "workflowMetadata",
}  # fmt: skip
CRON = {"concurrencyPolicy", "schedules", "startingDeadlineSeconds", "timezone", "workflowSpec"}
TEMPLATE = {
    "container", "containerSet", "inputs", "name", "outputs", "retryStrategy", "steps", "suspend",
}  # fmt: skip
CONTAINER = {
    "args", "command", "env", "image", "imagePullPolicy", "resources", "securityContext",
    "volumeMounts", "name", "dependencies",
}  # fmt: skip
STEP = {"arguments", "name", "template", "when"}
SYNCHRONIZATION = {"mutexes"}
PARAMETER = {"default", "description", "enum", "name", "value", "valueFrom"}


def unknown(document: dict[str, Any], *, since_3_7: bool) -> Iterator[str]:
    """Yield every field that is not in the list."""
    spec = document["spec"]
    if document["kind"] == "CronWorkflow":
        yield from _extra("cron", spec, CRON)
        spec = spec["workflowSpec"]
    yield from _extra("spec", spec, WORKFLOW)
    yield from _extra("synchronization", spec["synchronization"], SYNCHRONIZATION)
    template_fields = TEMPLATE | ({"annotations"} if since_3_7 else set())
    for template in spec["templates"]:
        yield from _extra("template", template, template_fields)
        containers = [template["container"]] if "container" in template else []
        if "containerSet" in template:
            yield from _extra("set", template["containerSet"], {"containers", "volumeMounts"})
            containers += template["containerSet"]["containers"]
        for container in containers:
            yield from _extra("container", container, CONTAINER)
        for group in template.get("steps", []):
            for step in group:
                yield from _extra("step", step, STEP)
        for side in ("inputs", "outputs"):
            for parameter in template.get(side, {}).get("parameters", []):
                yield from _extra("parameter", parameter, PARAMETER)


def _extra(where: str, fields: dict[str, Any], allowed: set[str]) -> Iterator[str]:
    yield from (f"{where}.{name}" for name in fields if name not in allowed)
