"""Lint: what is wrong or unwise in a rollout, beyond what keeps it from loading."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydantic import ValidationError

from crossfade import policies
from crossfade.errors import Finding, Severity, SpecError
from crossfade.lint import (  # the import registers their rules
    credentials,
    experiments,
    looping,
    manifests,
    named,
    queries,
    ratios,
    series,
    sources,
    twice,
    units,
    windows,
)
from crossfade.lint.rule import RULES, Context, Rule
from crossfade.spec.rollout import Bundle, Policy
from crossfade.spec.source import Loaded, field_path, mapped

__all__ = [
    "RULES",
    "Rule",
    "accepted",
    "credentials",
    "experiments",
    "lint",
    "looping",
    "manifests",
    "named",
    "queries",
    "ratios",
    "series",
    "sources",
    "twice",
    "units",
    "windows",
]


def lint(loaded: Loaded) -> tuple[Finding, ...]:
    """Return the findings of every rule and of the policy; none when there is no bundle.

    What the rollout's policy lists under ``accept`` is left out: somebody has decided about it.
    """
    if loaded.bundle is None:
        return ()
    context = Context.of(loaded)
    broken = _broken_policy(context)
    found = [finding for rule in RULES for finding in _found(rule, context, broken)]
    told = broken or _unsafe(context)
    return tuple(dict.fromkeys([*_without_echoes(found), *told]))


def _found(rule: Rule, context: Context, broken: Sequence[Finding]) -> list[Finding]:
    """Return a rule's findings; none where it asks a policy that is itself a finding."""
    try:
        return list(rule.findings(context))
    except SpecError:
        if broken:
            return []
        raise


def _without_echoes(found: Sequence[Finding]) -> list[Finding]:
    """Return the findings without those that follow from a placeholder without a value (C10).

    A query whose variable is misspelt asks the same for every version, too.
    """
    unfilled = {f.where for f in found if f.rule == "C10"}
    return [f for f in found if f.rule != "C63" or f.where not in unfilled]


def stopping(findings: Iterable[Finding], despite: Sequence[str] = ()) -> list[Finding]:
    """Return the errors that stop a rollout.

    The predecessor's own traps (rules D...) are told but stop nothing: its files run.  Nor do the
    rules that somebody is there to look into (``despite``), and what Argo alone cannot do: the
    compiler refuses that, in the loop that is asked for.
    """
    fine = (*despite, *looping.OF_ARGO)
    return [f for f in findings if f.severity is Severity.ERROR
            and not (f.rule.startswith("D") or f.rule in fine)]  # fmt: skip


def _broken_policy(context: Context) -> list[Finding]:
    """Return what is wrong with the policy's name or settings, where the rollout writes it."""
    try:
        policies.settings(context.bundle.policy)
    except SpecError as error:
        finding = Finding(Severity.ERROR, "Policy", str(error), error.hint)
        cause = error.__cause__
        own = cause.errors()[0]["loc"] if isinstance(cause, ValidationError) else ("name",)
        rollout, path = context.rollout_document, ("spec", "policy", *own)
        if not _is_written(context):
            return [finding]
        return [finding.at(file=rollout.file, line=rollout.line(path), field=field_path(path))]
    return []


def _unsafe(context: Context) -> list[Finding]:
    """Return what the policy may do that its user would regret, at what lets it do so."""
    bundle = context.bundle
    listed = getattr(policies.settings(bundle.policy), "accept", ())
    written = _is_written(context)
    document = context.rollout_document if written else context.experiment_document
    path = ("spec", "policy" if written else "strategy")
    line, field = document.line(path), field_path(path)
    unsafe = policies.load(bundle.policy.name).unsafe(context.experiment)
    return [
        f.at(file=document.file, line=line, field=field) for f in unsafe if f.rule not in listed
    ]


def _is_written(context: Context) -> bool:
    """Return whether the policy is the rollout's, and none that a command was asked for."""
    written = mapped(context.rollout_document.data, ("spec", "policy"))
    return bool(written) and written.get("name", Policy().name) == context.bundle.policy.name


def accepted(bundle: Bundle) -> tuple[Finding, ...]:
    """Return the unsafe behaviours of the policy that the rollout's ``policy.accept`` lists.

    Lint leaves them out; the command that starts a run says them all the same.
    """
    listed = getattr(policies.settings(bundle.policy), "accept", ())
    unsafe = policies.load(bundle.policy.name).unsafe(bundle.experiment)
    return tuple(finding for finding in unsafe if finding.rule in listed)
