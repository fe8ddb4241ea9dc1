"""What the embedded default accepts: a kind or a field it cannot play is refused by name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from crossfade.errors import SpecError
from crossfade.spec.requests import secrets_of_requests
from crossfade.spec.rollout import Bundle, JobLoad
from crossfade_steps.asking import no_secrets
from crossfade_steps.embedded import jobs, models, virtual_service
from crossfade_steps.ports import Object, ObjectKey

KINDS = {
    ("", "Namespace"): lambda manifest: None,
    ("networking.istio.io", "Gateway"): lambda manifest: None,  # there is one, and it is open
    ("networking.istio.io", "VirtualService"): virtual_service.routes,
    ("machinelearning.seldon.io", "SeldonDeployment"): models.predictors,
    ("batch", "Job"): jobs.target,
}
HINT = "crossfade compile makes the workflow that runs it on a cluster"


def admit(manifest: Object) -> None:
    """Raise ``SpecError`` for an object that cannot be played here."""
    key = ObjectKey.of(manifest)
    reader: Any = KINDS.get((key.group, key.kind))
    if reader is None:
        raise _unknown([f"{key.kind} ({key.namespace}/{key.name})"])
    reader(manifest)


def refuse_unknown_kinds(bundle: Bundle) -> None:
    """Raise one ``SpecError`` naming everything of a rollout that cannot be played here.

    Secrets of load and of ``verify`` are refused as those of metrics are.
    """
    manifests: list[Object] = [*bundle.deploy]
    manifests += [m for documents in bundle.promote.values() for m in documents]
    manifests += [job for load in bundle.load if isinstance(load, JobLoad) for job in load.jobs]
    keys = map(ObjectKey.of, manifests)
    unknown = sorted({k.kind for k in keys if (k.group, k.kind) not in KINDS})
    if unknown:
        raise _unknown(unknown)
    for name in secrets_of_requests(bundle):
        no_secrets(name)
    problems = dict(_problems(manifests))
    if problems:
        raise SpecError("\n".join(problems), hint=next(iter(problems.values())))


def _problems(manifests: Iterable[Object]) -> Iterable[tuple[str, str]]:
    for manifest in manifests:
        try:
            admit(manifest)
        except SpecError as error:
            yield str(error), error.hint


def _unknown(kinds: list[str]) -> SpecError:
    known = ", ".join(kind for _, kind in KINDS)
    return SpecError(
        f"the embedded default does not know {', '.join(kinds)} (it knows {known})", hint=HINT
    )
