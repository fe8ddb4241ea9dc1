"""Every public Experiment and Metric file loads, warns or is refused as its row of the index says.

``FINDINGS`` holds what must be said (in any of the findings of that severity); a file of a row that
is not in it must load without an error.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crossfade.errors import Severity
from crossfade.spec.documents import read_file
from crossfade.spec.experiment import Experiment
from crossfade.spec.loading import document_findings
from crossfade.spec.metric import Metric

E, W = Severity.ERROR, Severity.WARNING
FINDINGS: dict[str, list[tuple[Severity, str]]] = {
    "experiments/abn-lowercase-n.yaml": [
        (E, "A/B/N needs exactly one reward, 0 given"),
        (E, "Progressive needs a weightObjRef"),
    ],
    "experiments/apispec-versioninfo-null.yaml": [
        (E, "versionInfo must be a mapping, got nothing"),
        (E, "unknown field baseline"),
        (E, "unknown field candidates"),
    ],
    "experiments/cicd-if-not-winnerfound.yaml": [(E, "'gitops-exp-' is not a Kubernetes name")],
    "experiments/conformance-with-candidate.yaml": [
        (E, "Conformance takes 0 candidates, found 1"),
        (W, "Deployment has no condition Ready"),
    ],
    "experiments/custom-metrics-lower-limit.yaml": [(E, "Progressive needs a weightObjRef")],
    "experiments/etc3-actions-is-int.yaml": [
        (E, "actions must be a mapping of action name to task list, got integer 20")
    ],
    "experiments/etc3-kfserving-with-status.yaml": [
        (E, "start[0].run: template error in @< revision >@"),
        (W, "unknown field metrics"),
        (W, "unknown field handlers"),
    ],
    "experiments/etc3-loop-null.yaml": [(E, "start[0].run: template error in @< revision >@")],
    "experiments/etc3-max-iterations.yaml": [(E, "unknown field maxIterations")],
    "experiments/garbage-truncated.yaml": [(E, "line 2, column 16")],
    "experiments/helm-template-slo-gitops.yaml": [(E, "line 49")],
    "experiments/helmex-name-mismatch.yaml": [
        (E, 'metrics/collect version "baseline" is not a version of this experiment [new-version]')
    ],
    "experiments/kfserving-fixedsplit-bare-url.yaml": [
        (W, "starts with https:// and is no command"),
        (W, "mentions v1"),
    ],
    "experiments/kfserving-variable-without-name.yaml": [
        (E, "name is required"),
        (E, "unknown field promote"),
    ],
    "experiments/knative-bad-objective.yaml": [
        (E, "task knative/init-experiment is not supported"),
        (E, "needs a weightObjRef"),
    ],
    "experiments/knative-canary-weights-75-20.yaml": [
        (E, "task knative/init-experiment is not supported")
    ],
    "experiments/knative-condition-key.yaml": [(E, "unknown field condition")],
    "experiments/knative-hybrid-dangling-if.yaml": [(E, "finish[1] has neither task nor run")],
    "experiments/lost-indentation.yaml": [(E, "line 17")],
    "experiments/openshift-route-host-header.yaml": [
        (E, '"sample-app-v1" is not a version of this experiment [iter8-app, iter8-app-candidate]')
    ],
    "experiments/run-broken-template.yaml": [
        (E, "start[3].run: template error"),
        (E, "start[4].run uses .Secret without with.secret"),
    ],
    "experiments/v2beta1-backends.yaml": [
        (E, "unsupported apiVersion iter8.tools/v2beta1 of Experiment, expected iter8.tools/")
    ],
    "metrics/elapsedtime-without-unit.yaml": [(W, "type gauge is read as Gauge")],
    "metrics/etc3-digest-auth.yaml": [
        (E, "authType is 'Digest', expected 'Basic', 'Bearer' or 'APIKey'"),
        (E, "params must be a list"),
    ],
    "metrics/labels-null-creator.yaml": [(W, "unknown field creator")],
    "metrics/mock-with-tabs.yaml": [(E, "line 7")],
    "metrics/samplesize-object.yaml": [(E, "sampleSize must be text")],
    "metrics/v2alpha1-cadvisor.yaml": [(E, "unsupported apiVersion iter8.tools/v2alpha1")],
    "providers/iter8-v013-custommetrics.yaml": [(E, "not a Kubernetes object")],
}  # fmt: skip
HINTS = {
    "experiments/apispec-versioninfo-null.yaml": "belongs under versionInfo",
    "experiments/cicd-if-not-winnerfound.yaml": "generateName",
    "experiments/etc3-max-iterations.yaml": "iterationsPerLoop",
    "experiments/helm-template-slo-gitops.yaml": "unrendered Helm template",
    "experiments/knative-canary-weights-75-20.yaml": "versionInfo",
    "experiments/knative-condition-key.yaml": "did you mean if",
    "experiments/knative-hybrid-dangling-if.yaml": "lost its if",
    "experiments/lost-indentation.yaml": "copy and paste",
    "metrics/mock-with-tabs.yaml": "a tab is used",
    "providers/iter8-v013-custommetrics.yaml": "Iter8 0.10",
}
FACTS: dict[str, dict[str, Any]] = {
    "canary-loadgen-no-criteria": {"iterations": 10, "interval": 15},
    "conformance-no-objectives": {"iterations": 1, "interval": 1},
    "gitops-generate-name": {"iterations": 10, "interval": 10, "generate": True},
    "istio-quickstart-ab": {"iterations": 5, "interval": 10, "limits": [300.0, 0.01]},
    "kfserving-reward-only": {"iterations": 5, "interval": 5, "limits": []},
    "knative-conformance-limit-zero": {"iterations": 3, "interval": 1, "limits": [50.0, 0.0]},
    "knative-hybrid-ab": {"iterations": 4, "interval": 1},
    "linkerd-trafficsplit": {"iterations": 5, "interval": 10},
    "seldon-iter8-run-if": {"iterations": 5, "interval": 10},
    "seldon-separate-sdeps": {"iterations": 10, "interval": 10, "limits": [2000.0, 5000.0, 0.01]},
    "seldon-single-sdep": {"iterations": 15, "interval": 10},
}
FOLDERS = ("experiments", "metrics", "providers")


def names(corpus: Path) -> list[str]:
    found = (p for folder in FOLDERS for p in (corpus / folder).glob("*.yaml"))
    return sorted(str(p.relative_to(corpus)) for p in found)


def test_every_file_says_what_its_row_asks_for(corpus: Path) -> None:
    wrong = []
    for name in names(corpus):
        documents, findings = read_file(corpus / name)
        findings += [f for d in documents for f in document_findings(d)]
        for severity, text in FINDINGS.get(name, []):
            if not any(f.severity is severity and text in f.message for f in findings):
                wrong.append(f"{name}: no {severity} with {text!r} in {[str(f) for f in findings]}")
        if HINTS.get(name, "") not in " ".join(f.hint for f in findings):
            wrong.append(f"{name}: no hint with {HINTS[name]!r}")
        expects_error = any(severity is E for severity, _ in FINDINGS.get(name, []))
        errors = [f for f in findings if f.severity is E]
        if errors and not expects_error:
            wrong.append(f"{name}: refused: {errors[0]}")
        wrong += [f"{name}: no line: {f}" for f in findings if f.line == 0]
    assert wrong == []


@pytest.mark.parametrize("name", FACTS)
def test_an_experiment_that_loads_has_the_facts_of_its_row(corpus: Path, name: str) -> None:
    documents, _ = read_file(corpus / "experiments" / f"{name}.yaml")
    facts, experiment = FACTS[name], Experiment.model_validate(documents[0].data)

    assert experiment.iterations == facts["iterations"]
    assert experiment.spec.duration.interval_seconds == facts["interval"]
    objectives = experiment.spec.criteria.objectives
    assert facts.get("limits", [o.upper_limit for o in objectives]) == [
        o.upper_limit for o in objectives
    ]
    assert ("generate" in facts) == (experiment.metadata.name is None)


def test_a_quantity_with_a_suffix_and_a_missing_action_load(corpus: Path) -> None:
    documents, _ = read_file(corpus / "experiments" / "etc3-loop-null.yaml")
    data = documents[0].data
    for legacy in ("metrics", "type"):
        data["spec"].pop(legacy, None)
    data["spec"]["strategy"].pop("handlers", None)

    experiment = Experiment.model_validate(data)

    assert [o.upper_limit for o in experiment.spec.criteria.objectives] == [1000.0, 0.01]
    assert (experiment.spec.strategy.actions or {})["loop"] is None


@pytest.mark.parametrize(
    ("name", "count"),
    [("istio-metrics", 6), ("linkerd-metrics", 6), ("seldon-metrics", 6), ("builtin-iter8", 9)],
)
def test_a_file_of_metrics_gives_all_of_them(corpus: Path, name: str, count: int) -> None:
    documents, _ = read_file(corpus / "metrics" / f"{name}.yaml")
    metrics = [Metric.model_validate(d.data) for d in documents if d.kind == "Metric"]

    assert len(metrics) == count
    if name == "istio-metrics":
        sizes = {m.sample_size_key("iter8-istio") for m in metrics if m.spec.sample_size}
        assert sizes == {"iter8-istio/request-count"}
        assert [m.level for m in metrics[0].spec.mock] == [15.0, 20.0]
    if name == "linkerd-metrics":
        assert [m.level for m in metrics[0].spec.mock] == [5.0, 10.0]
        assert metrics[0].key("test") == "test/user-engagement"
