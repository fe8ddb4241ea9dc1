"""The commands of ``crossfade``."""

from __future__ import annotations

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def crossfade() -> None:
    """Move traffic to a better model step by step, then promote it or go back."""


def run() -> None:
    """Run the command line."""
    app()
