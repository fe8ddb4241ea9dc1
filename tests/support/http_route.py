"""An HTTPRoute with its two versions' backends."""

from __future__ import annotations

from typing import Any

BACKENDS = {f"v{i + 1}": f".spec.rules[0].backendRefs[{i}].weight" for i in range(2)}
"""Each version's field path."""


def backends(*found: dict[str, Any]) -> dict[str, Any]:
    """Return the route with these backends in its one rule."""
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": {"name": "r", "namespace": "default"},
            "spec": {"rules": [{"backendRefs": list(found)}]}}  # fmt: skip
