"""A bundle to a Hera Workflow, WorkflowTemplate or CronWorkflow, and to its YAML."""

from __future__ import annotations

from typing import Any

from hera.workflows import CronWorkflow, Parameter, Workflow, WorkflowTemplate
from hera.workflows import models as m

from crossfade.compiler.dump import to_yaml
from crossfade.compiler.limits import refuse_impossible
from crossfade.compiler.schedule import checked_schedule
from crossfade.compiler.steps import add_templates
from crossfade.compiler.templates import GRACE_SECONDS, Containers, pod_security, volume
from crossfade.compiler.transport import config_map, parameter
from crossfade.contract import ACCOUNT, DEFAULT_IMAGE
from crossfade.errors import SpecError
from crossfade.frame import deadline, locks
from crossfade.spec.names import (
    GENERATED,
    MOST_CRON,
    MOST_WORKFLOW,
    dns_name,
    label_value,
    plain_text,
)
from crossfade.spec.rollout import Bundle
from crossfade.version import VERSION

KINDS = ("workflow", "template", "cron")
ITERATION_NAME = "iteration-{{inputs.parameters.k}}"
DISPLAY_NAME = "workflows.argoproj.io/display-name"


def workflow(bundle: Bundle) -> Workflow:
    """Return the Workflow; every submission gets a name of its own.

    Raises ``SpecError`` for a rollout that no workflow can carry out.
    """
    head = dns_name(bundle.name, MOST_WORKFLOW - GENERATED - 1)
    built = Workflow(generate_name=f"{head}-", **_settings(bundle))
    return _filled(built, bundle)


def workflow_template(bundle: Bundle) -> WorkflowTemplate:
    """Return the WorkflowTemplate, to be started from the Argo UI or by reference."""
    name = dns_name(bundle.name, MOST_WORKFLOW - GENERATED - 1)
    built = WorkflowTemplate(name=name, **_settings(bundle))
    return _filled(built, bundle)


def cron_workflow(bundle: Bundle, schedule: str) -> CronWorkflow:
    """Return the CronWorkflow: UTC, one run at a time, a missed one is made up for 10 minutes.

    Raises ``SpecError`` for a schedule that Argo cannot read, which it would only say in a status.
    """
    name = dns_name(bundle.name, MOST_CRON)
    built = CronWorkflow(
        name=name,
        schedules=[checked_schedule(schedule)],
        timezone="UTC",
        concurrency_policy="Forbid",
        starting_deadline_seconds=600,
        **_settings(bundle),
    )
    return _filled(built, bundle)


def _filled(built: Any, bundle: Bundle) -> Any:
    refuse_impossible(bundle)
    with built:
        add_templates(bundle, Containers(bundle.image or DEFAULT_IMAGE))
    return built


def _settings(bundle: Bundle) -> dict[str, Any]:
    value = parameter(bundle)
    text = "the rollout, as base64 of its canonical JSON or as configmap:NAME"
    return {
        "namespace": bundle.namespace,
        "labels": _labels(bundle),
        "entrypoint": "main",
        "on_exit": "finish",
        "arguments": [Parameter(name="bundle", value=value, description=text)],
        "service_account_name": bundle.service_account or ACCOUNT,
        "active_deadline_seconds": deadline(bundle),
        "synchronization": m.Synchronization(mutexes=[m.Mutex(name=n) for n in locks(bundle)]),
        "security_context": pod_security(),
        "volumes": [volume()],
        "pod_gc": m.PodGC(strategy="OnPodSuccess", delete_delay_duration="60s"),
        "ttl_strategy": m.TTLStrategy(seconds_after_completion=7 * 24 * 3600),
        "pod_metadata": m.Metadata(
            annotations={"sidecar.istio.io/inject": "false"},
            labels={"sidecar.istio.io/inject": "false"},
        ),
        "pod_spec_patch": f'{{"terminationGracePeriodSeconds":{GRACE_SECONDS}}}',
        "workflow_metadata": m.WorkflowMetadata(
            annotations=_annotations(bundle), labels=_labels(bundle)
        ),
    }


def _labels(bundle: Bundle) -> dict[str, str]:
    return {
        "app.kubernetes.io/name": "crossfade",
        "app.kubernetes.io/managed-by": "crossfade",
        "app.kubernetes.io/version": VERSION,
        "crossfade.dev/experiment": label_value(bundle.experiment.name),
        "crossfade.dev/target": label_value(bundle.experiment.spec.target),
        "crossfade.dev/policy": label_value(bundle.policy.name),
    }


def _annotations(bundle: Bundle) -> dict[str, str]:
    experiment = bundle.experiment
    names = [plain_text(version.name) for version in experiment.versions]
    interval = experiment.spec.duration.interval_seconds
    described = (
        f"{experiment.spec.strategy.testing_pattern} of {plain_text(experiment.spec.target)}: "
        f"{experiment.iterations} iterations of {interval} s, policy "
        f"{plain_text(bundle.policy.name)}"
    )
    rivals = ", ".join(names[1:]) or "nothing"
    return {
        "workflows.argoproj.io/title": f"**{rivals}** against {names[0]}",
        "workflows.argoproj.io/description": described,
        "crossfade.dev/digest": bundle.digest,
    }


def to_dict(built: Any, *, display_names: bool = True) -> dict[str, Any]:
    """Return what is submitted; ``display_names`` needs Argo 3.7 (template.annotations).

    Hera has no field for a template's own annotations: its ``annotations`` are the pod's.
    """
    document: dict[str, Any] = built.to_dict()
    spec = document["spec"]
    for template in spec.get("workflowSpec", spec)["templates"]:
        if display_names and template["name"] == "iterations":
            template["annotations"] = {DISPLAY_NAME: ITERATION_NAME}
    return document


def documents(
    bundle: Bundle,
    *,
    kind: str = "workflow",
    schedule: str | None = None,
    display_names: bool = True,
) -> list[dict[str, Any]]:
    """Return what is to be created: the ConfigMap of a large bundle first, then the workflow.

    Raises ``SpecError`` for an unknown kind, or a cron without a schedule.
    """
    if kind not in KINDS:
        raise SpecError(f"--kind {kind}: expected {', '.join(KINDS)}")
    if (kind == "cron") != (schedule is not None):
        raise SpecError(f"--kind {kind} {'needs' if kind == 'cron' else 'takes no'} --schedule")
    if kind == "cron":
        built: Any = cron_workflow(bundle, str(schedule))
    else:
        built = workflow_template(bundle) if kind == "template" else workflow(bundle)
    found = [config_map(bundle), to_dict(built, display_names=display_names)]
    return [document for document in found if document is not None]


def compile_text(bundle: Bundle, **options: Any) -> str:
    """Return the YAML of ``documents``; equal bundles give equal bytes."""
    return to_yaml(documents(bundle, **options))
