"""A run on this machine: a world, a record, and the same steps that run in containers."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from crossfade import policies
from crossfade.errors import SpecError
from crossfade.spec.durations import seconds
from crossfade.spec.rollout import Approval, Bundle
from crossfade.verdict import Outcome
from crossfade_steps import metrics, routers
from crossfade_steps.clock import SystemClock
from crossfade_steps.embedded import files
from crossfade_steps.embedded.admission import refuse_unknown_kinds
from crossfade_steps.embedded.mirror import served
from crossfade_steps.embedded.tools import find_tools
from crossfade_steps.embedded.world import World
from crossfade_steps.loop import conduct
from crossfade_steps.ports import Clock, Record
from crossfade_steps.record_file import RecordFile
from crossfade_steps.run import Ended, Run, Stopped, ready_seconds
from crossfade_steps.versions import version_objects

Listener = Callable[[Mapping[str, Any]], None]


def until_it_fails(listener: Listener) -> Listener:
    """Return a listener that is called no more once it has failed.

    A screen that is closed, a pipe that nobody reads, a full disk under a log: whatever keeps a run
    from being shown is no reason to end it.  Rich raises ``SystemExit`` for a pipe.
    """
    gone = False

    def tell(entry: Mapping[str, Any]) -> None:
        nonlocal gone
        if gone:
            return
        try:
            listener(entry)
        except (Exception, SystemExit):
            gone = True

    return tell


class _Told:
    """A record that tells a listener of each entry once it is written."""

    def __init__(self, record: Record, listener: Listener) -> None:
        self._record, self._listener = record, listener
        self.entries = record.entries

    def append(self, entry: Mapping[str, Any]) -> None:
        self._record.append(entry)
        self._listener(entry)


def run_here(
    bundle: Bundle, folder: Path, listener: Listener, say: Listener, *, approved: bool = False
) -> Ended:
    """Carry a rollout out on this machine; ``folder`` gets its record and its logs.

    ``listener`` is called with each entry of the record, ``say`` with ``{"text": ...}`` while
    things start; one that fails is called no more.  ``approved`` says yes beforehand where the
    rollout has a person decide.  Raises ``CrossfadeError`` when nobody did, or when the world
    cannot be made or knows a kind or a model not.
    """
    require_answer(bundle, approved=approved)
    listener, say = until_it_fails(listener), until_it_fails(say)
    models = _prepare(bundle, folder)
    with _interrupts() as interrupted, World(folder / "logs", bundle.models) as world:
        say({"text": f"envoy at {world.gateway.url}, prometheus at {world.monitoring.url}"})
        for uri, place in models.items():
            say({"text": f"{uri} is served here from {place}"})
        run = _run(bundle, folder, world, listener)
        run = _with_load(run, world, interrupted)
        say({"text": "starting the models"})
        ended = conduct(run)
        for note in (*world.notes, *run.notes):
            say({"text": f"note: {note}"})
        return ended


def require_answer(bundle: Bundle, *, approved: bool) -> None:
    """Raise ``SpecError`` where a person is to decide: nothing waits for one on this machine."""
    if bundle.approval is Approval.BEFORE_PROMOTE and not approved:
        raise SpecError(
            f"spec.approval: {bundle.approval}: nobody is asked on one machine, a winner would be "
            "promoted without an answer",
            hint="--yes approves it beforehand (run(approved=True) in Python); or remove the key, "
            "or submit it to a cluster",
        )


def _prepare(bundle: Bundle, folder: Path) -> dict[str, Path]:
    """Refuse what cannot be carried out, write down what is to be, and return models' folders."""
    refuse_unknown_kinds(bundle)
    metrics.connect(bundle.metrics, {"prometheus": bundle.prometheus})  # settings are right
    policies.settings(bundle.policy)
    models = served(bundle, find_tools().models)
    files.make_folder(folder)
    if (folder / "record.jsonl").exists():
        raise SpecError(f"{folder} holds the record of a run already, expected a folder of its own")
    files.write(folder / "bundle.json", bundle.to_json())
    places = {uri: str(place) for uri, place in models.items()}
    files.write(folder / "models.json", json.dumps(places, indent=1) + "\n")
    return models


def _run(bundle: Bundle, folder: Path, world: World, listener: Listener) -> Run:
    for manifest in bundle.deploy:  # on one machine every namespace is there
        if manifest.get("kind") == "Namespace":
            world.objects.apply(manifest)
    settings = {**bundle.prometheus, "url": world.monitoring.url}
    return Run(
        name=folder.name,
        bundle=bundle,
        objects=world.objects,
        router=routers.connect(bundle.experiment, world.objects),
        sources=metrics.connect(bundle.metrics, {"prometheus": settings}),
        readiness=world,
        responder=world,
        clock=SystemClock(),
        record=_Told(RecordFile(folder / "record.jsonl"), listener),
        ready_timeout_seconds=ready_seconds(bundle),
    )


def _with_load(run: Run, world: World, interrupted: threading.Event) -> Run:
    """Return the run with its alarm and its load, which need the run and the world."""
    late = overdue(run.bundle, run.clock)

    def alarm() -> Stopped | None:
        if interrupted.is_set():
            return Stopped(Outcome.CANCELLED, "interrupted: the safe weights are restored")
        died = late() or world.failed()
        return Stopped(Outcome.FAILED, died) if died is not None else None

    def start_load() -> None:
        deployments = {
            version: name.partition("/")[2]
            for version, names in version_objects(run).items()
            for name in names
        }
        for load in run.bundle.load:
            world.start_load(load, deployments)

    return Run(
        **{name: getattr(run, name) for name in Run.__slots__ if name not in _LATE},
        alarm=alarm,
        start_load=start_load,
    )


def overdue(bundle: Bundle, clock: Clock) -> Callable[[], str | None]:
    """Return what says, from now on, that the rollout's deadline is over; None where it is not."""
    if bundle.deadline is None:
        return lambda: None
    until = clock.now() + seconds(bundle.deadline, where="spec.deadline")
    text = f"not done within its deadline of {bundle.deadline}: the safe weights are restored"
    return lambda: text if clock.now() > until else None


_LATE = ("alarm", "start_load")


@contextmanager
def _interrupts() -> Iterator[threading.Event]:
    """Turn Ctrl-C, TERM and HUP into a flag: the run ends itself, in order.

    What is ignored stays so: ``nohup`` starts a run with HUP ignored, and it shall go on.
    """
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event  # signals are the main thread's business
        return

    def note(number: int, frame: FrameType | None) -> None:
        event.set()

    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    heard = [n for n in signals if signal.getsignal(n) not in (signal.SIG_IGN, None)]
    before = {number: signal.signal(number, note) for number in heard}
    try:
        yield event
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
