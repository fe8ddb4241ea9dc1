"""Lint: what is wrong or unwise in a rollout, beyond what keeps it from loading."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from crossfade import policies
from crossfade.errors import Finding, Severity, SpecError
from crossfade.lint import (  # the import registers their rules
    credentials,
    experiments,
    looping,
    manifests,
    queries,
    ratios,
    series,
    sources,
    units,
)
from crossfade.lint.rule import RULES, Context, Rule
from crossfade.spec.rollout import Bundle
from crossfade.spec.source import Loaded

__all__ = [
    "RULES",
    "Rule",
    "accepted",
    "credentials",
    "experiments",
    "lint",
    "looping",
    "manifests",
    "queries",
    "ratios",
    "series",
    "sources",
    "units",
]


def lint(loaded: Loaded) -> tuple[Finding, ...]:
    """Return the findings of every rule and of the policy; none when there is no bundle.

    What the rollout's policy lists under ``accept`` is left out: somebody has decided about it.
    """
    if loaded.bundle is None:
        return ()
    context = Context.of(loaded)
    found = [finding for rule in RULES for finding in rule.findings(context)]
    return tuple(dict.fromkeys([*found, *_policy_findings(context)]))


def stopping(findings: Iterable[Finding], despite: Sequence[str] = ()) -> list[Finding]:
    """Return the errors that stop a rollout.

    The predecessor's own traps (rules D...) are told but stop nothing: its files run.  Nor do the
    rules that somebody is there to look into (``despite``), and what Argo alone cannot do: the
    compiler refuses that, in the loop that is asked for.
    """
    fine = (*despite, *looping.OF_ARGO)
    return [f for f in findings if f.severity is Severity.ERROR
            and not (f.rule.startswith("D") or f.rule in fine)]  # fmt: skip


def _policy_findings(context: Context) -> list[Finding]:
    policy, place = context.bundle.policy, context.experiment_document
    try:
        settings = policies.settings(policy)
    except SpecError as error:
        finding = Finding(Severity.ERROR, "Policy", str(error), error.hint, field="spec.policy")
        return [finding.at(file=place.file)]
    accepted = getattr(settings, "accept", ())
    unsafe = policies.load(policy.name).unsafe(context.experiment)
    return [f.at(file=place.file) for f in unsafe if f.rule not in accepted]


def accepted(bundle: Bundle) -> tuple[Finding, ...]:
    """Return the unsafe behaviours of the policy that the rollout's ``policy.accept`` lists.

    Lint leaves them out; the command that starts a run says them all the same.
    """
    listed = getattr(policies.settings(bundle.policy), "accept", ())
    unsafe = policies.load(bundle.policy.name).unsafe(bundle.experiment)
    return tuple(finding for finding in unsafe if finding.rule in listed)
