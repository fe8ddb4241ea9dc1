"""Routing objects that run the models themselves: a new candidate is brought into a stored one.

What is stored and serves is the baseline, and stays: an InferenceService keeps its previous
revision, a SeldonDeployment the baseline's predictor, a Knative Service the pinned revision.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crossfade.errors import SpecError
from crossfade.routes import (
    inferenceservice,
    knative,
    opening,
    references_by_object,
    resolve,
    seldon,
)
from crossfade.routes.member import Member, Path, parse_field_path, pointer
from crossfade.spec.experiment import Experiment
from crossfade.spec.source import listed, look, mapped
from crossfade_steps.likeness import covers, differs, endpoint, predictor_model, unscaled
from crossfade_steps.ports import Object, ObjectKey

Operation = dict[str, Any]
References = Mapping[str, str | None]
TEMPLATE, TRAFFIC, PREDICTORS = ("spec", "template"), ("spec", "traffic"), ("spec", "predictors")
STABLE, CANARY = ("spec", "default"), ("spec", "canary")
"""KFServing v1alpha2 has a document of the baseline, too."""


@dataclass(frozen=True, slots=True)
class Renewal:
    """The one write that brings a candidate into its object: a document to apply, or a JSON Patch.

    ``notes`` say what was done, and what was left as it is.
    """

    whole: Object | None = None
    operations: tuple[Operation, ...] = ()
    notes: tuple[str, ...] = ()


def renewal(key: ObjectKey, existing: Object, manifest: Object, experiment: Experiment) -> Renewal:
    """Return what brings the candidates of a stored object to its manifest.

    Raises ``SpecError`` where that would replace the model that serves.
    """
    references = _references(key, experiment)
    if key.kind == inferenceservice.KIND and key.group in inferenceservice.GROUP:
        return _revision(key, existing, manifest, references)
    if (key.group, key.kind) == (seldon.GROUP, seldon.KIND):
        return _predictors(key, existing, manifest, references)
    if (key.group, key.kind) == (knative.GROUP, knative.KIND):
        return _template(key, existing, manifest, references)
    return Renewal()


def first(key: ObjectKey, manifest: Object, experiment: Experiment) -> Object:
    """Return a manifest as it is created; any other one than a routing object's as it is.

    All its traffic is the baseline's at first.  The first revision of an InferenceService is the
    only one: a weight would mean nothing.
    """
    references = _references(key, experiment)
    if not references:
        return manifest
    if key.kind == inferenceservice.KIND and look(manifest, CANARY) is None:
        return _without(manifest, _weight_path(references))
    groups = references_by_object(experiment.versions, experiment.namespace)
    return opening.to_baseline(manifest, references, alone=len(groups) == 1)


def replaces(
    key: ObjectKey, existing: Object, manifest: Object, experiment: Experiment, version: str
) -> bool:
    """Return whether a stored candidate that may have weight is about to be another model.

    Not where the same write takes its weight away.
    """
    references = _references(key, experiment)
    slot = _slots(manifest, references).get(version)
    if slot is None:
        return False
    if (key.group, key.kind) == (seldon.GROUP, seldon.KIND):
        have, want = (_predictor(o, slot.identity) for o in (existing, manifest))
        return have is not None and want is not None and _changes(have, want)
    if (key.group, key.kind) == (knative.GROUP, knative.KIND):
        latest = slot.identity in (None, True) and _pinned(existing, manifest, references)
        return latest and not covers(look(existing, TEMPLATE), look(manifest, TEMPLATE))
    return False


def one_model(stored: Object, names: Mapping[str, Any], pair: tuple[str, str]) -> bool:
    """Return whether baseline and candidate of a routing object run the same model.

    ``names`` has what each version's part is known by; ``pair`` is baseline and candidate.
    """
    if stored.get("kind") == inferenceservice.KIND:
        return _one_revision(stored)
    one, other = (names.get(version) for version in pair)
    if stored.get("kind") == seldon.KIND:
        parts = [_predictor(stored, name) for name in (one, other)]
        models = [predictor_model(part) for part in parts if part is not None]
        return len(models) == len(parts) and models[0] == models[1]
    status = mapped(stored, ("status",))
    seen = status.get("observedGeneration") == look(stored, ("metadata", "generation"))
    latest = status.get("latestCreatedRevisionName") if seen else None
    return latest is not None and (one, other) == (latest, True)


def _references(key: ObjectKey, experiment: Experiment) -> References:
    """Return the versions' field paths into an object, none for one that holds no weights."""
    groups = references_by_object(experiment.versions, experiment.namespace)
    return next(
        (references for (api_version, *rest), references in groups.items()
         if ObjectKey(api_version.rpartition("/")[0], *rest) == key), {}
    )  # fmt: skip


