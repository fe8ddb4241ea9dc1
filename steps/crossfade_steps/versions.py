"""Which workloads and hosts are a version's, and whether they can take traffic."""

from __future__ import annotations

from collections.abc import Mapping

from crossfade.spec.ownership import single_owner
from crossfade_steps.deploy import parse_name
from crossfade_steps.run import Run


def version_objects(run: Run) -> dict[str, tuple[str, ...]]:
    """Return each version's workloads as ``Kind/namespace/name``.

    As ``versions:`` says, else whoever serves the host that the version's route points at.
    """
    return {version.name: objects_of(run, version.name) for version in run.versions}


def objects_of(run: Run, version: str) -> tuple[str, ...]:
    """Return one version's workloads."""
    named = run.bundle.versions.get(version)
    if named is not None and named.objects:
        return named.objects
    host = hosts(run).get(version)
    if host is None:
        return ()
    return single_owner(version, host[0], run.bundle.deploy, run.bundle.namespace)


def hosts(run: Run) -> dict[str, tuple[str, int]]:
    """Return each version's destination as (host, port), where its routing object names one."""
    return run.router.hosts(run.bundle.deploy)


def not_ready(run: Run, old: Mapping[str, int], new: Mapping[str, int]) -> str | None:
    """Return why a candidate that is to get more traffic cannot take it; None when all can.

    Capacity comes before weight (faults C39, C47).  Traffic back to the baseline waits for nothing.
    """
    for version in run.versions[1:]:
        if new.get(version.name, 0) <= old.get(version.name, 0):
            continue
        for name in objects_of(run, version.name):
            reason = run.readiness.pending(parse_name(name))
            if reason is not None:
                return f"{name} is not ready for more traffic: {reason}"
    return None
