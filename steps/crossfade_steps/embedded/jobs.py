"""Jobs on one machine: a container that runs fortio becomes a fortio process.

Side-cars that only wait (the seed's busybox) are not run: nothing here waits for them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from crossfade.errors import SpecError
from crossfade.spec.requests import elsewhere, fortio_command, runs_fortio
from crossfade.spec.source import listed, look
from crossfade_steps.embedded.processes import Child, Processes
from crossfade_steps.embedded.tools import Tools
from crossfade_steps.ports import Object, ObjectKey

_OUTPUT = "-json"


class JobController:
    """Follows the store's Jobs; each becomes one process."""

    def __init__(self, processes: Processes, tools: Tools, resolve: Callable[[str], str]) -> None:
        self._processes, self._tools, self._resolve = processes, tools, resolve
        self._children: dict[ObjectKey, Child] = {}

    def follow(self, event: str, stored: Object) -> None:
        """Start a Job's load when it is created, end it when it is deleted."""
        if stored.get("kind") != "Job":
            return
        key = ObjectKey.of(stored)
        if event == "deleted" and key in self._children:
            self._processes.stop(self._children.pop(key))
        elif event == "added":
            command = local_command(stored, str(self._tools.fortio), self._resolve)
            name = f"job-{key.namespace}-{key.name}"
            self._children[key] = self._processes.start(name, command, may_end=True)


def words(job: Mapping[str, Any]) -> list[str]:
    """Return the words of a Job's fortio container.  Raises ``SpecError`` when it has none."""
    found = fortio_command(job)
    if found is None:
        metadata = job.get("metadata") or {}
        raise SpecError(
            f"Job {metadata.get('namespace', 'default')}/{metadata.get('name')}: "
            "no container runs fortio",
            hint="the embedded default runs load by fortio only; on a cluster any Job runs",
        )
    return found


def idle(job: Mapping[str, Any]) -> list[str]:
    """Return the names of a Job's other containers, which are not run here."""
    containers = listed(job, ("spec", "template", "spec", "containers"))
    return [str(c.get("name")) for c in containers if not runs_fortio(_only(c))]


def _only(container: Mapping[str, Any]) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": [container]}}}}


def local_command(job: Mapping[str, Any], fortio: str, resolve: Callable[[str], str]) -> list[str]:
    """Return the fortio command of a Job for this machine.

    The program is the local one, the URL is resolved, and ``-json`` (a file on a volume of the
    pod) is left out.  Raises ``SpecError`` when no container runs fortio.
    """
    command = [fortio, *words(job)[1:]]
    if _OUTPUT in command:
        i = command.index(_OUTPUT)
        del command[i : i + 2]
    return [*command[:-1], resolve(target(job))]


def target(job: Mapping[str, Any]) -> str:
    """Return the URL that a Job's fortio asks, its last word.

    Raises ``SpecError`` for no URL, and for a request that holds what another object says.
    """
    url = words(job)[-1]
    if not re.match(r"https?://[^/]", url):
        name = url.partition("/")[0]
        raise SpecError(
            f"Job {look(job, ('metadata', 'name'))}: its load goes to {url!r}, expected http://...",
            hint=f"give the text its value: --set {name}=http://gateway",
        )
    names = elsewhere(job)
    if names:
        raise SpecError(
            f"Job {look(job, ('metadata', 'name'))}: {', '.join(names)} of its request comes from "
            "an object of the cluster, which is not here",
            hint="crossfade compile makes the workflow that runs it on a cluster",
        )
    return url
