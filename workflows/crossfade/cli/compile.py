"""``crossfade compile``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from crossfade.cli.loading import bundle_of, read
from crossfade.cli.output import show_findings
from crossfade.errors import SpecError
from crossfade.spec.rollout import Loop


def run(
    paths: Sequence[Path],
    settings: Sequence[str],
    policy: str | None,
    *,
    kind: str,
    schedule: str | None,
    loop: str | None,
) -> None:
    """Print the compiled workflow to stdout and the findings to stderr."""
    from crossfade.compiler import compile_text

    loaded = read(paths, settings, policy)
    bundle = bundle_of(loaded)
    show_findings(loaded.findings)
    if loop is not None:
        if loop not in set(Loop):
            raise SpecError(f"--loop {loop}: expected {' or '.join(Loop)}")
        bundle = bundle.model_copy(update={"loop": Loop(loop)})
    print(compile_text(bundle, kind=kind, schedule=schedule), end="")
