"""The commands of ``crossfade``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

import crossfade
from crossfade.cli import steering
from crossfade.cli.options import (
    AsJson,
    CandidateErrorRate,
    ErrorRate,
    Image,
    Namespace,
    Reward,
    RewardLift,
    Rps,
)
from crossfade.cli.steering import RunName
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
LoopName = Annotated[str | None, typer.Option(help="nodes or pod, instead of the rollout's")]


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


@app.command()
def plan(
    paths: Paths,
    settings: Settings = None,
    policy: PolicyName = None,
    rps: Rps = None,
    reward: Reward = 0.3,
    as_json: AsJson = False,
) -> None:
    """Tell what the experiment as written can decide, and when, before it is started."""
    from crossfade.cli.plan import run

    code = run(paths, settings or [], policy, rps=rps, reward=reward, as_json=as_json)
    raise typer.Exit(code)


@app.command()
def simulate(
    paths: Paths,
    settings: Settings = None,
    policy: PolicyName = None,
    rps: Rps = None,
    error_rate: ErrorRate = 0.002,
    candidate_error_rate: CandidateErrorRate = 0.002,
    reward: Reward = 0.3,
    reward_lift: RewardLift = 0.1,
    runs: Annotated[int, typer.Option(min=1, max=100_000)] = 200,
    seed: Annotated[int, typer.Option(min=0)] = 1,
    page: Annotated[Path | None, typer.Option("--plot", help="also write an HTML page")] = None,
    as_json: AsJson = False,
) -> None:
    """Play the experiment many times with a candidate as supposed, and tell how it ends."""
    from crossfade.cli.simulate import run

    raise typer.Exit(run(paths, settings or [], policy, rps=rps, runs=runs, seed=seed,
                         errors=(error_rate, candidate_error_rate),
                         reward=(reward, reward_lift), as_json=as_json, page=page))  # fmt: skip


@app.command("compile")
def compile_(
    paths: Paths,
    settings: Settings = None,
    policy: PolicyName = None,
    kind: Annotated[str, typer.Option(help="workflow, template or cron")] = "workflow",
    schedule: Annotated[str | None, typer.Option(help="for cron: '0 2 * * *'")] = None,
    loop: LoopName = None,
    image: Image = None,
) -> None:
    """Print the Argo Workflow that carries the rollout out."""
    from crossfade.cli.compile import run

    run(paths, settings or [], policy, kind=kind, schedule=schedule, loop=loop, image=image)


@app.command()
def submit(
    paths: Paths,
    settings: Settings = None,
    policy: PolicyName = None,
    kind: Annotated[str, typer.Option(help="workflow, template or cron")] = "workflow",
    schedule: Annotated[str | None, typer.Option(help="for cron: '0 2 * * *'")] = None,
    loop: LoopName = None,
    image: Image = None,
    server: Annotated[
        str | None,
        typer.Option(envvar="ARGO_SERVER_URL", help="an Argo Server's URL; default: kubeconfig"),
    ] = None,
    watch: Annotated[bool, typer.Option("-w", "--watch", help="stay until the outcome")] = False,
    force: Annotated[
        bool, typer.Option(help="even if the candidate was rolled back lately")
    ] = False,
) -> None:
    """Start the rollout on a cluster."""
    from crossfade.cli.submit import run

    code = run(paths, settings or [], policy, kind=kind, schedule=schedule, loop=loop, image=image,
               server=server, watch=watch, force=force)  # fmt: skip
    raise typer.Exit(code)


@app.command()
def doctor(
    paths: Paths, settings: Settings = None, policy: PolicyName = None, image: Image = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Check that a cluster can carry the rollout out, before anything is changed."""
    from crossfade.cli.doctor import run

    raise typer.Exit(run(paths, settings or [], policy, image=image, as_json=as_json))


@app.command()
def rights(paths: Paths, settings: Settings = None, policy: PolicyName = None) -> None:
    """Print the Roles that the rollout's service account needs, one for each namespace."""
    from crossfade.cli.rights import run

    run(paths, settings or [], policy)


