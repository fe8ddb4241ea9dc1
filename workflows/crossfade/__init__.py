"""Progressive rollouts of models, compiled to Argo Workflows or run on one machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crossfade.version import VERSION

if TYPE_CHECKING:
    from crossfade.api import Rollout as Rollout

__all__ = ["Rollout"]
__version__ = VERSION


def __getattr__(name: str) -> Any:
    """Import the facade on first use: it pulls in the compiler, which is slow."""
    if name == "Rollout":
        from crossfade.api import Rollout

        return Rollout
    raise AttributeError(f"module 'crossfade' has no attribute {name!r}")
