"""``crossfade compile``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from crossfade.cli.loading import bundle_of, read
from crossfade.cli.output import show_findings
from crossfade.errors import SpecError
from crossfade.spec.rollout import Bundle, Loop


def run(
    paths: Sequence[Path],
    settings: Sequence[str],
    policy: str | None,
    *,
    kind: str,
    schedule: str | None,
    loop: str | None,
    image: str | None,
) -> None:
    """Print the compiled workflow to stdout and the findings to stderr."""
    from crossfade.compiler import compile_text

    loaded = read(paths, settings, policy)
    bundle = bundle_of(loaded)
    show_findings(loaded.findings)
    bundle = changed(bundle, loop=loop, image=image)
    print(compile_text(bundle, kind=kind, schedule=schedule), end="")


def changed(bundle: Bundle, *, loop: str | None, image: str | None, force: bool = False) -> Bundle:
    """Return the bundle with what the command line says instead of the file."""
    if loop is not None and loop not in set(Loop):
        raise SpecError(f"--loop {loop}: expected {' or '.join(Loop)}")
    given = {"loop": loop and Loop(loop), "image": image, "retry_rejected": force}
    return bundle.model_copy(update={name: value for name, value in given.items() if value})
