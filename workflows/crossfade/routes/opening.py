"""A routing object as it is made: all traffic to the baseline, whatever its file says.

A candidate that nobody has seen ready gets none, and a run that ends right then leaves none on it.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from crossfade.errors import SpecError
from crossfade.routes import kind_of, resolve
from crossfade.routes.member import Manifest, Path, describe, parse_field_path

References = Mapping[str, str | None]


def to_baseline(manifest: Manifest, references: References, *, alone: bool) -> Manifest:
    """Return a routing object in which the baseline, the first version, has all managed traffic.

    ``alone`` says whether all versions are in here; of several objects each has the percent of its
    own.  A document that says so already, or has no place for a version, comes back as it is.
    """
    try:
        values = _of_all(manifest, references) if alone else _of_some(manifest, references)
    except SpecError:  # whoever reads the weights says what is wrong with it
        return manifest
    made: Any = copy.deepcopy(dict(manifest)) if values else manifest
    for path, value in values.items():
        holder = made
        for part in path[:-1]:
            holder = holder[part]
        holder[path[-1]] = value
    return dict(made)


def _of_all(manifest: Manifest, references: References) -> dict[Path, int]:
    """Return the weights to be written; none where the baseline has all of them as it is."""
    rule, baseline = resolve(manifest, references), next(iter(references))
    known = {version: m.weight for version, m in rule.slots.items() if m is not None}
    has = known.get(baseline, rule.managed_total - sum(known.values()))
    if has == rule.managed_total > 0:
        return {}
    total = rule.managed_total if any(member.weight for member in rule.foreign) else 100
    return {member.path: total if version == baseline else 0
            for version, member in rule.slots.items() if member is not None}  # fmt: skip


def _of_some(manifest: Manifest, references: References) -> dict[Path, int]:
    where, baseline = describe(manifest), next(iter(references))
    module = kind_of(manifest.get("apiVersion"), manifest.get("kind"), where=where)
    found = {}
    for version, text in references.items():
        if text is not None:
            path = parse_field_path(text)
            members = [member.path for member in module.members(manifest, path)]
            found.update({path: 100 if version == baseline else 0} if path in members else {})
    return found
