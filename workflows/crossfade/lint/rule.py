"""What a rule is: an id, a sentence, a remedy, and a function that finds its places."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from crossfade.errors import Finding, Severity
from crossfade.lint.promql import Query, parse
from crossfade.spec.experiment import Experiment, Version
from crossfade.spec.metric import Metric
from crossfade.spec.rollout import Bundle
from crossfade.spec.source import Document, Loaded, Path, look

Check = Callable[["Context"], Iterator["Place"]]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a rule applies, and what is there."""

    document: Document
    path: Path
    message: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; ``title`` says what is wrong in general, ``remedy`` what to do."""

    id: str
    title: str
    remedy: str
    severity: Severity
    check: Check

    def findings(self, context: Context) -> Iterator[Finding]:
        """Yield a finding for each place."""
        for place in self.check(context):
            yield place.document.finding(
                self.severity, self.id, place.message, path=place.path, hint=self.remedy
            )


RULES: list[Rule] = []


def rule(
    identity: str, title: str, remedy: str, severity: Severity = Severity.WARNING
) -> Callable[[Check], Check]:
    """Register a function as a rule."""

    def register(check: Check) -> Check:
        RULES.append(Rule(identity, title, remedy, severity, check))
        return check

    return register


@dataclass(frozen=True)
class Asked:
    """One metric that the experiment asks for, with its document and its parsed query."""

    key: str
    metric: Metric
    document: Document
    path: Path

    @cached_property
    def query(self) -> Query:
        """Return the parsed query."""
        return parse(self.metric.query or "")

    def place(self, message: str) -> Place:
        """Return a place at the query."""
        return Place(self.document, self.path, f"metric {self.key}: {message}")


@dataclass(frozen=True)
class Context:
    """Everything a rule may look at."""

    bundle: Bundle
    documents: tuple[Document, ...]

    @classmethod
    def of(cls, loaded: Loaded) -> Context:
        """Return the context of what was loaded; there must be a bundle."""
        assert loaded.bundle is not None
        return cls(loaded.bundle, loaded.documents)

    @property
    def experiment(self) -> Experiment:
        """Return the experiment."""
        return self.bundle.experiment

    @cached_property
    def experiment_document(self) -> Document:
        """Return the experiment's document."""
        return next((d for d in self.documents if d.kind == "Experiment"), Document("", {}))

    @cached_property
    def rollout_document(self) -> Document:
        """Return the rollout's document, an empty one where there is none."""
        return next((d for d in self.documents if d.kind == "Rollout"), Document("", {}))

    @cached_property
    def asked(self) -> tuple[Asked, ...]:
        """Return every metric that is read by a Prometheus query, in the bundle's order."""
        found = []
        for key, metric in self.bundle.metrics.items():
            if metric.query is None or metric.spec.provider not in (None, "prometheus"):
                continue
            document = self.metric_document(key)
            index = [p.name for p in metric.spec.params].index("query")
            path = ("spec", "params", index, "value")
            found.append(Asked(key, metric, document, path))
        return tuple(found)

    def metric_document(self, key: str) -> Document:
        """Return the document that defines a metric."""
        namespace = self.experiment.namespace
        for document in self.documents:
            if document.kind == "Metric":
                own = look(document.data, ("metadata", "namespace")) or namespace
                if f"{own}/{document.name}" == key:
                    return document
        return Document("", {})

    def placed_versions(self) -> Iterator[tuple[Path, Version]]:
        """Yield every version with its place in the experiment's document, the baseline first."""
        own: Path = ("spec", "versionInfo")
        for i, version in enumerate(self.experiment.versions):
            yield (*own, *(("baseline",) if i == 0 else ("candidates", i - 1))), version

    def find(self, kind: str) -> Iterator[Document]:
        """Yield the documents of a kind."""
        yield from (d for d in self.documents if d.kind == kind)

    def at_experiment(self, message: str, *path: str | int) -> Place:
        """Return a place in the experiment's document."""
        return Place(self.experiment_document, path, message)