def _slots(manifest: Object, references: References) -> Mapping[str, Member | None]:
    """Return each version's part of a manifest; nothing where it does not have them all."""
    try:
        return resolve(manifest, references).slots
    except SpecError:
        return {}


def _revision(
    key: ObjectKey, existing: Object, manifest: Object, references: References
) -> Renewal:
    """Return the document of a new revision, with no traffic from the first moment on."""
    path, notes = _weight_path(references), []
    wanted = _without(inferenceservice.as_stored(existing, manifest), path)
    if look(manifest, CANARY) is not None and look(existing, STABLE) is not None:
        if not covers(look(existing, STABLE), look(wanted, STABLE)):
            notes.append(f"{_left(key)} (spec.default)")
        wanted = _without(wanted, STABLE)
    if not differs(existing, wanted):
        return Renewal(notes=tuple(notes))
    notes.append(f"{key} existed: its new revision is deployed at weight 0")
    return Renewal(whole=_with(wanted, path, 0), notes=tuple(notes))


def _one_revision(stored: Object) -> bool:
    """Return whether all traffic of an InferenceService goes to its latest revision."""
    stable, canary = look(stored, STABLE), look(stored, CANARY)
    if stable is not None and canary is not None:
        return endpoint(mapped(stored, STABLE)) == endpoint(mapped(stored, CANARY))
    return all(look(stored, path) in (None, 100) for path in inferenceservice.PATHS)


def _predictors(
    key: ObjectKey, existing: Object, manifest: Object, references: References
) -> Renewal:
    """Replace the candidates' predictors, with ``traffic`` as stored; every other one stays."""
    slots = list(_slots(manifest, references).values())
    candidates = {slot.identity for slot in slots[1:] if slot is not None}
    operations, notes = [], []
    for i, have in enumerate(listed(existing, PREDICTORS)):
        want = _predictor(manifest, have.get("name"))
        if want is None or covers(_untrafficked(have), _untrafficked(want)):
            continue
        if have.get("name") not in candidates:
            notes.append(f"{_left(key)} (predictor {have.get('name')})")
            continue
        traffic = {"traffic": have["traffic"]} if have.get("traffic") is not None else {}
        operations.append({"op": "replace", "path": pointer((*PREDICTORS, i)),
                           "value": {**_untrafficked(want), **traffic}})  # fmt: skip
        notes.append(f"{key} existed: its predictor {have.get('name')} is replaced")
    rest = {k: v for k, v in mapped(manifest, ("spec",)).items() if k != "predictors"}
    if not covers(existing.get("spec"), rest):
        notes.append(_left(key))
    return Renewal(operations=tuple(operations), notes=tuple(notes))


def _template(
    key: ObjectKey, existing: Object, manifest: Object, references: References
) -> Renewal:
    """Make a new revision of a Knative Service that gets no traffic before it is given any."""
    slots = _slots(manifest, references)
    if not slots or covers(look(existing, TEMPLATE), look(manifest, TEMPLATE)):
        return Renewal()
    if not _is_latest(manifest, list(slots.values())[1:]):
        return Renewal(notes=(_left(key),))
    operations: list[Operation] = [{"op": "replace", "path": pointer(TEMPLATE),
                                    "value": look(manifest, TEMPLATE)}]  # fmt: skip
    note = f"{key} existed: its new revision is deployed at weight 0"
    if _pinned(existing, manifest, references):
        _refuse_latest(key, existing)
        operations += _target(existing, manifest, list(slots.values())[1:])
        return Renewal(operations=tuple(operations), notes=(note,))
    pinned = _pins(existing, manifest, next(iter(slots.values())), key)
    operations.append({"op": "add", "path": pointer(TRAFFIC), "value": pinned})
    return Renewal(operations=tuple(operations), notes=(f"{note}, the baseline is pinned",))


