"""Lint on the predecessor's example finds what its table of defects names; on ours, nothing."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from crossfade.lint import lint
from crossfade.spec.loading import load
from crossfade.spec.rollout import Policy
from crossfade.spec.source import Loaded

SEED = Path(__file__).resolve().parents[3] / "shared" / "seed"
EXAMPLE = Path(__file__).resolve().parents[2] / "workflows" / "examples" / "iris"
FILES = {
    "D1": {"metrics.yaml"}, "D2": {"metrics.yaml"}, "D3": {"metrics.yaml"}, "D4": {"metrics.yaml"},
    "D5": {"metrics.yaml"}, "D6": {"experiment.yaml"}, "D7": {"metrics.yaml"},
    "D8": {"metrics.yaml"}, "D9": {"experiment.yaml"}, "D10": {"metrics.yaml"},
    "D11": {"fortio.yaml"}, "D12": {"metrics.yaml"}, "D15": {"experiment.yaml"},
    "D16": {"experiment.yaml"}, "D18": {"promote-v1.yaml", "promote-v2.yaml"},
    "D20": {"experiment.yaml"}, "D22": {"experiment.yaml"}, "D23": {"fortio.yaml"},
    "D24": {"fortio.yaml"}, "D26": {"metrics.yaml"}, "D27": {"baseline.yaml", "candidate.yaml"},
    "D30": {"experiment.yaml"}, "V9": {"experiment.yaml"}, "V26": {"experiment.yaml"},
}  # fmt: skip
OF_METRICS = {
    "D1": ["request-count"],
    "D2": ["95th-percentile-tail-latency", "mean-latency"],
    "D3": ["95th-percentile-tail-latency", "mean-latency", "request-count"],
    "D4": ["error-rate"],
    "D5": ["error-rate", "mean-latency"],
    "D10": ["user-engagement"],
    "D12": ["user-engagement"],
}


OF_ITER8 = {"D22", "D30", "V9", "V26"}
"""What the predecessor's rule does with the experiment; the default policy does not."""


def by_policy(name: str) -> Loaded:
    loaded = load([SEED])
    assert loaded.bundle is not None
    bundle = loaded.bundle.model_copy(update={"policy": Policy(name=name)})
    return Loaded(bundle, loaded.findings, loaded.documents)


def test_the_default_policy_does_not_have_the_predecessor_s_own_defects() -> None:
    found = {finding.rule for finding in lint(by_policy("evidence"))}

    assert found == set(FILES) - OF_ITER8 - {"D6"} | {"E1"}
    assert lint(load([SEED])) == lint(by_policy("evidence"))


def test_the_seed_has_exactly_the_defects_that_its_files_show() -> None:
    loaded = by_policy("iter8")
    findings = lint(loaded)

    places: dict[str, set[str]] = {}
    for finding in findings:
        places.setdefault(finding.rule, set()).add(Path(finding.file).name)
    assert loaded.findings == ()
    assert places == FILES
    for rule, names in OF_METRICS.items():
        texts = sorted(f.message.split("/")[1].split(":")[0] for f in findings if f.rule == rule)
        assert texts == names
    assert all(f.line for f in findings if f.field != "spec.policy")
    assert Counter(f.severity.value for f in findings)["error"] == len(OF_METRICS["D2"])


def test_the_corrected_example_has_no_finding() -> None:
    loaded = load([EXAMPLE])

    assert loaded.findings == ()
    assert lint(loaded) == ()
