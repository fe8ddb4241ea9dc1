"""Rules about the objects around the experiment: load, deployments, routes, promotions."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from crossfade.errors import Severity, SpecError
from crossfade.lint.rule import Context, Place, rule
from crossfade.routes import kinds, references_by_object, resolve
from crossfade.routes.member import parse_field_path
from crossfade.routes.twins import pair_of, told
from crossfade.spec.ownership import WORKLOADS, object_name
from crossfade.spec.requests import fortio_command, runs_fortio
from crossfade.spec.rollout import FeedbackLoad
from crossfade.spec.secrets import secret_within
from crossfade.spec.source import Document, listed, look
from crossfade.workloads import workloads_of

_SECONDS = {"s": 1, "m": 60, "h": 3600}
SLACK = 2.0
"""Load may outlast the planned run by this factor: start-up and promotion take their time."""


@rule(
    "D11",
    "rewards do not belong to the answers",
    "use the load kind feedback, which rewards the version that answered",
)
def detached_feedback(context: Context) -> Iterator[Place]:
    """Feedback sent straight to each deployment decides the experiment beforehand."""
    for document in context.find("Job"):
        words = fortio_command(document.data) or [""]
        if "/seldon/" in words[-1] and words[-1].rstrip("/").endswith("/feedback"):
            name = document.name
            message = f"Job {name} sends feedback at its own rate, whatever is served"
            yield Place(document, ("spec",), message)


@rule(
    "Rewards",
    "the load's rewards are not of the experiment's versions",
    "name versions of the experiment under rewards",
    Severity.ERROR,
)
def rewards_of_others(context: Context) -> Iterator[Place]:
    """Find misspelt versions: they would earn nothing, and look worse than they are."""
    names = {version.name for version in context.experiment.versions}
    for load in context.bundle.load:
        others = set(load.rewards) - names if isinstance(load, FeedbackLoad) else set()
        if others:
            told, wanted = (", ".join(sorted(found)) for found in (others, names))
            message = f"rewards for {told}, the versions are {wanted}"
            yield Place(context.rollout_document, ("spec", "load"), message)


@rule(
    "D18",
    "after the promotion the routing object lacks a version's route",
    "keep every version's route in the promote manifest, at weight 0",
)
def route_vanishes(context: Context) -> Iterator[Place]:
    """Find promote manifests after which the next run could not read its weights."""
    groups = references_by_object(context.experiment.versions, context.experiment.namespace)
    promoted = [manifest for docs in context.bundle.promote.values() for manifest in docs]
    for document in context.documents:
        if not isinstance(document.data, Mapping) or document.data not in promoted:
            continue
        for (_, kind, _, name), references in groups.items():
            if document.kind == kind and document.name == name:
                try:
                    resolve(document.data, references)
                except SpecError as error:
                    yield Place(document, ("spec",), str(error))


@rule(
    "Place",
    "promote documents that take no version's place",
    "put the baseline's workload among them, or name it under spec.versions.NAME.objects",
)
def nobody_s_place(context: Context) -> Iterator[Place]:
    """Find promotions after which the winner's own copy keeps all traffic."""
    bundle, versions = context.bundle, context.experiment.versions
    try:
        known = {name for version in versions for name in workloads_of(bundle, version.name)}
    except SpecError:
        return
    routed = {f"{kind}/{namespace}/{name}" for _, kind, namespace, name in
              references_by_object(versions, context.experiment.namespace)}  # fmt: skip
    for winner, manifests in bundle.promote.items():
        touched = {object_name(m, bundle.namespace) for m in manifests}
        if known and touched and not touched & (known | routed):
            message = f"{winner}: {', '.join(sorted(touched))} replace nobody's workload or route"
            yield Place(_document_of(context, manifests[0]), (), message)


def _document_of(context: Context, manifest: Mapping[str, Any]) -> Document:
    own = (document for document in context.documents if document.data == manifest)
    return next(own, context.experiment_document)


@rule("D23", "an image without a fixed version", "name a version or a digest")
def floating_image(context: Context) -> Iterator[Place]:
    """Find floating images: what ``latest`` is changes between two runs."""
    for document in context.documents:
        for path, image in _images(document):
            tag = image.rpartition("/")[2].partition("@")
            if not tag[1] and tag[0].partition(":")[2] in ("", "latest"):
                yield Place(document, path, f"image {image} has no fixed version")


@rule("D24", "load outlasts the experiment", "use the rollout's load, which ends with the run")
def endless_load(context: Context) -> Iterator[Place]:
    """Find Jobs of hours beside an experiment of minutes."""
    experiment = context.experiment
    planned = experiment.iterations * experiment.spec.duration.interval_seconds
    for document in context.find("Job"):
        if not runs_fortio(document.data):
            continue
        seconds = _duration(fortio_command(document.data) or [])
        if seconds is not None and seconds > SLACK * planned:
            name = document.name
            long = f"for {seconds:g} s" if seconds < math.inf else "until somebody ends it"
            message = f"Job {name} runs {long}, the experiment for {planned} s"
            yield Place(document, ("spec",), message)


