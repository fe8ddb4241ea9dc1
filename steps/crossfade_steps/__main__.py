"""``python -m crossfade_steps STEP --INPUT VALUE ...``: what a workflow's containers call.

The flags come from the same contract that the compiler writes into the workflow.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from crossfade.contract import STEPS
from crossfade.errors import CrossfadeError, SpecError


def parser() -> argparse.ArgumentParser:
    """Return the parser: one subcommand a step, one required flag an input."""
    whole = argparse.ArgumentParser(prog="crossfade_steps", description=__doc__)
    commands = whole.add_subparsers(dest="step", required=True)
    for step in STEPS:
        command = commands.add_parser(step.name)
        for name in step.inputs:
            command.add_argument(f"--{name}", required=True)
    return whole


def run(step: str) -> None:
    """Carry a step out.  Raises ``SpecError``: the adapters for a cluster are not part of this."""
    raise SpecError(
        f"step {step}: this version of crossfade-steps carries rollouts out on one machine only",
        hint="crossfade run rollout.yaml",
    )


def main(words: Sequence[str] | None = None) -> int:
    """Parse, run, and return the exit code that Argo's retries read."""
    arguments = parser().parse_args(words)
    try:
        run(arguments.step)
    except CrossfadeError as error:
        print(f"error: {error}\n\nhint: {error.hint}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
