"""Every case of the bundles, compiled, and what its workflow consists of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml
from bundles import CASES

from crossfade.compiler import compile_text

TEXTS = {name: compile_text(whole, **options) for name, (whole, options) in CASES.items()}


def document(name: str) -> dict[str, Any]:
    return dict(list(yaml.safe_load_all(TEXTS[name]))[-1])


def spec_of(name: str) -> dict[str, Any]:
    spec = document(name)["spec"]
    return dict(spec.get("workflowSpec", spec))


def templates(name: str) -> Iterator[dict[str, Any]]:
    yield from spec_of(name)["templates"]


def containers(name: str) -> Iterator[dict[str, Any]]:
    for template in templates(name):
        if "container" in template:
            yield template["container"]
        yield from template.get("containerSet", {}).get("containers", [])


def steps(name: str) -> Iterator[tuple[dict[str, Any], list[list[dict[str, Any]]]]]:
    yield from ((t, t["steps"]) for t in templates(name) if "steps" in t)
