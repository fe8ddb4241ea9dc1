"""Where weights are stored: pure functions over routing objects, one file a kind.

The folder is the registry: a module with ``GROUP``, ``KIND``, ``EXAMPLE``, ``members``, ``host``
and ``notes`` is a kind; ``sticky`` is there where a kind can pin users to a version.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from functools import cache
from types import ModuleType
from typing import Any

from crossfade.errors import SpecError
from crossfade.routes.member import Manifest, describe, parse_field_path
from crossfade.routes.pinning import full_host, identities, in_full, relocated, same, unmoved
from crossfade.routes.rule import Rule
from crossfade.routes.twins import refuse_one_destination, refuse_one_field

__all__ = [
    "Rule", "full_host", "identities", "in_full", "kind_of", "kinds", "relocated", "resolve",
    "resolve_known", "same", "unmoved",
]  # fmt: skip


@cache
def kinds() -> dict[tuple[str, str], ModuleType]:
    """Return every routing kind by (group, kind)."""
    found = {}
    for info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{info.name}")
        if not hasattr(module, "KIND"):
            continue
        groups = (module.GROUP,) if isinstance(module.GROUP, str) else module.GROUP
        found.update({(group, module.KIND): module for group in groups})
    return found


def kind_of(api_version: str | None, kind: str | None, *, where: str) -> ModuleType:
    """Return the module for a kind.  The version within a group does not matter.

    Raises ``SpecError`` naming what is supported.
    """
    if not api_version:
        raise SpecError(f"{where}: apiVersion is missing, expected group/version")
    group = api_version.rpartition("/")[0]
    module = kinds().get((group, str(kind)))
    if module is not None:
        return module
    supported = ", ".join(sorted({f"{k} ({g})" for g, k in kinds()}))
    same = [g for g, k in kinds() if k == kind]
    if same:
        message = f"{where}: unsupported group {group or 'core'} of {kind}, expected {same[0]}"
    else:
        near = difflib.get_close_matches(str(kind), [k for _, k in kinds()], n=1)
        message = f"{where}: unsupported kind {kind}, weights cannot be driven there"
        message += f"; did you mean {near[0]}" if near else ""
    raise SpecError(message, hint=f"supported: {supported}")


def resolve(manifest: Manifest, references: Mapping[str, str | None]) -> Rule:
    """Return the rule that holds the weights of the versions.

    ``references`` maps each version, the baseline first, to its fieldPath in this object; one
    version may have None and then owns the only destination left over.  Raises ``SpecError``
    for anything that does not resolve, saying what is there instead.
    """
    where = describe(manifest)
    module = kind_of(manifest.get("apiVersion"), manifest.get("kind"), where=where)
    paths = {v: parse_field_path(text) for v, text in references.items() if text is not None}
    if not paths:
        raise SpecError(f"{where}: no version has a weightObjRef.fieldPath into it")
    refuse_one_field(where, paths)
    lists = {path[:-2] for path in paths.values()}
    if len(lists) > 1 and module.KIND != "Route":
        raise SpecError(f"{where}: the versions' weights are in {len(lists)} rules, expected one")
    members = [module.members(manifest, path) for path in paths.values()][-1]
    by_path = {member.path: member for member in members}
    slots: dict[str, Any] = {version: by_path.get(path) for version, path in paths.items()}
    for version in (v for v in paths if slots[v] is None):
        at = paths[version][-2]
        raise SpecError(f"{where}: {version}'s destination {at} takes no part in the split")
    rule = Rule.of(module, manifest, tuple(references), slots, members)
    refuse_one_destination(manifest, rule.slots)
    return rule


def resolve_known(
    manifest: Manifest, references: Mapping[str, str | None], known: Mapping[str, Any]
) -> Rule:
    """Return the rule that holds these destinations now, wherever it has moved.

    ``known`` has what versions' destinations are known by, as ``identities`` gave it; nothing known
    is as ``resolve``.  Raises ``SpecError`` where they are in no one rule.
    """
    rule, trouble = None, None
    try:
        rule = resolve(manifest, references)
    except SpecError as error:
        trouble = error
    if rule is not None and unmoved(manifest, rule.slots, known):
        return rule
    if not known:
        assert trouble is not None, "nothing known is always the same"
        raise trouble
    module = kind_of(manifest.get("apiVersion"), manifest.get("kind"), where=describe(manifest))
    try:
        found = resolve(manifest, relocated(manifest, module, references, known))
    except SpecError as error:
        raise trouble or error from None
    if not unmoved(manifest, found.slots, known):
        raise SpecError(
            f"{describe(manifest)}: {', '.join(known)} are not all in one rule any more"
        )
    return found


def references_by_object(
    versions: Sequence[Any], default_namespace: str
) -> dict[tuple[str, str, str, str], dict[str, str | None]]:
    """Group the versions' weightObjRefs by object: (apiVersion, kind, namespace, name).

    Every group lists all versions in the experiment's order; those elsewhere or without a
    reference have None.  The version within an API group does not matter, the first one is given.
    """
    groups: dict[tuple[str, str, str, str], dict[str, str | None]] = {}
    first: dict[tuple[str, ...], tuple[str, str, str, str]] = {}
    for version in versions:
        ref = version.weight_obj_ref
        if ref is None:
            continue
        key = (ref.api_version or "", ref.kind or "", ref.namespace or default_namespace,
               ref.name or "")  # fmt: skip
        key = first.setdefault((key[0].rpartition("/")[0], *key[1:]), key)
        group = groups.setdefault(key, {v.name: None for v in versions})
        group[version.name] = ref.field_path
    return groups
