"""Our own small file for each kind of oddity that people's files have."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossfade.errors import Severity
from crossfade.spec.base import parse_quantity
from crossfade.spec.documents import MOST_BYTES, read_file
from crossfade.spec.experiment import Experiment
from crossfade.spec.loading import document_findings, load
from crossfade.spec.metric import Metric

DATA = Path(__file__).resolve().parents[1] / "data" / "documents"
E, W = Severity.ERROR, Severity.WARNING
# file: (severity, line, field, part of the message, part of the hint)
SAID = {
    "unrendered-helm.yaml": [(E, 4, "", "not YAML", "unrendered Helm template")],
    "tab-indentation.yaml": [(E, 7, "", "not YAML", "a tab is used")],
    "lost-indentation.yaml": [(E, 7, "", "not YAML", "copy and paste")],
    "duplicate-key.yaml": [(E, 6, "", "key 'type' stands twice (first in line 5)", "")],
    "alias-bomb.yaml": [(E, 1, "", "aliases expand to more than", "")],
    "alias-to-itself.yaml": [(E, 1, "", "an alias to itself?", "")],
    "binary.yaml": [(E, 7, "data.model", "binary data, expected text", "base64 text")],
    "not-utf8.yaml": [(E, 0, "", "not UTF-8 text at byte 3", "")],
    "unknown-fields.yaml": [
        (E, 6, "spec.strategy.testingPattern", "testingPattern is 'canary'", "did you mean Canary"),
        (E, 6, "spec.strategy.deploymentPatern", "unknown field", "did you mean deploymentPattern"),
        (E, 7, "spec.duration.maxIterations", "unknown field", "iterationsPerLoop"),
        (E, 7, "spec.duration.intervalSecond", "unknown field", "did you mean intervalSeconds"),
        (E, 9, "spec.versionInfo.baseline.variables[0].name", "name is required", ""),
        (E, 9, "spec.versionInfo.baseline.variables[0].promote", "unknown field promote", ""),
    ],
    "other-version.yaml": [(E, 1, "apiVersion", "unsupported apiVersion iter8.tools/v2beta1", "")],
    "no-kind.yaml": [(E, 1, "", "apiVersion and kind missing", "Iter8 0.10")],
    "wrong-shapes.yaml": [
        (E, 3, "metadata.name", "'Bad_Name-' is not a Kubernetes name", "generateName"),
        (E, 5, "spec.target", "target must be text, got integer 5", ""),
        (E, 6, "spec.strategy.actions", "must be a mapping of action name to task list", ""),
        (E, 7, "spec.criteria.objectives[0].upperLimit", "expected a quantity", ""),
        (E, 8, "spec.versionInfo", "must be a mapping, got nothing", ""),
    ],
    "wrong-names.yaml": [
        (E, 3, "metadata.name", "metadata.name '../secrets/db' is not a Kubernetes name", ""),
        (E, 7, "metadata.namespace", "metadata.namespace 'a/b': expected a namespace", ""),
        (E, 11, "metadata.name", "'?labelSelector=app' is not a Kubernetes name", ""),
        (E, 16, "spec.versionInfo.baseline.weightObjRef.name", "weightObjRef.name 'x/y'", ""),
        (E, 16, "spec.versionInfo.baseline.weightObjRef.namespace", "'b%2f': expected a", ""),
        (E, 21, "spec.secret", "spec.secret 'DB' is not a Kubernetes name", ""),
        (E, 26, "spec.secret", "spec.secret '..': expected a namespace", ""),
    ],
    "tasks.yaml": [
        (E, 11, "spec.strategy.actions.start[0].task", "is not supported", "versionInfo"),
        (E, 12, "spec.strategy.actions.start[1].run", "template error in @< oops >@", ""),
        (E, 13, "spec.strategy.actions.start[2].run", "uses .Secret without with.secret", ""),
        (E, 15, "spec.strategy.actions.finish[0]", "neither task nor run", "lost its if"),
        (W, 16, "spec.strategy.actions.finish[1].run", "is no command", "kubectl apply"),
        (E, 17, "spec.strategy.actions.finish[2].with.versions[0]", '"stranger" is not a', ""),
    ],
}
LOADED = {"list-of-objects.yaml": 2, "json-with-tabs.json": 1, "kubectl-dump.yaml": 1,
          "odd-names.yaml": 2}  # fmt: skip


@pytest.mark.parametrize("name", SAID)
def test_every_mistake_of_a_file_is_said_at_once_with_its_place(name: str) -> None:
    documents, findings = read_file(DATA / name)
    findings += [f for d in documents for f in document_findings(d)]

    for severity, line, field, message, hint in SAID[name]:
        assert any(
            (f.severity, f.line, f.field) == (severity, line, field)
            and message in f.message
            and hint in f.hint
            for f in findings
        ), f"{message!r} at line {line} {field} not in {[(str(f), f.hint) for f in findings]}"
    assert len(findings) == len(SAID[name])


@pytest.mark.parametrize("name", LOADED)
def test_an_odd_but_legal_file_loads(name: str) -> None:
    documents, findings = read_file(DATA / name)
    findings += [f for d in documents for f in document_findings(d)]

    assert findings == []
    assert len(documents) == LOADED[name]


def test_lines_inside_a_list_are_those_of_the_file() -> None:
    documents, _ = read_file(DATA / "list-of-objects.yaml")

    assert documents[1].line(("spec", "mock", 0, "level")) == 11
    assert Metric.model_validate(documents[1].data).spec.mock[0].level == 2000.0


def test_a_dump_keeps_what_counts_and_takes_both_spellings() -> None:
    documents, _ = read_file(DATA / "kubectl-dump.yaml")
    [objective] = Experiment.model_validate(documents[0].data).spec.criteria.objectives

    assert objective.rollback_on_failure is True
    assert (objective.upper_limit, objective.lower_limit) == (1000.0, 0.01)


def test_defaults_are_the_predecessor_s() -> None:
    experiment = Experiment.model_validate(
        {
            "apiVersion": "iter8.tools/v2alpha2",
            "kind": "Experiment",
            "spec": {
                "target": "t",
                "strategy": {"testingPattern": "A/B/n"},
                "versionInfo": {"baseline": {"name": "a"}},
            },
        }
    )
    spec = experiment.spec

    assert spec.strategy.testing_pattern == "A/B/N"
    assert spec.strategy.deployment_pattern == "Progressive"
    assert spec.strategy.weights.max_candidate_weight == 100
    assert spec.strategy.weights.max_candidate_weight_increment == 10
    assert (spec.duration.interval_seconds, experiment.iterations) == (20, 15)


@pytest.mark.parametrize(
    ("text", "value"),
    [("0.01", 0.01), (0.01, 0.01), (0, 0.0), ("10m", 0.01), ("2k", 2000.0), ("1Ki", 1024.0),
     ("1e-3", 0.001), ("1E3", 1000.0), ("5u", 5e-6), ("7n", 7e-9), ("1.5Gi", 1.5 * 2**30),
     ("-3", -3.0), (".5", 0.5), ("2E", 2e18)],
)  # fmt: skip
def test_a_quantity_is_a_number(text: object, value: float) -> None:
    assert parse_quantity(text) == value


@pytest.mark.parametrize("text", ["", "lots", "1 k", "1kk", "0x10", True, None, [], "NaN", "1e999"])
def test_anything_else_is_no_quantity(text: object) -> None:
    with pytest.raises(ValueError, match="quantity"):
        parse_quantity(text)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    path.write_bytes(b"#" * (MOST_BYTES + 1))

    [finding] = load([path]).findings
    assert f"{MOST_BYTES + 1} bytes, expected at most {MOST_BYTES}" in finding.message


@pytest.mark.parametrize("name", ["missing.yaml", "."])
def test_what_cannot_be_read_is_a_finding(tmp_path: Path, name: str) -> None:
    [finding] = load([tmp_path / name]).findings

    assert finding.severity is E
    assert "cannot be read" in finding.message or "nothing to read" in finding.message
