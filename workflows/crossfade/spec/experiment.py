"""The Experiment of group ``iter8.tools/v2alpha2``: what is compared and judged.

Field names, types and defaults are those of the v2alpha2 CRD, so files written for it load
unchanged.  Nothing in here reads files; ``spec.loading`` does.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BeforeValidator, Field, StringConstraints

from crossfade.spec.base import Model, Quantity
from crossfade.spec.names import NamespaceName

Text = Annotated[str, StringConstraints(min_length=1)]


class TestingPattern(StrEnum):
    """Who is compared with whom."""

    __test__ = False  # not a pytest class
    CANARY = "Canary"
    AB = "A/B"
    ABN = "A/B/N"
    CONFORMANCE = "Conformance"


class DeploymentPattern(StrEnum):
    """How traffic moves while the experiment runs."""

    FIXED_SPLIT = "FixedSplit"
    PROGRESSIVE = "Progressive"
    BLUE_GREEN = "BlueGreen"


class Direction(StrEnum):
    """Which reward is better."""

    HIGH = "High"
    LOW = "Low"


def _pattern(value: object) -> object:
    return "A/B/N" if value == "A/B/n" else value


class Metadata(Model, extra="ignore"):
    """Kubernetes object metadata, as far as crossfade reads it."""

    name: str | None = None
    generate_name: str | None = None
    namespace: NamespaceName | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None


class Task(Model):
    """One task of an action: exactly one of ``task`` and ``run``.  Never executed by crossfade."""

    task: str | None = None
    run: str | None = None
    if_: str | None = Field(default=None, alias="if")
    with_: dict[str, Any] | None = Field(default=None, alias="with")


class Weights(Model):
    """Limits on the candidates' weights, in percent."""

    max_candidate_weight: int = Field(default=100, ge=0, le=100)
    max_candidate_weight_increment: int = Field(default=10, ge=0, le=100)


class Strategy(Model):
    """The testing pattern, the deployment pattern, weight limits and actions."""

    testing_pattern: Annotated[TestingPattern, BeforeValidator(_pattern)]
    deployment_pattern: DeploymentPattern = DeploymentPattern.PROGRESSIVE
    weights: Weights = Weights()
    actions: dict[str, tuple[Task, ...] | None] | None = None


class Objective(Model):
    """A metric with inclusive limits."""

    metric: Text
    upper_limit: Quantity | None = None
    lower_limit: Quantity | None = None
    rollback_on_failure: bool | None = Field(
        default=None,
        validation_alias=AliasChoices("rollback_on_failure", "rollbackOnFailure"),
        serialization_alias="rollback_on_failure",
    )


class Reward(Model):
    """The metric that decides which version is better."""

    metric: Text
    preferred_direction: Direction


class Criteria(Model):
    """What the versions are judged by."""

    request_count: str | None = None
    rewards: tuple[Reward, ...] = ()
    indicators: tuple[str, ...] = ()
    objectives: tuple[Objective, ...] = ()
    strength: Any = None


class Duration(Model):
    """How long: total iterations = iterations_per_loop x max_loops, intervals in seconds."""

    interval_seconds: int = Field(default=20, ge=1, le=86_400)
    iterations_per_loop: int = Field(default=15, ge=1, le=1_000_000)
    max_loops: int = Field(default=1, ge=1, le=1_000_000)


class Variable(Model):
    """A value inserted verbatim where a query says ``$name``."""

    name: Text
    value: str = ""


class ObjectReference(Model):
    """Where a version's weight is stored (Kubernetes ObjectReference)."""

    api_version: str | None = None
    kind: str | None = None
    name: str | None = None
    namespace: str | None = None
    field_path: str | None = None
    uid: str | None = None
    resource_version: str | None = None


class Version(Model):
    """One version: its name, its variables, and where its weight is stored."""

    name: Text
    variables: tuple[Variable, ...] = ()
    weight_obj_ref: ObjectReference | None = None


class VersionInfo(Model):
    """The baseline and its candidates."""

    baseline: Version
    candidates: tuple[Version, ...] = ()


class ExperimentSpec(Model):
    """``spec`` of an Experiment."""

    target: Text
    strategy: Strategy
    criteria: Criteria = Criteria()
    duration: Duration = Duration()
    version_info: VersionInfo


class Experiment(Model, extra="ignore"):
    """An Experiment as people wrote it; ``status`` is ignored."""

    api_version: Literal["iter8.tools/v2alpha2"]
    kind: Literal["Experiment"]
    metadata: Metadata = Metadata()
    spec: ExperimentSpec

    @property
    def versions(self) -> tuple[Version, ...]:
        """Return all versions, the baseline first."""
        return (self.spec.version_info.baseline, *self.spec.version_info.candidates)

    @property
    def iterations(self) -> int:
        """Return how many iterations the experiment runs in all."""
        return self.spec.duration.iterations_per_loop * self.spec.duration.max_loops

    @property
    def namespace(self) -> str:
        """Return the experiment's namespace; Kubernetes' own default when none is written."""
        return self.metadata.namespace or "default"

    @property
    def name(self) -> str:
        """Return the experiment's name, or its generateName without the trailing hyphen."""
        return self.metadata.name or (self.metadata.generate_name or "experiment").rstrip("-")

    def metric_references(self) -> tuple[str, ...]:
        """Return every metric that the criteria name as ``namespace/name``, without repeats."""
        return tuple(self.metric_places())

    def metric_places(self) -> dict[str, tuple[str | int, ...]]:
        """Return where the criteria first name each metric, by ``namespace/name``."""
        criteria = self.spec.criteria
        named: list[tuple[str, tuple[str | int, ...]]] = []
        if criteria.request_count:
            named.append((criteria.request_count, ("requestCount",)))
        named += [(r.metric, ("rewards", i, "metric")) for i, r in enumerate(criteria.rewards)]
        named += [(name, ("indicators", i)) for i, name in enumerate(criteria.indicators)]
        named += [(o.metric, ("objectives", i, "metric"))
                  for i, o in enumerate(criteria.objectives)]  # fmt: skip
        found: dict[str, tuple[str | int, ...]] = {}
        for name, path in named:
            found.setdefault(qualified(name, self.namespace), ("spec", "criteria", *path))
        return found


def qualified(name: str, namespace: str) -> str:
    """Return a metric reference as ``namespace/name`` (a bare name belongs to ``namespace``)."""
    return name if "/" in name else f"{namespace}/{name}"
