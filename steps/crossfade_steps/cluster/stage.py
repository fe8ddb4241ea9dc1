"""One container's view of a run: the bundle it was given, and the ports of this cluster."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from crossfade import record
from crossfade.contract import (
    ACCOUNT,
    BUNDLE_BY_NAME,
    BUNDLE_KEY,
    ENDING,
    GUARD,
    IMAGE_VARIABLE,
    ITERATE,
)
from crossfade.errors import BackendError, SpecError
from crossfade.spec.experiment import Experiment
from crossfade.spec.names import label_value
from crossfade.spec.requests import proving_request
from crossfade.spec.rollout import Bundle
from crossfade.spec.secrets import filled
from crossfade.verdict import Outcome
from crossfade_steps import metrics, routers
from crossfade_steps.clock import SystemClock
from crossfade_steps.cluster import workflow
from crossfade_steps.cluster.events import Announced
from crossfade_steps.cluster.kube import Kube, connect, own_namespace
from crossfade_steps.cluster.lease import Lease, Leases
from crossfade_steps.cluster.leased import LeasedObjects, LeasedRouter
from crossfade_steps.cluster.readiness import KubeReadiness
from crossfade_steps.cluster.scrapes import measured, scraped
from crossfade_steps.cluster.store import UID, RunStore
from crossfade_steps.ports import Clock, ObjectKey, Record, Router
from crossfade_steps.responder import HttpResponder, responder_for
from crossfade_steps.run import Run, Stopped, ready_seconds

CONTROL_SECONDS = 1.0
POLL_SECONDS = 3.0
"""How long a request is repeated that is made again anyway, or that a Lease waits for."""
ABORT, PAUSE, PROMOTE = "abort", "pause", "promote"


@dataclass(frozen=True, slots=True)
class Stage:
    """A run, and what only a cluster has: the API, the store, the Lease, the step's own image."""

    run: Run
    kube: Kube
    store: RunStore
    lease: Leases
    image: str
    bundle_text: str
    log: RunStore | Announced

    @property
    def namespace(self) -> str:
        """Return the run's namespace."""
        return self.store.namespace

    @property
    def account(self) -> str:
        """Return the service account that the run acts as."""
        return self.run.bundle.service_account or ACCOUNT

    def entries(self) -> list[Mapping[str, Any]]:
        """Return the record so far."""
        return list(self.store.entries())


def open_stage(name: str, bundle_text: str, step: str = "") -> Stage:
    """Return the stage of a run in one of its steps, on this pod's cluster and in its namespace.

    Raises ``CrossfadeError``.
    """
    kube, namespace = connect(), own_namespace()
    if step == GUARD.name:
        kube = kube.within(POLL_SECONDS)
    return stage_on(kube, RunStore(kube, namespace, name), bundle_text, step)


def stage_on(kube: Kube, store: RunStore, bundle_text: str, step: str = "") -> Stage:
    """Return the stage of the run that ``store`` keeps; ``kube`` is given the rollout's namespace.

    A loop in one container also obeys the Workflow's suspend and shutdown: Argo's controller acts
    between containers only.  Raises ``CrossfadeError``.
    """
    bundle = begun(bundle_text, kube, store, ending=step in ENDING)
    kube.namespace = bundle.namespace
    clock, quick = SystemClock(), kube.within(POLL_SECONDS)  # a copy, hence after the namespace
    routed, holder = (
        routers.connect(bundle.experiment, kube).keys(),
        f"{store.namespace}/{store.run}",
    )
    lease = Leases([Lease(quick, key, holder, clock) for key in routed])
    router = routers.connect(bundle.experiment, LeasedObjects(kube, lease))
    followed = quick if step == ITERATE.name else None
    control = Control(RunStore(quick, store.namespace, store.run), clock, followed)
    log = Announced(store, kube, clock)
    run = _run(store, kube, bundle, lease, router=router, control=control, log=log, clock=clock)
    deployed = record.last(store.entries(), "deployed")
    if deployed is not None:
        router.pin(deployed.get("identities", {}))
    return Stage(run, kube, store, lease, os.environ.get(IMAGE_VARIABLE, ""), bundle_text, log)


def _run(
    store: RunStore, kube: Kube, bundle: Bundle, lease: Leases, *,
    router: Router, control: Control, log: Announced, clock: Clock,
) -> Run:  # fmt: skip
    """Return the run of a container: its ports, most of them of this cluster."""
    secrets, scrape = secrets_of(kube, store.namespace), measured(store)
    return Run(
        name=store.run,
        bundle=bundle,
        objects=kube,
        router=LeasedRouter(router, lease),
        sources=metrics.connect(bundle.metrics, {"prometheus": scraped(bundle, scrape)}, secrets),
        readiness=KubeReadiness(kube),
        responder=responder_for(proving_request(bundle), HttpResponder(), secrets),
        clock=clock,
        record=log,
        alarm=control.alarm,
        paused=control.paused,
        order=control.order,
        hold=lease.hold,
        ready_timeout_seconds=ready_seconds(bundle),
        measured=scrape,
    )


def with_record(stage: Stage, log: Record) -> Stage:
    """Return the stage with another record in front of its store."""
    return replace(stage, run=replace(stage.run, record=log))


