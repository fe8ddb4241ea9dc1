"""What Argo cannot do, found before anything is submitted."""

from __future__ import annotations

from crossfade.compiler.transport import encode
from crossfade.errors import SpecError
from crossfade.lint.looping import too_many
from crossfade.spec.rollout import Bundle

MOST_CONFIG_MAP = 1024 * 1024
"""Bytes of all values of a ConfigMap (Kubernetes, core/v1 validation, MaxSecretSize)."""


def refuse_impossible(bundle: Bundle) -> None:
    """Raise ``SpecError`` for a rollout that no workflow can carry out."""
    refused = too_many(bundle)
    if refused is not None:
        raise refused
    size = len(encode(bundle))
    if size > MOST_CONFIG_MAP:
        raise SpecError(
            f"the rollout with its documents takes {size} bytes as base64, expected at most "
            f"{MOST_CONFIG_MAP}, which is what Kubernetes takes in a ConfigMap",
            hint="leave large data out of its documents: in an image, in a volume, or in a "
            "ConfigMap that is created beforehand",
        )
