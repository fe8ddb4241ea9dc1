"""``crossfade rights``: what the rollout's service account must be allowed to do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import yaml

from crossfade.cli.loading import bundle_of, read
from crossfade.rights import rights


def run(paths: Sequence[Path], settings: Sequence[str], policy: str | None) -> None:
    """Print the Roles and RoleBindings as YAML, ready for ``kubectl apply -f -``."""
    bundle = bundle_of(read(paths, settings, policy), despite=["E1"])
    print(yaml.safe_dump_all(rights(bundle), sort_keys=False), end="")
