"""SeldonDeployment: ``.spec.predictors[i].traffic``, percent; shadows are not part of the split."""

from __future__ import annotations

from crossfade.errors import SpecError
from crossfade.routes.member import (
    Manifest,
    Member,
    Path,
    describe,
    dotted,
    listed,
    look,
    whole_number,
)
from crossfade.spec.source import listed as listed_at

GROUP, KIND = "machinelearning.seldon.io", "SeldonDeployment"
EXAMPLE = ".spec.predictors[0].traffic"
LENGTH = 4


def members(manifest: Manifest, path: Path) -> list[Member]:
    """Return the live predictors.  A sole one has 100; absent on several is refused, as by Seldon.

    Raises ``SpecError`` for duplicate names and for a split inside the graph (``RANDOM_ABTEST``).
    """
    if len(path) != LENGTH or path[1] != "predictors" or path[3] != "traffic":
        raise SpecError(f"{describe(manifest)}: fieldPath {dotted(path)}, expected {EXAMPLE}")
    predictors = listed_at(manifest, ("spec", "predictors"))
    _refuse_duplicates(manifest, predictors)
    _refuse_graph_split(manifest, predictors, path)
    listed(manifest, path, what="predictors")
    live = [j for j, p in enumerate(predictors) if not look(p, ("shadow",))]
    sole = len(live) == 1
    if not sole and all(look(predictors[j], ("traffic",)) is None for j in live):
        raise SpecError(
            f"{describe(manifest)}: traffic is missing on all of {len(live)} predictors, "
            f"expected it to sum to 100",
            hint="write spec.predictors[].traffic: an equal split is not assumed",
        )
    found = []
    for j in live:
        base = (*path[:2], j)
        raw = whole_number(manifest, path, look(manifest, (*base, "traffic")), most=100)
        name = look(manifest, (*base, "name"))
        weight = 100 if sole and raw is None else raw or 0
        found.append(Member((*base, "traffic"), raw, weight, (*base, "name"), name, str(name)))
    return found


def host(member: Member) -> tuple[str, int] | None:
    """Return None: the predictor's Service name needs the deployment's name."""
    return None


def notes(manifest: Manifest, path: Path) -> list[str]:
    """Return what a person should know before weights move in here."""
    return []


def _refuse_duplicates(manifest: Manifest, predictors: list[object]) -> None:
    names = [look(predictor, ("name",)) for predictor in predictors]
    twice = sorted({str(name) for name in names if names.count(name) > 1})
    if twice:
        raise SpecError(
            f"{describe(manifest)}: predictor names must be unique, {', '.join(twice)} is repeated"
        )


def _refuse_graph_split(manifest: Manifest, predictors: list[object], path: Path) -> None:
    index = path[2]
    if len(predictors) != 1 or index == 0:
        return
    graph = look(predictors[0], ("graph",))
    if look(graph, ("implementation",)) == "RANDOM_ABTEST":
        raise SpecError(
            f"{describe(manifest)}: predictors[{index}] does not exist; the split is inside the "
            f"graph (RANDOM_ABTEST, parameter ratioA) and cannot be driven",
            hint="make each version a predictor of its own with a traffic percentage",
        )