@rule(
    "D27",
    "the versions do not have the same resources",
    "give every version the same explicit replicas and resources",
)
def unequal_resources(context: Context) -> Iterator[Place]:
    """Find versions that are slower for a reason that is not their model."""
    documents = [
        document
        for document in context.documents
        if document.kind in WORKLOADS and document.data in context.bundle.deploy
    ]
    sizes = {document.file + str(document.line(())): _size(document.data) for document in documents}
    distinct = {size for whole in sizes.values() for size in whole}
    for document in documents:
        name = document.name
        if None in sizes[document.file + str(document.line(()))]:
            message = f"{document.kind} {name} says nothing of its replicas"
            yield Place(document, ("spec",), message)
        elif len(distinct) > 1:
            message = f"{document.kind} {name} has other replicas or resources than its rival"
            yield Place(document, ("spec",), message)


@rule(
    "Secret",
    "a Secret in a rollout",
    "create it beforehand and refer to it by name",
    Severity.ERROR,
)
def secret_inside(context: Context) -> Iterator[Place]:
    """Find Secrets: their content would be in the workflow for everybody to read."""
    for document in context.documents:
        secret = secret_within(document.data)
        if secret is not None:
            yield Place(document, ("kind",), f"{secret} would be written into the workflow")


@rule("Route", "weights that do not resolve", "correct the fieldPath or the object", Severity.ERROR)
def unresolved_weights(context: Context) -> Iterator[Place]:
    """Every version's weight must be found in the object that the rollout deploys."""
    groups = references_by_object(context.experiment.versions, context.experiment.namespace)
    for (_, kind, _, name), references in groups.items():
        if (twice := _one_field(context, references)) is not None:
            yield twice
            continue
        for document in context.documents:
            if document.kind != kind or document.name != name:
                continue
            if document.data not in context.bundle.deploy:
                continue
            try:
                resolve(document.data, references).percent()
            except SpecError as error:
                yield Place(document, ("spec",), str(error))


def _one_field(context: Context, references: Mapping[str, str | None]) -> Place | None:
    """Return where two versions have one fieldPath, also in an object that is not deployed."""
    try:
        paths = {v: parse_field_path(text) for v, text in references.items() if text is not None}
    except SpecError:
        return None  # told where it is resolved
    pair = pair_of(paths)
    if pair is None:
        return None
    index = [version.name for version in context.experiment.versions].index(pair[1])
    path = ("spec", "versionInfo", "candidates", index - 1, "weightObjRef", "fieldPath")
    return context.at_experiment(told(*pair, paths[pair[0]]), *path)


@rule("Notes", "something to know about the routing object", "see that it is what you want")
def route_notes(context: Context) -> Iterator[Place]:
    """Owners, other splits, session persistence."""
    groups = references_by_object(context.experiment.versions, context.experiment.namespace)
    known = {kind for _, kind in kinds()}
    for document in context.documents:
        if document.kind not in known or document.data not in context.bundle.deploy:
            continue
        for references in groups.values():
            try:
                rule_ = resolve(document.data, references)
            except SpecError:
                continue
            for note in rule_.notes:
                yield Place(document, ("spec",), f"{rule_.where}: {note}")


def _duration(words: list[str]) -> float | None:
    if "-t" not in words[:-1]:
        return None
    text = words[words.index("-t") + 1]
    if re.fullmatch(r"0+[smh]?", text):
        return math.inf  # until it is interrupted
    parts = re.findall(r"(\d+(?:\.\d+)?)([smh])", text)
    return sum(float(number) * _SECONDS[unit] for number, unit in parts) if parts else None


def _images(document: Document) -> Iterator[tuple[tuple[str | int, ...], str]]:
    base: tuple[str | int, ...] = ("spec", "template", "spec", "containers")
    for i, container in enumerate(listed(document.data, base)):
        image = look(container, ("image",))
        if isinstance(image, str):
            yield (*base, i, "image"), image


def _size(manifest: Mapping[str, Any]) -> tuple[str | None, ...]:
    """Return what a workload asks for, as comparable text; None where it says nothing."""
    whole = look(manifest, ("spec", "replicas"))
    parts = listed(manifest, ("spec", "predictors")) or [look(manifest, ("spec",))]
    sizes: list[str | None] = []
    for part in parts:
        own = look(part, ("replicas",))
        replicas = whole if own is None else own
        sizes.append(None if replicas is None else f"{replicas} {_resources(part)}")
    return tuple(sizes)


def _resources(node: Any) -> list[str]:
    if isinstance(node, Mapping):
        own = [str(node["resources"])] if "resources" in node else []
        return own + [text for value in node.values() for text in _resources(value)]
    return [text for item in node for text in _resources(item)] if isinstance(node, list) else []
