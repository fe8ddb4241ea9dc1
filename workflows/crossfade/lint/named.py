"""Rules about names that must be of something there is: versions and routing objects."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator

from crossfade.errors import Severity, SpecError
from crossfade.lint.rule import Context, Place, rule
from crossfade.routes import kind_of, kinds, references_by_object
from crossfade.spec.ownership import object_name
from crossfade.spec.source import Document


@rule(
    "Versions",
    "something is written for a version that the experiment does not have",
    "name versions of the experiment",
    Severity.ERROR,
)
def unknown_versions(context: Context) -> Iterator[Place]:
    """Find misspelt versions: a promotion of one is never carried out, and nobody is told."""
    names = [version.name for version in context.experiment.versions]
    for key, given in (("promote", context.bundle.promote), ("versions", context.bundle.versions)):
        for name in given:
            if name not in names:
                message = (
                    f"{key} names {name}, the versions are {', '.join(names)}{near(name, names)}"
                )
                yield Place(context.rollout_document, ("spec", key, name), message)


def near(name: str, known: Iterable[str]) -> str:
    """Return ``; did you mean X`` where one of the known names is close, else nothing."""
    found = difflib.get_close_matches(name, [*known], n=1)
    return f"; did you mean {found[0]}" if found else ""


@rule(
    "Kind",
    "weights in an object of a kind that is not supported",
    "correct weightObjRef.apiVersion and kind (docs/routers.md)",
    Severity.ERROR,
)
def unsupported_kinds(context: Context) -> Iterator[Place]:
    """Find kinds and groups that no weight can be written to, deployed here or not."""
    for path, version in context.placed_versions():
        ref = version.weight_obj_ref
        if ref is None:
            continue
        try:
            kind_of(ref.api_version, ref.kind, where=f"weightObjRef of {version.name}")
        except SpecError as error:
            yield context.at_experiment(str(error), *path, "weightObjRef")


@rule(
    "Nobody",
    "a routing object is deployed that no version refers to, and the one they refer to is not",
    "correct weightObjRef.name and namespace, or the object's own",
)
def nobody_s_route(context: Context) -> Iterator[Place]:
    """Find misspelt names: the weights would be written to another object than was deployed."""
    bundle, experiment = context.bundle, context.experiment
    groups = references_by_object(experiment.versions, experiment.namespace)
    wanted = {f"{kind}/{place}/{name}": kind for _, kind, place, name in groups}
    deployed = {object_name(manifest, bundle.namespace): manifest for manifest in bundle.deploy}
    absent = {name: kind for name, kind in wanted.items() if name not in deployed}
    for name, manifest in deployed.items():
        group, kind = str(manifest.get("apiVersion")).rpartition("/")[0], str(manifest.get("kind"))
        missed = [other.partition("/")[2] for other, own in absent.items() if own == kind]
        if (group, kind) in kinds() and missed and name not in wanted:
            message = f"{kind} {name.partition('/')[2]} is nobody's; versions refer to "
            own = next((d for d in context.documents if d.data == manifest), Document("", {}))
            yield Place(own, ("metadata",), message + ", ".join(missed))
