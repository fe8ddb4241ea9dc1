"""The commands that steer runs on a cluster: pause, resume, abort, promote, approve, clean ..."""

from __future__ import annotations

from typing import Annotated

import typer

from crossfade.cli.options import AsJson, Namespace, StepsImage
from crossfade.errors import SpecError

RunName = Annotated[str, typer.Argument(metavar="RUN", help="a run: the name of its Workflow")]


def runs(namespace: Namespace = None, as_json: AsJson = False) -> None:
    """List the runs of a namespace."""
    from crossfade.cli.listing import runs as show

    show(namespace, as_json=as_json)


def pause(run: RunName, namespace: Namespace = None) -> None:
    """Hold a run's weights where they are until it is resumed."""
    from crossfade.cli.cluster import ask

    ask(run, namespace, "pause")


def resume(run: RunName, namespace: Namespace = None) -> None:
    """Let a paused run go on."""
    from crossfade.cli.cluster import ask

    ask(run, namespace, "resume")


def abort(run: RunName, namespace: Namespace = None) -> None:
    """End a run now: all traffic to the baseline, or to the winner once it is being promoted."""
    from crossfade.cli.cluster import ask

    ask(run, namespace, "abort")


def promote(
    run: RunName,
    version: Annotated[
        str | None, typer.Option(help="which candidate, where there are more")
    ] = None,
    namespace: Namespace = None,
) -> None:
    """Promote a candidate at the next iteration, unless that iteration finds it at fault."""
    from crossfade.cli.cluster import ask

    ask(run, namespace, "promote", version or "")


def approve(run: RunName, namespace: Namespace = None) -> None:
    """Answer a run that waits for its approval with yes: its winner is promoted."""
    from crossfade.cli.approval import answer

    answer(run, namespace, promote=True)


def reject(run: RunName, namespace: Namespace = None) -> None:
    """Answer a run that waits for its approval with no: the baseline stays."""
    from crossfade.cli.approval import answer

    answer(run, namespace, promote=False)


def steering(
    image: StepsImage,
    namespace: Namespace = None,
) -> None:
    """Print a WorkflowTemplate that steers runs from the Argo UI; kubectl apply -f it."""
    from crossfade.compiler import steering_text

    print(steering_text(image, namespace), end="")


def clean(
    run: Annotated[str | None, typer.Argument(metavar="RUN", help="a run's name")] = None,
    namespace: Namespace = None,
    force: Annotated[bool, typer.Option(help="even without an outcome")] = False,
    older_than: Annotated[
        str | None, typer.Option(help="every ended run that began this long ago: 30d")
    ] = None,
) -> None:
    """Remove an ended run's state and record, or those of every ended run that began long ago."""
    from crossfade.cli import cluster

    if (run is None) == (older_than is None):
        raise SpecError("expected a RUN or --older-than, and not both")
    if run is not None:
        cluster.clean(run, namespace, force=force)
    else:
        cluster.clean_older(namespace, str(older_than))