@app.command()
def run(
    paths: Paths,
    settings: Settings = None,
    policy: PolicyName = None,
    folder: Annotated[Path, typer.Option(help="where the record and the logs of runs go")] = Path(
        ".crossfade"
    ),
    yes: Annotated[
        bool, typer.Option("--yes", help="approve a winner beforehand (approval: before-promote)")
    ] = False,
) -> None:
    """Carry the rollout out on this machine: real Envoy, Prometheus and model servers."""
    from crossfade.cli.run import run as run_here

    raise typer.Exit(run_here(paths, settings or [], policy, folder=folder, approved=yes))


for steer in (steering.pause, steering.resume, steering.abort, steering.promote,
              steering.approve, steering.reject, steering.steering,
              steering.clean):  # fmt: skip
    app.command()(steer)
app.command("list")(steering.runs)

RecordOrRun = Annotated[
    str | None,
    typer.Argument(help="a record (.jsonl), a run's folder, or with -n a run on the cluster"),
]


@app.command()
def describe(
    record: RecordOrRun = None,
    namespace: Namespace = None,
    folder: Path = Path(".crossfade"),
    as_json: AsJson = False,
) -> None:
    """Show what a run did: weights, metrics, verdicts, winner, and why."""
    from crossfade.cli.records import show

    show(*_entries(record, namespace, folder), as_json=as_json)


@app.command()
def report(
    record: RecordOrRun = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="a file; default: standard output")
    ] = None,
    namespace: Namespace = None,
    folder: Path = Path(".crossfade"),
) -> None:
    """Write what a run did as one HTML page."""
    from crossfade.cli.records import write_page

    write_page(*_entries(record, namespace, folder), output)


@app.command("assert")
def assert_(
    run: RunName,
    outcome: Annotated[list[str], typer.Option(help="promoted, kept, ...; repeat or comma")],
    timeout: Annotated[str, typer.Option(help="how long to wait: 90s, 15m")] = "1h",
    namespace: Namespace = None,
) -> None:
    """Wait for a run's outcome; exit 0 if it is one of those named, 1 if not, 4 if time is up."""
    from crossfade.cli.cluster import await_outcome

    raise typer.Exit(await_outcome(run, namespace, outcome, timeout))


@app.command()
def replay(
    record: RecordOrRun = None,
    policy: PolicyName = None,
    namespace: Namespace = None,
    folder: Path = Path(".crossfade"),
) -> None:
    """Decide a recorded run again and compare every decision, byte for byte."""
    from crossfade.cli.records import replay as again

    raise typer.Exit(again(*_entries(record, namespace, folder), policy))


def _entries(
    record: str | None, namespace: str | None, folder: Path
) -> tuple[list[Mapping[str, Any]], str]:
    """Return the entries of a record that is a file, or of a run on the cluster, and its name.

    Raises ``SpecError`` for a damaged one.
    """
    from crossfade.cli.records import entries_of
    from crossfade.intact import check

    if record is not None and (namespace is not None or _names_a_run(record)):
        from crossfade.cli.cluster import entries_of_run

        found, name = entries_of_run(record, namespace), record
    else:
        found, name = entries_of(None if record is None else Path(record), folder)
    check(found, name)
    return found, name


@app.command()
def schema() -> None:
    """Print the JSON Schema of a Rollout, for editors and other tools."""
    import json

    from crossfade.spec.rollout import Rollout

    print(json.dumps(Rollout.model_json_schema(by_alias=True), indent=1))


def _names_a_run(record: str) -> bool:
    """Return whether a word is a Workflow's name, which is no path and has no dot."""
    return not Path(record).exists() and "/" not in record and "." not in record


def main() -> None:
    """Run the command line; an error of ours is one message and an exit code, not a traceback."""
    from crossfade.cli.output import show_error

    try:
        app()
    except CrossfadeError as error:
        show_error(error)
        sys.exit(error.exit_code)
