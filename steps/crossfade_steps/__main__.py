"""``python -m crossfade_steps STEP --INPUT VALUE ...``: what a workflow's containers call.

The flags come from the same contract that the compiler writes into the workflow.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from crossfade import record
from crossfade.contract import (
    DOCTOR,
    ENDING,
    GUARD,
    ITERATE,
    OUTPUT_FOLDER,
    REPORT_FILE,
    STEER,
    STEPS,
)
from crossfade.errors import NO_RETRY, CrossfadeError
from crossfade.verdict import Outcome
from crossfade_steps.run import Stopped

if TYPE_CHECKING:  # it brings the Kubernetes client, which --help and a wrong flag do not need
    from crossfade_steps.cluster.stage import Stage

MOST_SUMMARY = 400
TERMINATED = 143
ADDED_LATER = ("frame", "uid")
"""Inputs that a workflow of an earlier version does not give; it must still come to its end."""
TERMINATION_LOG = "/dev/termination-log"
"""Where a container leaves its last words (Kubernetes, terminationMessagePath)."""


def parser() -> argparse.ArgumentParser:
    """Return the parser: one subcommand a step, one required flag an input."""
    whole = argparse.ArgumentParser(prog="crossfade_steps", description=__doc__)
    commands = whole.add_subparsers(dest="step", required=True)
    for step in (*STEPS, GUARD, DOCTOR, STEER):
        command = commands.add_parser(step.name)
        for name in step.inputs:
            late = name in ADDED_LATER
            command.add_argument(f"--{name}", required=not late, default="" if late else None)
    return whole


def run(arguments: argparse.Namespace, stage: Stage | None = None) -> Mapping[str, str]:
    """Carry a step out, on this pod's cluster if not said, and return its outputs.

    Raises ``CrossfadeError``.
    """
    from crossfade_steps.cluster import progress, steps
    from crossfade_steps.cluster.stage import open_stage

    step = arguments.step
    if step == STEER.name:
        return _steer(arguments)
    stage = stage or open_stage(arguments.run, arguments.bundle, step)
    if step == ITERATE.name:
        stage = progress.told_to_argo(stage)
    own = {"start": float, "k": int, "frame": str, "uid": str}
    given = {n: kind(getattr(arguments, n)) for n, kind in own.items() if n in arguments}
    try:
        if "digest" in arguments and step not in ENDING:
            steps.require_digest(stage, arguments.digest)
        return steps.STEPS[step](stage, **given)
    except Stopped as stop:
        return steps.stopped(stage, step, stop)
    except CrossfadeError as error:
        with suppress(CrossfadeError):  # what cannot be recorded is at least on the screen
            if "uid" not in given or stage.store.owned(given["uid"]):  # not another run's record
                stage.run.record.append(record.trouble(step, f"{step}: {error}"))
        raise


def _steer(arguments: argparse.Namespace) -> Mapping[str, str]:
    from crossfade_steps.cluster.gate import steer
    from crossfade_steps.cluster.kube import connect, own_namespace
    from crossfade_steps.cluster.store import RunStore

    kube = connect()
    store, who = RunStore(kube, own_namespace(), arguments.run), f"workflow {arguments.by}"
    told, undone = steer(kube, store, arguments.ask, who, arguments.version)
    return {"summary": f"{told}; {undone}" if undone else told}


def write(outputs: Mapping[str, str], folder: Path) -> None:
    """Write a file an output: plain ASCII, since Argo's templates break on control characters."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in outputs.items():
        if name == REPORT_FILE:  # a file to be kept, not a value that Argo reads
            (folder / name).write_text(value, encoding="utf-8")
            continue
        (folder / name).write_text(_plain(value))


def _plain(value: str) -> str:
    text = value.encode("ascii", "replace").decode()
    text = "".join(c if c.isprintable() else " " for c in text)
    return re.sub(r"\{(?=\{)", "{ ", text)[:MOST_SUMMARY]  # each brace, also the third of three


def _tell(reason: str) -> None:
    """Leave the reason of a failure where the kubelet takes it from: Argo shows it at the node."""
    path = Path(os.environ.get("CROSSFADE_TERMINATION_LOG", TERMINATION_LOG))
    if path.exists():  # the kubelet makes it; on any other machine there is none
        with suppress(OSError):
            path.write_text(_plain(reason))


def main(words: Sequence[str] | None = None, stage: Stage | None = None) -> int:
    """Parse, run, and return the exit code that Argo's retries read."""
    arguments = parser().parse_args(words)
    signal.signal(signal.SIGTERM, _terminate)
    try:
        outputs = run(arguments, stage)
    except CrossfadeError as error:
        print(error.in_full(), file=sys.stderr)
        _tell(str(error))
        return error.exit_code
    summary = outputs.get("summary", "")
    print(summary, flush=True)
    if outputs:
        write(outputs, Path(os.environ.get("CROSSFADE_OUTPUTS", OUTPUT_FOLDER)))
    outcome = outputs.get("outcome")
    if outcome is None or Outcome(outcome).is_decision:
        return 0
    _tell(f"{outcome}: {summary}")
    return NO_RETRY  # Argo shows the run as failed, and does not end it a second time


def _terminate(number: int, frame: FrameType | None) -> None:
    """End at once: whoever ends a run restores its weights, not a container that is told to go."""
    raise SystemExit(TERMINATED)


if __name__ == "__main__":
    sys.exit(main())