def _is_latest(manifest: Object, candidates: list[Member | None]) -> bool:
    """Return whether the manifest's template is the candidate's, by name or as the latest one."""
    name = look(manifest, (*TEMPLATE, "metadata", "name"))
    return len(candidates) == 1 and candidates[0] is not None and (
        candidates[0].identity in (None, True, *([name] if name else []))
    )  # fmt: skip


def _pinned(existing: Object, manifest: Object, references: References) -> bool:
    """Return whether the stored traffic has the baseline of the manifest by its revision's name."""
    slot = next(iter(_slots(manifest, references).values()), None)
    have = [target.get("revisionName") for target in listed(existing, TRAFFIC)]
    return slot is not None and isinstance(slot.identity, str) and slot.identity in have


def _refuse_latest(key: ObjectKey, existing: Object) -> None:
    """Raise ``SpecError`` where a new template would take over traffic as the latest revision."""
    for target in listed(existing, TRAFFIC):
        if target.get("revisionName") is None and target.get("percent"):
            raise SpecError(
                f"{key}: its template changes while the latest revision has "
                f"{target['percent']} % of the traffic, expected none",
                hint="pin that part in the stored spec.traffic by revisionName first",
            )


def _target(existing: Object, manifest: Object, candidates: list[Member | None]) -> list[Operation]:
    """Return what adds the candidate's target, at no traffic, where the stored object lacks it."""
    found: list[Operation] = []
    have = [target.get("revisionName") or True for target in listed(existing, TRAFFIC)]
    for slot in candidates:
        if slot is not None and (slot.identity or True) not in have:
            value = {**look(manifest, slot.path[:-1]), "percent": 0}
            found.append({"op": "add", "path": f"{pointer(TRAFFIC)}/-", "value": value})
    return found


def _pins(
    existing: Object, manifest: Object, baseline: Member | None, key: ObjectKey
) -> list[dict[str, Any]]:
    """Return the manifest's traffic, all of it for the revision that serves now.

    Raises ``SpecError`` unless the manifest names that revision for the baseline.
    """
    serves = look(existing, ("status", "latestReadyRevisionName"))
    alone = all(target.get("revisionName") is None for target in listed(existing, TRAFFIC))
    if not alone or serves is None or baseline is None or baseline.identity != serves:
        raise SpecError(
            f"{key}: its template changes while what is stored does not have the manifest's "
            f"baseline, expected the revision that serves pinned by revisionName",
            hint=f"write revisionName: {serves or 'of the revision that serves'} "
            "for the baseline in spec.traffic, and latestRevision: true for the candidate",
        )
    return [{**target, "percent": 100 if target.get("revisionName") == serves else 0}
            for target in listed(manifest, TRAFFIC)]  # fmt: skip


def _predictor(document: Object, name: Any) -> Mapping[str, Any] | None:
    return next((p for p in listed(document, PREDICTORS) if p.get("name") == name), None)


def _untrafficked(predictor: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in predictor.items() if key != "traffic"}


def _changes(have: Mapping[str, Any], want: Mapping[str, Any]) -> bool:
    return differs(*(unscaled({"spec": _untrafficked(part)}) for part in (have, want)))


def _weight_path(references: References) -> Path:
    return next(parse_field_path(text) for text in references.values() if text is not None)


def _without(document: Object, path: Path) -> Object:
    """Return a document without the field at a path."""
    made: Any = copy.deepcopy(dict(document))
    holder = look(made, path[:-1])
    if isinstance(holder, dict):
        holder.pop(path[-1], None)
    return dict(made)


def _with(document: Object, path: Path, value: Any) -> Object:
    """Return a document with a value at a path of mappings."""
    made: Any = copy.deepcopy(dict(document))
    holder = made
    for part in path[:-1]:
        holder = holder.setdefault(part, {})
    holder[path[-1]] = value
    return dict(made)


def _left(key: ObjectKey) -> str:
    return f"{key} exists and differs from its manifest: left as it is"
