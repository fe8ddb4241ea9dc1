"""What lint says of public metric files when they are bound to an experiment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crossfade.lint import lint
from crossfade.spec.assembly import assemble
from crossfade.spec.documents import read_file
from crossfade.spec.source import Document, Loaded

EXPECTED = {
    "metrics/elapsedtime-without-unit.yaml": {"Unit"},
    "metrics/version-variable-undefined.yaml": set(),
    "metrics/seldon-metrics.yaml": {"D1", "D2", "D3", "D4", "D5", "D10", "D12"},
    "providers/newrelic-embedded-key.yaml": {"Credential"},
    "providers/newrelic-prometheus-jq.yaml": {"Credential", "Jq"},
    "providers/prometheus-basic-userfilter.yaml": {"Url"},
    "providers/sysdig-post-body.yaml": {"Credential"},
    "providers/elastic-basic-auth.yaml": set(),
}
VARIABLES = ("sid", "ns", "predictor", "revision", "namespace", "version")


def variables(mark: str) -> list[dict[str, str]]:
    values = [{"name": name, "value": f"x-{mark}"} for name in VARIABLES]
    return [*values, {"name": "userfilter", "value": f'usergroup!~"wakanda{mark}"'}]


def bound(documents: list[Document]) -> list[Document]:
    """Return the metrics with an experiment that asks for all of them."""
    metrics = [d for d in documents if d.kind == "Metric"]
    names = ["/".join(filter(None, (d.data["metadata"].get("namespace"), d.name))) for d in metrics]
    reward = next((n for n in names if "engagement" in n), names[0])
    spec: dict[str, Any] = {
        "target": "t",
        "strategy": {"testingPattern": "A/B"},
        "criteria": {
            "objectives": [{"metric": n, "upperLimit": 2000} for n in names if n != reward],
            "rewards": [{"metric": reward, "preferredDirection": "High"}],
        },
        "versionInfo": {
            "baseline": {"name": "a", "variables": variables("1")},
            "candidates": [{"name": "b", "variables": variables("2")}],
        },
    }
    experiment = {"apiVersion": "iter8.tools/v2alpha2", "kind": "Experiment",
                  "metadata": {"name": "e", "namespace": "default"}, "spec": spec}  # fmt: skip
    return [Document("experiment.yaml", experiment), *metrics]


@pytest.mark.parametrize("name", EXPECTED)
def test_lint_says_what_the_row_asks_for(corpus: Path, name: str) -> None:
    documents, _ = read_file(corpus / name)
    whole = tuple(bound(documents))
    bundle, problems = assemble(whole, {})

    assert [p.message for p in problems if "request-count" not in p.message] == []
    rules = {finding.rule for finding in lint(Loaded(bundle, (), whole))}
    assert EXPECTED[name] <= rules
    assert not {"PromQL", "C10"} & rules


def test_an_undefined_variable_is_an_error_before_the_rollout_starts(corpus: Path) -> None:
    documents, _ = read_file(corpus / "metrics" / "version-variable-undefined.yaml")
    whole = bound(documents)
    for version in (whole[0].data["spec"]["versionInfo"]["baseline"],):
        version["variables"] = [v for v in version["variables"] if v["name"] != "version"]
    bundle, _ = assemble(whole, {})
    assert bundle is not None

    findings = lint(Loaded(bundle, (), tuple(whole)))

    assert any(f.rule == "C10" and "$version is not defined" in f.message for f in findings)
