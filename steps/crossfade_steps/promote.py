"""Promotion: the winner's model takes the baseline's place, and traffic never leaves a good copy.

Order: winner's own copy ready for all of it -> to 100 -> apply the promote documents except routes
-> ready -> verify by real answers -> shift to the promoted copy -> the route document -> verify
again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from crossfade import record
from crossfade.errors import BackendError, CrossfadeError, SpecError
from crossfade.spec.ownership import object_name
from crossfade.spec.requests import at_host, proving_request
from crossfade.spec.rollout import Manifest, Verify
from crossfade.workloads import runs_models
from crossfade_steps import verify
from crossfade_steps.deploy import parse_name, wait_until_ready
from crossfade_steps.ports import ObjectKey
from crossfade_steps.run import Run, Stopped
from crossfade_steps.safety import Phase, enter, hold, settle, who_serves
from crossfade_steps.versions import objects_of

TRIES, CLIENT_ERRORS = 3, 4
OWN_COPY = "the promote documents take no version's place"


@dataclass(frozen=True, slots=True)
class Plan:
    """The promote documents of one winner, sorted by what they are."""

    winner: str
    workloads: tuple[Manifest, ...]
    routes: tuple[Manifest, ...]
    promoted_version: str | None
    host: tuple[str, int] | None
    own_host: tuple[str, int] | None

    @property
    def keeps_own_copy(self) -> bool:
        """Return whether nothing says where traffic should go: it stays on the winner's copy."""
        return self.promoted_version is None and not self.routes


def promote(run: Run, plan: Plan) -> str:
    """Carry the promotion out and return the sentence that says what was done.

    Raises ``BackendError`` or ``SpecError`` when it cannot be completed; traffic is then on a
    healthy copy.  Raises ``Stopped`` when the run must end before anything was promoted, and when
    the routes are not its own any more: then nothing is put back.
    """
    if _phase(run) is Phase.VERIFIED:  # a repeated step: what stands is not done again
        return _told(plan)
    if _phase(run) is not Phase.PROMOTING:  # one under way is not broken off
        _await_capacity(run, plan.winner)
        run.raise_alarm()
        hold(run)
        enter(run, Phase.PROMOTING, run.only(plan.winner))
    hold(run)
    settle(run)
    if not plan.workloads and not plan.routes:
        return f"all traffic is on {plan.winner}'s own copy (no promote documents)"
    model, directly = _own_copy(run, plan.own_host)
    _replace(run, plan)
    if directly if directly is not None else _takes_connections(run, plan.host):
        _prove_copy(run, plan, model)
    _shift(run, plan, model)
    return _told(plan)


def _told(plan: Plan) -> str:
    if plan.keeps_own_copy:
        return f"{plan.winner}'s own copy serves all traffic: {OWN_COPY}"
    return f"{plan.winner} serves all traffic from its promoted copy"


def unpromoted(run: Run, winner: str, error: CrossfadeError) -> str:
    """Return the sentence of a promotion that failed, and who serves all traffic then."""
    serving = who_serves(run.record.entries())
    return f"{winner} won but could not be promoted: {error}; {serving}"


def _phase(run: Run) -> Phase | None:
    last = record.last_phase(run.record.entries())
    return None if last is None else Phase(last[0])


def _await_capacity(run: Run, winner: str) -> None:
    """Wait until the winner's own copy can take all traffic (capacity before weight)."""
    keys = [parse_name(name) for name in objects_of(run, winner)]
    _await(run, keys)


def _await(run: Run, keys: Sequence[ObjectKey]) -> None:
    wait_until_ready(
        keys,
        run.readiness,
        run.clock,
        timeout_seconds=run.ready_timeout_seconds,
        check=run.raise_alarm,
    )


def _replace(run: Run, plan: Plan) -> None:
    for manifest in plan.workloads:
        run.objects.apply(manifest)
    _await_applied(run, plan.workloads)


def _await_applied(run: Run, manifests: Sequence[Manifest]) -> None:
    """Wait for those of the applied documents that run models.  Raises ``BackendError``."""
    keys = [ObjectKey.of(manifest, run.bundle.namespace) for manifest in manifests]
    try:
        _await(run, [key for key in keys if runs_models(key.group, key.kind)])
    except Stopped as stop:  # the winner's own copy has all traffic already, and keeps it
        raise BackendError(str(stop)) from stop


