"""``crossfade submit``: hand the rollout to Argo, and follow it if asked."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from crossfade.cli.cluster import follow
from crossfade.cli.compile import changed
from crossfade.cli.loading import bundle_of, read
from crossfade.cli.output import err, out, show_accepted, show_findings
from crossfade.errors import SpecError
from crossfade.lint import accepted


def run(
    paths: Sequence[Path], settings: Sequence[str], policy: str | None, *,
    kind: str, schedule: str | None, loop: str | None, image: str | None,
    server: str | None, watch: bool, force: bool = False,
) -> int:  # fmt: skip
    """Create what was compiled and print its name; with ``watch``, stay until its outcome."""
    from crossfade.cli.plan import foretell
    from crossfade.compiler import documents
    from crossfade_steps.cluster.kube import reached

    loaded = read(paths, settings, policy)
    bundle = changed(bundle_of(loaded), loop=loop, image=image, force=force)
    show_findings(loaded.findings)
    show_accepted(accepted(bundle))
    foretell(bundle)
    if watch and kind != "workflow":
        raise SpecError(f"--watch follows a run, and a {kind} is none", hint="leave out -w")
    *before, document = documents(bundle, kind=kind, schedule=schedule)
    for manifest in before:
        reached().apply(manifest)
    if server is not None:
        from crossfade.compiler.server import create

        name = create(document, host=server, token=os.environ.get("ARGO_TOKEN"))
    else:
        kube = reached()
        made = kube.create(document) if kind == "workflow" else kube.apply(document)
        name = made["metadata"]["name"]
    out.print(f"{document['kind']} {bundle.namespace}/{name} created", soft_wrap=True)
    if watch:
        return follow(reached(), bundle.namespace, name)
    if kind == "workflow":
        err.print(f"crossfade describe -n {bundle.namespace} {name}")
    return 0
