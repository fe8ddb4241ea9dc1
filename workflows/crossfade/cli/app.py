"""The commands of ``crossfade``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

import crossfade
from crossfade.errors import CrossfadeError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Paths = Annotated[
    list[Path],
    typer.Argument(help="a rollout file, or a folder with an experiment and its files"),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="NAME=VALUE: replace NAME in load files (URL_VALUE=http://gateway)"),
]
PolicyName = Annotated[
    str | None, typer.Option("--policy", help="decide by this policy instead of the rollout's own")
]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON for programs")]


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="print the version")] = False,
) -> None:
    """Move traffic to a better model step by step, then promote it or go back."""
    if version:
        print(crossfade.__version__)
        raise typer.Exit


@app.command()
def lint(
    paths: Paths, settings: Settings = None, policy: PolicyName = None, as_json: AsJson = False
) -> None:
    """Report what is wrong or unwise in an experiment, its metrics and its rollout."""
    from crossfade.cli.lint import run

    raise typer.Exit(run(paths, settings or [], policy, as_json=as_json))


@app.command("compile")
def compile_(
    paths: Paths,
    settings: Settings = None,
    policy: PolicyName = None,
    kind: Annotated[str, typer.Option(help="workflow, template or cron")] = "workflow",
    schedule: Annotated[str | None, typer.Option(help="for cron: '0 2 * * *'")] = None,
    loop: Annotated[str | None, typer.Option(help="nodes or pod, instead of the rollout's")] = None,
) -> None:
    """Print the Argo Workflow that carries the rollout out."""
    from crossfade.cli.compile import run

    run(paths, settings or [], policy, kind=kind, schedule=schedule, loop=loop)


@app.command()
def run(
    paths: Paths,
    settings: Settings = None,
    policy: PolicyName = None,
    folder: Annotated[Path, typer.Option(help="where the record and the logs of runs go")] = Path(
        ".crossfade"
    ),
) -> None:
    """Carry the rollout out on this machine: real Envoy, Prometheus and model servers."""
    from crossfade.cli.run import run as run_here

    raise typer.Exit(run_here(paths, settings or [], policy, folder=folder))


Record = Annotated[
    Path | None, typer.Argument(help="a record (.jsonl) or a run's folder; default: the last run")
]


@app.command()
def describe(record: Record = None, folder: Path = Path(".crossfade")) -> None:
    """Show what a run did: weights, metrics, verdicts, winner, and why."""
    from crossfade.cli.records import describe as show

    show(record, folder)


@app.command()
def replay(record: Record = None, folder: Path = Path(".crossfade")) -> None:
    """Decide a recorded run again and compare every decision, byte for byte."""
    from crossfade.cli.records import replay as again

    raise typer.Exit(again(record, folder))


def main() -> None:
    """Run the command line; an error of ours is one message and an exit code, not a traceback."""
    from crossfade.cli.output import show_error

    try:
        app()
    except CrossfadeError as error:
        show_error(error)
        sys.exit(error.exit_code)