def _own_copy(run: Run, host: tuple[str, int] | None) -> tuple[str, bool | None]:
    """Return the model that the winner's own host names, and whether copies can be asked directly.

    They cannot where it answers 4xx, as where the gateway rewrites paths; it is not known where it
    takes no connection from here, as behind strict mutual TLS.  The copy has all traffic already
    and its pods are ready: then it is the gateway that is asked.
    """
    request = proving_request(run.bundle)
    if request is None or host is None:
        return "", True
    asked = at_host(request, *host)
    for attempt in range(TRIES):
        try:
            status = run.responder.send(asked.url, asked.payload, asked.headers).status
            break
        except BackendError as error:
            if attempt == TRIES - 1:
                run.notes.append(f"{error}: not asked directly, proven through the gateway only")
                return "", None
            run.clock.sleep(1.0)
    if status // 100 == CLIENT_ERRORS:
        run.notes.append(f"{asked.url} answers {status}: proven through the gateway only")
        return "", False
    return verify.served_model(verify.good_answer(asked, run.responder)), True


def _takes_connections(run: Run, host: tuple[str, int] | None) -> bool:
    """Return whether a host answers anything to a request from here, be it an error."""
    request = proving_request(run.bundle)
    if request is None or host is None:
        return False
    asked = at_host(request, *host)
    try:
        run.responder.send(asked.url, asked.payload, asked.headers)
    except BackendError:
        return False
    return True


def _prove_copy(run: Run, plan: Plan, model: str) -> None:
    request = proving_request(run.bundle)
    if request is None:
        run.notes.append("promotion not verified by answers: no predicting load and no verify")
    elif plan.host is not None:
        verify.prove(at_host(request, *plan.host), run.responder, run.clock, model=model)


def _shift(run: Run, plan: Plan, model: str) -> None:
    """Move traffic to the promoted copy and its route; a failure puts the winner's copy back."""
    _remember(run, plan.routes)
    try:
        if plan.promoted_version is not None:
            run.router.write(run.router.read(), run.only(plan.promoted_version))
        for manifest in plan.routes:
            hold(run)
            run.objects.apply(manifest)
        _await_applied(run, plan.routes)  # a route that runs the models, too, is made anew
        prove_gateway(run, plan, model)
    except (BackendError, SpecError):  # not where the routes are another run's now
        settle(run)
        raise
    enter(run, Phase.VERIFIED, _settled_weights(run, plan))


def prove_gateway(run: Run, plan: Plan, model: str, *, timeout_seconds: float = 60.0) -> None:
    """Ask users' way in until the answers are the winner's.  Raises ``BackendError``."""
    request: Verify | None = proving_request(run.bundle)
    if request is not None:
        header = plan.winner if plan.routes else ""
        verify.prove(request, run.responder, run.clock, model=model, version=header,
                     timeout_seconds=timeout_seconds)  # fmt: skip


def _settled_weights(run: Run, plan: Plan) -> dict[str, int]:
    """Return the weights as the promote documents left them: an empty mapping means theirs."""
    if plan.routes:
        return {}
    return run.only(plan.promoted_version or plan.winner)


def _remember(run: Run, routes: Sequence[Manifest]) -> None:
    """Record the routing objects as they are: whoever ends the run can put them back, too."""
    known = {entry["name"] for entry in record.of_type(run.record.entries(), "replaced")}
    for manifest in routes:
        key, name = ObjectKey.of(manifest, run.bundle.namespace), _name(run, manifest)
        stored = run.objects.get(key)
        if stored is not None and name not in known:  # a retried step finds what it applied
            run.record.append(record.replaced(key.group, name, stored["spec"]))


def plan_promotion(
    run: Run, winner: str, hosts: dict[str, tuple[str, int]], objects: dict[str, tuple[str, ...]]
) -> Plan:
    """Sort the winner's promote documents and find which version's place they take.

    ``hosts`` is each version's destination (host, port); ``objects`` its ``Kind/namespace/name``.
    """
    documents = [d for d in run.bundle.promote.get(winner, ()) if d.get("kind") != "Namespace"]
    routed = {ref for v in run.versions if (ref := _routed(run, v)) is not None}
    routes = tuple(d for d in documents if _name(run, d) in routed)
    workloads = tuple(d for d in documents if _name(run, d) not in routed)
    touched = {_name(run, manifest) for manifest in workloads}
    place = next((v for v, names in objects.items() if touched & set(names)), None)
    host = hosts.get(place) if place is not None else None
    return Plan(winner, workloads, routes, place, host, hosts.get(winner))


def _name(run: Run, manifest: Manifest) -> str:
    return object_name(manifest, run.bundle.namespace)


def _routed(run: Run, version: object) -> str | None:
    ref = getattr(version, "weight_obj_ref", None)
    if ref is None:
        return None
    return f"{ref.kind}/{ref.namespace or run.bundle.experiment.namespace}/{ref.name}"