def begun(text: str, kube: Kube, store: RunStore, *, ending: bool) -> Bundle:
    """Return the rollout of a parameter.  Raises ``SpecError`` for what is none.

    With ``ending`` it is the one that began, as much of it as is recorded, where the parameter
    does not lead to it any more: weights are restored in the objects that the run has changed.
    """
    header = record.last(store.entries(), "run") if ending else None
    try:
        bundle = read_bundle(text, kube, store.namespace)
    except SpecError:
        if header is None:
            raise
        bundle = None
    if header is None or (bundle is not None and bundle.digest == header["digest"]):
        assert bundle is not None, "it was read, or there was something to fall back to"
        return bundle
    print("parameter bundle: not the rollout that began: what its record says counts", flush=True)
    experiment = Experiment.model_validate(header["experiment"])
    return Bundle(name=store.run, namespace=store.namespace, experiment=experiment)


def read_bundle(text: str, kube: Kube, namespace: str) -> Bundle:
    """Return the bundle that a parameter carries: base64, or the name of a ConfigMap."""
    if text.startswith(BUNDLE_BY_NAME):
        name = text.removeprefix(BUNDLE_BY_NAME)
        stored = kube.get(ObjectKey("", "ConfigMap", namespace, name))
        if stored is None:
            raise SpecError(
                f"ConfigMap {namespace}/{name} does not exist, expected the rollout in it",
                hint="crossfade submit creates it; a compiled file comes with it",
            )
        text = str(stored["data"][BUNDLE_KEY])
    try:
        return Bundle.from_json(base64.b64decode(text, validate=True))
    except ValueError as error:
        raise SpecError(
            f"parameter bundle: not a rollout that this version reads: {error}"
        ) from error


def secrets_of(kube: Kube, namespace: str) -> Callable[[str], Mapping[str, str]]:
    """Return how a metric's secret is read, by ``name`` or ``namespace/name``."""

    def read(name: str) -> Mapping[str, str]:
        place, _, own = name.rpartition("/")
        stored = kube.get(ObjectKey("", "Secret", place or namespace, own))
        if stored is None:
            raise SpecError(f"secret {place or namespace}/{own} does not exist")
        found = {}
        for key, value in (stored.get("data") or {}).items():
            with suppress(UnicodeDecodeError):  # a key store beside a token is no text
                found[key] = base64.b64decode(value).decode()
        return found

    return read


def require_keys(stage: Stage) -> None:
    """Raise ``SpecError`` unless the Secret of the proving request has what its headers name.

    Before anything has changed: at the promotion it would be too late.
    """
    request = proving_request(stage.run.bundle)
    if request is not None and request.secret is not None:
        keys = secrets_of(stage.kube, stage.namespace)(request.secret)
        filled(request.headers, keys, secret=request.secret, where="the request of spec.verify")


def aborted(head: Mapping[str, str]) -> Stopped:
    """Return how a run ends that somebody aborted."""
    who = head.get("control-by") or "somebody"
    return Stopped(Outcome.CANCELLED, f"aborted by {who}")


class Control:
    """What people ask of a run while it goes on, read at most once a second."""

    def __init__(self, store: RunStore, clock: Clock, kube: Kube | None) -> None:
        self._store, self._clock, self._kube = store, clock, kube
        self._read_at = 0.0
        self._head: dict[str, str] = {}
        self._workflow = workflow.State(there=True)

    def alarm(self) -> Stopped | None:
        """Return why the run must end now, or None."""
        self._refresh()
        if self._head.get("outcome"):
            return Stopped(Outcome(self._head["outcome"]), self._head.get("sentence", ""))
        if self._head.get("control") == ABORT:
            return aborted(self._head)
        if self._workflow.shutdown or not self._workflow.there:
            how = self._workflow.shutdown or "deletion"
            return Stopped(Outcome.CANCELLED, f"the workflow was ended ({how})")
        return None

    def paused(self) -> bool:
        """Return whether weights are to be held."""
        self._refresh()
        return self._head.get("control") == PAUSE or self._workflow.suspended

    def order(self) -> tuple[str, str] | None:
        """Return who asked for the promotion of which version, or None."""
        self._refresh()
        asked, _, version = self._head.get("control", "").partition(" ")
        return (self._head.get("control-by") or "somebody", version) if asked == PROMOTE else None

    def _refresh(self) -> None:
        now = self._clock.now()
        if now - self._read_at < CONTROL_SECONDS:
            return
        self._read_at = now
        try:
            self._head = self._store.find() or {}
            if self._kube is not None:
                store, uid = self._store, self._head.get(UID, "")
                self._workflow = workflow.look(self._kube, store.namespace, store.run, uid)
        except BackendError:
            return  # what was asked last still holds; the API's absence ends no run


def labels_of(bundle: Bundle) -> dict[str, str]:
    """Return the labels that a run is listed by."""
    return {
        "crossfade.dev/experiment": label_value(bundle.experiment.name),
        "crossfade.dev/target": label_value(bundle.experiment.spec.target),
        "crossfade.dev/policy": label_value(bundle.policy.name),
    }


def facts_of(stage: Stage) -> dict[str, str]:
    """Return what ``<run>`` holds from its beginning."""
    bundle = stage.run.bundle
    return {
        "digest": bundle.digest,
        "experiment": bundle.experiment.name,
        "versions": json.dumps([version.name for version in bundle.experiment.versions]),
        "iterations": str(bundle.experiment.iterations),
        "phase": "checking",
    }
