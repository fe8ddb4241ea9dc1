"""The command line: parse arguments, call one function, print, exit."""

from __future__ import annotations


def main() -> None:
    """Run the ``crossfade`` command."""
    from crossfade.cli.app import main as run

    run()
