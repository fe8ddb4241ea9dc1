"""How a run begins: as the weights were found, or with the baseline alone in a route it made."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from typing import Any

from crossfade.errors import SpecError
from crossfade.spec.experiment import DeploymentPattern
from crossfade.spec.rollout import Manifest
from crossfade_steps import routers, safety
from crossfade_steps.applying import patiently
from crossfade_steps.ports import Object, ObjectKey
from crossfade_steps.run import Run
from crossfade_steps.safety import Phase


def begin(run: Run, created: Collection[str]) -> None:
    """Record the weights as they were found, which are safe before anything is written.

    ``created`` has the objects that this run made as ``Kind/namespace/name``.  Where one of several
    routes is among them and the others do not make 100 without it, the baseline gets all.
    """
    try:
        found = dict(run.router.read().weights)
    except SpecError:
        if not _made(run, created, any):
            raise
        safety.enter(run, Phase.STARTING, run.all_baseline)
        safety.settle(run)
        return
    safety.enter(run, Phase.STARTING, found)


def split(run: Run, created: Collection[str]) -> None:
    """Give versions that are ready the split of a route that this run made, if nothing moves it.

    That is what its file says: it was made with the baseline alone.  Weights that follow the policy
    go on from there.
    """
    pattern = run.bundle.experiment.spec.strategy.deployment_pattern
    if pattern is DeploymentPattern.PROGRESSIVE or not _made(run, created, all):
        return
    written: Any = Documents(run.bundle.deploy, run.bundle.namespace)
    wanted = dict(run.all_baseline)
    with suppress(SpecError):  # a file without a split asks for none
        wanted = dict(routers.connect(run.bundle.experiment, written).read().weights)
    if dict(patiently(run, run.router.read).weights) != wanted:
        patiently(run, lambda: run.router.write(run.router.read(), wanted))


def _made(run: Run, created: Collection[str], how: Callable[[Iterable[bool]], bool]) -> bool:
    keys = run.router.keys()
    return how(f"{key.kind}/{key.namespace}/{key.name}" in created for key in keys)


class Documents:
    """Documents as if they were stored; nothing can be written (port ``Objects``, reading)."""

    def __init__(self, manifests: Sequence[Manifest], namespace: str) -> None:
        self._found = {ObjectKey.of(manifest, namespace): manifest for manifest in manifests}

    def get(self, key: ObjectKey) -> Object | None:
        """Return the document, or None when there is none."""
        found = self._found.get(key)
        if found is None:
            return None
        return {**found, "metadata": {**found["metadata"], "resourceVersion": ""}}
