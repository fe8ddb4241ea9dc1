"""A candidate that serves users is not replaced under them: its traffic goes to the baseline first.

An earlier run that ended on the winner's own copy, or a person, may have left weight on it.  The
model in the new manifest has been seen by nobody yet.
"""

from __future__ import annotations

from collections.abc import Sequence

from crossfade.errors import BackendError, SpecError
from crossfade.spec.ownership import object_name
from crossfade_steps import inplace
from crossfade_steps.deploy import parse_name, read_alone
from crossfade_steps.likeness import differs, unscaled
from crossfade_steps.marking import documents_of, remarked
from crossfade_steps.ports import ObjectKey, RouteState
from crossfade_steps.run import Run
from crossfade_steps.versions import objects_of, routes_to, serving


def free_candidates(run: Run) -> list[str]:
    """Send all traffic to the baseline if a candidate with weight is about to be replaced.

    Returns what was done as notes; users of another rule, as one for testers, get the new model.
    Raises ``SpecError`` when the baseline serves nobody now, since then it is not known to be fit
    for users, or when nobody can tell who serves; ``BackendError`` when the baseline is not ready,
    or when the API did not answer.
    """
    routed = run.router.keys()
    if any(run.objects.get(key) is None for key in routed):
        return []  # no route yet: nobody is served by it
    serves = serving(run)
    changed = [v.name for v in run.versions[1:] if v.name in serves and _changes(run, v.name)]
    if not changed:
        return []
    state = _split(run, changed)
    notes = [f"a rule without the baseline points at {name}: its users get the new model"
             for name in changed if False in routes_to(run, name)]  # fmt: skip
    replaced = [name for name in changed if state is not None and state.weights[name]]
    return notes if state is None or not replaced else [*notes, _freed(run, state, replaced)]


def _split(run: Run, changed: Sequence[str]) -> RouteState | None:
    """Return the weights in force; None where the split lacks these candidates' destinations.

    It cannot be read then, and gets them with no weight.  Raises ``SpecError`` where one of them
    is beside the baseline and still nobody can tell how much it has.
    """
    try:
        return run.router.read()
    except SpecError:
        if any(True in routes_to(run, name) for name in changed):
            raise
    return None


def _freed(run: Run, state: RouteState, replaced: Sequence[str]) -> str:
    """Send all traffic to the baseline and say so."""
    told = ", ".join(f"{name} serves {state.weights[name]} %" for name in replaced)
    if not state.weights[run.baseline]:
        raise SpecError(
            f"{told} of the traffic and its manifest would replace it before any test, "
            f"while the baseline {run.baseline} serves nobody",
            hint=f"send traffic to {run.baseline} first, or name the version that serves baseline",
        )
    _require_ready(run)
    run.router.write(state, run.all_baseline)
    return f"{told} of the traffic and is replaced: all traffic went to {run.baseline} first"


def _changes(run: Run, version: str) -> bool:
    """Return whether a version's manifests would change what runs there, whatever its scale.

    A routing object that runs the version itself is asked for the version's part only.
    """
    namespace = run.bundle.namespace
    own, baseline = objects_of(run, version), objects_of(run, run.baseline)
    candidates = {name for v in run.versions[1:] for name in objects_of(run, v.name)}
    read = read_alone(run.bundle, run.objects, candidates - set(baseline), baseline)
    names = {*own, *(name for workload in own for name in read.get(workload, ()))}
    documents = documents_of(run.bundle, read)
    for manifest in run.bundle.deploy:
        key = ObjectKey.of(manifest, namespace)
        existing = run.objects.get(key)
        if existing is None:
            continue
        wanted = remarked(existing, manifest, documents, namespace)
        if key in run.router.keys():  # noqa: SIM118 (a router is no mapping)
            if inplace.replaces(key, existing, wanted, run.bundle.experiment, version):
                return True
        elif object_name(manifest, namespace) in names and differs(
            unscaled(existing), unscaled(wanted)
        ):
            return True
    return False


def _require_ready(run: Run) -> None:
    for name in objects_of(run, run.baseline):
        reason = run.readiness.pending(parse_name(name))
        if reason is not None:
            raise BackendError(f"{name} must take all traffic and is not ready: {reason}")
