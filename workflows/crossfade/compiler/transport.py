"""How a bundle travels into the containers: byte for byte, whatever is in it.

Argo evaluates ``{{...}}`` inside parameter values, and control characters break its templates, so
the canonical JSON goes as base64; above a limit it goes as a ConfigMap named by its content.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from crossfade.contract import BUNDLE_BY_NAME, BUNDLE_KEY, BUNDLE_PART, PART_LABEL, bundle_name
from crossfade.errors import SpecError
from crossfade.spec.rollout import Bundle, JobLoad, Manifest
from crossfade.spec.secrets import secret_within

MOST_INLINE = 24 * 1024
"""Bytes of base64 in a parameter: Argo repeats it in every pod (limit 128 KiB a template)."""


def encode(bundle: Bundle) -> str:
    """Return the bundle as base64 of its canonical JSON.

    Raises ``SpecError`` for a Secret among its manifests: whoever reads the workflow would read it.
    Lint says so first, with the place; this holds for bundles that nobody has linted.
    """
    for manifest in _manifests(bundle):
        secret = secret_within(manifest)
        if secret is not None:
            raise SpecError(f"{secret} would be written into the workflow",
                            hint="create it beforehand and refer to it by name")  # fmt: skip
    return base64.b64encode(bundle.to_json().encode("ascii")).decode("ascii")


def _manifests(bundle: Bundle) -> Iterator[Manifest]:
    yield from bundle.deploy
    for group in bundle.promote.values():
        yield from group
    for load in bundle.load:
        yield from load.jobs if isinstance(load, JobLoad) else ()


def parameter(bundle: Bundle) -> str:
    """Return the value of the parameter ``bundle``."""
    text = encode(bundle)
    return text if len(text) <= MOST_INLINE else f"{BUNDLE_BY_NAME}{config_map_name(bundle)}"


def config_map_name(bundle: Bundle) -> str:
    """Return the content-addressed name of the bundle's ConfigMap."""
    return bundle_name(bundle.digest)


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
            "labels": {"app.kubernetes.io/managed-by": "crossfade", PART_LABEL: BUNDLE_PART},
        },
        "immutable": True,
        "data": {BUNDLE_KEY: text},
    }
