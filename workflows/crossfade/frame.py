"""What a workflow keeps of the rollout that it was compiled from, whatever it is started with.

A WorkflowTemplate may be started with another ``bundle``, but its gate, mutexes, deadline, loop,
account and image stay those it was compiled with: the first step compares, and refuses what does
not fit.
"""

from __future__ import annotations

from crossfade import contract, policies
from crossfade.errors import SpecError
from crossfade.routes import references_by_object
from crossfade.spec.durations import seconds
from crossfade.spec.names import lock_name
from crossfade.spec.rollout import Approval, Bundle

START_UP_SECONDS = 900
APPROVAL_SECONDS = 7 * 24 * 3600
"""How long a person may take: the deadline is the whole workflow's."""


def timed(bundle: Bundle) -> bool:
    """Return whether a timer of Argo's covers most of an interval."""
    return bundle.experiment.spec.duration.interval_seconds >= contract.LONG_INTERVAL


def locks(bundle: Bundle) -> list[str]:
    """Return the mutexes: one for each routed object, or one for the target where none is."""
    experiment = bundle.experiment
    objects = references_by_object(experiment.versions, experiment.namespace)
    names = [
        lock_name(api_version.rpartition("/")[0], kind, namespace, name)
        for api_version, kind, namespace, name in objects
    ]
    own = lock_name("", "experiment", experiment.namespace, experiment.spec.target)
    return sorted(set(names)) or [own]


def deadline(bundle: Bundle) -> int:
    """Return the seconds after which Argo stops the workflow: twice the plan and the start-up."""
    if bundle.deadline is not None:
        return seconds(bundle.deadline, where="spec.deadline")
    most = bundle.experiment.iterations + policies.watch(bundle.policy)
    planned = most * bundle.experiment.spec.duration.interval_seconds
    waits = APPROVAL_SECONDS if bundle.approval is Approval.BEFORE_PROMOTE else 0
    ready = seconds(bundle.ready_timeout, where="spec.readyTimeout") if bundle.ready_timeout else 0
    return 2 * planned + START_UP_SECONDS + 2 * ready + waits


def frame(bundle: Bundle) -> str:
    """Return everything that is fixed by compiling, as ``name=value`` with semicolons between."""
    return ";".join(f"{name}={value}" for name, value in _facts(bundle).items())


def _facts(bundle: Bundle) -> dict[str, str]:
    return {
        "loop": bundle.loop.value,
        "timer": "yes" if timed(bundle) else "no",
        "approval": bundle.approval.value,
        "reportArtifact": "yes" if bundle.report_artifact else "no",
        "image": bundle.image or contract.DEFAULT_IMAGE,
        "serviceAccount": bundle.service_account or contract.ACCOUNT,
        "namespace": bundle.namespace,
        "deadline": f"{deadline(bundle)}s",
        "mutexes": ",".join(locks(bundle)),
    }


def require_frame(bundle: Bundle, compiled: str) -> None:
    """Raise ``SpecError`` when a workflow was compiled for another rollout's frame.

    An empty one is of a workflow that was compiled before frames were.
    """
    if not compiled:
        return
    had = dict(part.partition("=")[::2] for part in compiled.split(";"))
    differ = [
        f"{name} {value}, compiled with {had.get(name, 'nothing')}"
        for name, value in _facts(bundle).items()
        if had.get(name) != value
    ]
    if differ:
        raise SpecError(
            f"parameter bundle: rollout {bundle.name} does not fit this workflow: "
            + "; ".join(differ),
            hint="compile that rollout into a workflow or WorkflowTemplate of its own",
        )
