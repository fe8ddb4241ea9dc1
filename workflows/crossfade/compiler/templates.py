"""The containers of a workflow: one a step, from the same contract that the steps read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hera.workflows import (
    Artifact,
    Container,
    ContainerNode,
    ContainerSet,
    NoneArchiveStrategy,
    Parameter,
)
from hera.workflows import models as m

from crossfade.contract import IMAGE_VARIABLE, MODULE, OUTPUT_FOLDER, REPORT_FILE, Step
from crossfade.errors import NO_RETRY

VOLUME = "outputs"
USER = 65532
GRACE_SECONDS = 5
_VALUES = {
    "run": "{{workflow.name}}",
    "uid": "{{workflow.uid}}",
    "bundle": "{{workflow.parameters.bundle}}",
}


@dataclass(frozen=True, slots=True)
class Containers:
    """What all containers of a workflow share."""

    image: str

    def template(
        self, step: Step, *, retries: int = 3, artifacts: Sequence[Artifact] = ()
    ) -> Container:
        """Return the template of a step: inputs that are not the workflow's own, and outputs."""
        return Container(
            name=step.name,
            inputs=_inputs(step),
            outputs=[*_outputs(step), *artifacts],
            retry_strategy=retry(retries),
            **self._body(step),
        )

    def plain(self, step: Step, retries: m.RetryStrategy) -> Container:
        """Return the template of a step whose inputs are all the workflow's parameters."""
        words = [step.name]
        for name in step.inputs:
            value = "workflow.name" if name == "by" else f"workflow.parameters.{name}"
            words += [f"--{name}", f"{{{{{value}}}}}"]
        body = {**self._body(step), "args": words}
        return Container(name=step.name, outputs=_outputs(step), retry_strategy=retries, **body)

    def pair(self, name: str, first: Step, main: Step) -> ContainerSet:
        """Return one pod with two containers, the second after the first.

        Only a container called ``main`` gives outputs and the exit code, so that is the second.
        """
        with ContainerSet(
            name=name,
            inputs=_inputs(main),
            outputs=_outputs(main),
            volume_mounts=[_mount()],
            retry_strategy=retry(3),
        ) as pod:
            body = self._body(first)
            body.pop("volume_mounts")
            ContainerNode(name=first.name, **body)
            body = self._body(main)
            body.pop("volume_mounts")
            ContainerNode(name="main", dependencies=[first.name], **body)
        return pod

    def _body(self, step: Step) -> dict[str, Any]:
        return {
            "image": self.image,
            "image_pull_policy": "IfNotPresent",
            "command": ["python", "-m", MODULE],
            "args": arguments(step),
            "env": [m.EnvVar(name="PYTHONDONTWRITEBYTECODE", value="1"),
                    m.EnvVar(name=IMAGE_VARIABLE, value=self.image)],
            "resources": m.ResourceRequirements(
                requests={"cpu": "50m", "memory": "96Mi"}, limits={"memory": "384Mi"}
            ),
            "security_context": m.SecurityContext(
                allow_privilege_escalation=False,
                read_only_root_filesystem=True,
                capabilities=m.Capabilities(drop=["ALL"]),
            ),
            "volume_mounts": [_mount()],
        }  # fmt: skip


def arguments(step: Step) -> list[str]:
    """Return the arguments of a step's container: its name, then a flag and value an input."""
    words = [step.name]
    for name in step.inputs:
        words += [f"--{name}", _VALUES.get(name, f"{{{{inputs.parameters.{name}}}}}")]
    return words


def own_inputs(step: Step) -> tuple[str, ...]:
    """Return the inputs that a template takes from its caller."""
    return tuple(name for name in step.inputs if name not in _VALUES)


def _inputs(step: Step) -> list[Parameter]:
    return [Parameter(name=name) for name in own_inputs(step)]


def _outputs(step: Step) -> list[Parameter]:
    return [
        Parameter(
            name=name,
            value_from=m.ValueFrom(path=f"{OUTPUT_FOLDER}/{name}", default=default),
        )
        for name, default in zip(step.outputs, step.defaults, strict=True)
    ]


def report() -> Artifact:
    """Return the report as an artifact: as it is, and no trouble where there is none."""
    path = f"{OUTPUT_FOLDER}/{REPORT_FILE}"
    return Artifact(name="report", path=path, archive=NoneArchiveStrategy(), optional=True)


def _mount() -> m.VolumeMount:
    return m.VolumeMount(name=VOLUME, mount_path=OUTPUT_FOLDER)


def volume() -> m.Volume:
    """Return the folder that outputs are written to: the root file system is read-only."""
    return m.Volume(name=VOLUME, empty_dir=m.EmptyDirVolumeSource())


def retry(limit: int) -> m.RetryStrategy:
    """Return the retries of a leaf: never for what no repetition mends.

    A deleted pod is an Error of Argo, hence ``Always`` with an expression.  No ``maxDuration``:
    Argo counts it from the first attempt's start, so that a pod lost later is not replaced, and a
    pod that replaces an early one is stopped when it is over.
    """
    return m.RetryStrategy(
        limit=limit,
        retry_policy="Always",
        expression=f"asInt(lastRetry.exitCode) != {NO_RETRY}",
        backoff=m.Backoff(duration="5s", factor=2),
    )


def pod_security() -> m.PodSecurityContext:
    """Return the security context of every pod, Argo's own containers included."""
    return m.PodSecurityContext(
        run_as_non_root=True,
        run_as_user=USER,
        run_as_group=USER,
        fs_group=USER,
        seccomp_profile=m.SeccompProfile(type="RuntimeDefault"),
    )
