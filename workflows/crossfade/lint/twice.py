"""Rules about what is defined more than once: the last definition would win, without a word."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from crossfade.errors import Severity
from crossfade.lint.rule import Context, Place, rule
from crossfade.spec.ownership import object_name
from crossfade.spec.rollout import Manifest
from crossfade.spec.source import Document, look


@rule(
    "Twice",
    "one name with two definitions, of which the last would win",
    "keep one of them, or give the other one a name of its own",
    Severity.ERROR,
)
def two_definitions(context: Context) -> Iterator[Place]:
    """Find Metrics, deployed objects and variables of one name that differ."""
    for name, documents in _repeated(context):
        for document in documents[1:]:
            if document.data != documents[0].data:
                yield Place(document, ("metadata", "name"), _told(name, documents[0], document))
    for path, version in context.placed_versions():
        places: dict[str, int] = {}
        for i, variable in enumerate(version.variables):
            first = places.setdefault(variable.name, i)
            if first != i:
                line = context.experiment_document.line((*path, "variables", first))
                message = (
                    f"variable {variable.name} of {version.name} is defined in line {line}, too"
                )
                yield context.at_experiment(message, *path, "variables", i)


@rule("Again", "the same definition stands twice", "keep one of them")
def same_definition(context: Context) -> Iterator[Place]:
    """Find Metrics and deployed objects that are repeated word for word."""
    for name, documents in _repeated(context):
        for document in documents[1:]:
            if document.data == documents[0].data:
                yield Place(document, ("metadata", "name"), _told(name, documents[0], document))


def _told(name: str, first: Document, second: Document) -> str:
    """Return the message, with the other place: the finding itself names its own."""
    if first is second or not first.file:
        return f"{name} is defined twice"
    return f"{name} is defined in {first.file}:{first.line(('metadata', 'name'))}, too"


def _repeated(context: Context) -> Iterator[tuple[str, list[Document]]]:
    """Yield what has several definitions, with their documents in the order they were read."""
    read, found = _read_once(context.documents), defaultdict[str, list[Document]](list)
    for document in read:
        own = look(document.data, ("metadata", "namespace")) or context.experiment.namespace
        asked = f"{own}/{document.name}" in context.bundle.metrics  # a library may hold others
        if document.kind == "Metric" and asked:
            found[f"metric {own}/{document.name}"].append(document)
    deployed = defaultdict[tuple[str, str], list[Document]](list)
    for manifest, document in _deployed(context.bundle.deploy, read):
        if document.name and document.kind != "Namespace":  # each version's file may name it
            group = str(manifest.get("apiVersion")).rpartition("/")[0]
            deployed[group, object_name(manifest, context.bundle.namespace)].append(document)
    for name, documents in [*found.items(), *((n, d) for (_, n), d in deployed.items())]:
        if len(documents) > 1:
            yield name, documents


def _read_once(documents: Iterable[Document]) -> tuple[Document, ...]:
    """Return the documents without those that were read a second time from one place."""
    found: dict[tuple[object, ...], Document] = {}
    for i, document in enumerate(documents):
        place = (document.file, document.line(()), repr(document.data)) if document.file else (i,)
        found.setdefault(place, document)
    return tuple(found.values())


def _deployed(
    manifests: Iterable[Manifest], read: Iterable[Document]
) -> Iterator[tuple[Manifest, Document]]:
    """Yield every deployed manifest with its document: the n-th of equal ones is the n-th read.

    What is promoted may be word for word what is deployed, and was read after it.
    """
    free = [*read]
    for manifest in manifests:
        same = [document for document in free if document.data == manifest]
        document = same[0] if same else Document("", manifest)
        if len(same) > 1:  # the last one may be deployed again, as where its file is named twice
            free = [other for other in free if other is not document]
        yield manifest, document
