"""How a bundle travels into the containers: byte for byte, whatever is in it.

Argo evaluates ``{{...}}`` inside parameter values, and control characters break its templates, so
the canonical JSON goes as base64; above a limit it goes as a ConfigMap named by its content.
"""

from __future__ import annotations

import base64
from typing import Any

from crossfade.contract import BUNDLE_BY_NAME, BUNDLE_KEY
from crossfade.spec.rollout import Bundle

MOST_INLINE = 24 * 1024
"""Bytes of base64 in a parameter: Argo repeats it in every pod (limit 128 KiB a template)."""


def encode(bundle: Bundle) -> str:
    """Return the bundle as base64 of its canonical JSON."""
    return base64.b64encode(bundle.to_json().encode("ascii")).decode("ascii")


def parameter(bundle: Bundle) -> str:
    """Return the value of the parameter ``bundle``."""
    text = encode(bundle)
    return text if len(text) <= MOST_INLINE else f"{BUNDLE_BY_NAME}{config_map_name(bundle)}"


def config_map_name(bundle: Bundle) -> str:
    """Return the content-addressed name of the bundle's ConfigMap."""
    return f"crossfade-bundle-{bundle.digest[:32]}"


def config_map(bundle: Bundle) -> dict[str, Any] | None:
    """Return the ConfigMap that must be applied first, None when the bundle travels inline."""
    text = encode(bundle)
    if len(text) <= MOST_INLINE:
        return None
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": config_map_name(bundle),
            "namespace": bundle.namespace,
            "labels": {"app.kubernetes.io/managed-by": "crossfade"},
        },
        "immutable": True,
        "data": {BUNDLE_KEY: text},
    }
