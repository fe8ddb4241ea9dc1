"""Read the files that a command names, and stop at what is wrong in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from crossfade.errors import Finding, Severity, SpecError
from crossfade.lint import lint, stopping
from crossfade.lint.rule import Context
from crossfade.routes import Rule, references_by_object, resolve
from crossfade.spec.loading import load
from crossfade.spec.rollout import Bundle, Policy
from crossfade.spec.source import Document, Loaded


def read(
    paths: Sequence[Path], settings: Sequence[str] = (), policy: str | None = None, *,
    scrape_seconds: float | None = None,
) -> Loaded:  # fmt: skip
    """Load the files and lint them; the findings of both are in the answer.

    ``settings`` are ``NAME=VALUE`` texts that replace NAME in load files; ``scrape_seconds`` is how
    far apart scrapes are at most, where the command knows.
    """
    loaded = load([*paths], substitutions=_pairs(settings))
    if loaded.bundle is None:
        return loaded
    bundle = loaded.bundle
    if policy is not None:
        bundle = bundle.model_copy(update={"policy": _policy(bundle, policy)})
    if scrape_seconds is not None:
        own = bundle.prometheus.get("scrape_interval") or scrape_seconds
        prometheus = {**bundle.prometheus, "scrape_interval": min(float(own), scrape_seconds)}
        bundle = bundle.model_copy(update={"prometheus": prometheus})
    loaded = Loaded(bundle, loaded.findings, loaded.documents)
    found = (*loaded.findings, *lint(loaded), *_unanswerable(loaded, bundle))
    return Loaded(bundle, found, loaded.documents)


def _unanswerable(loaded: Loaded, bundle: Bundle) -> Iterator[Finding]:
    """Yield what no metric source here can answer, before anything is deployed for it."""
    from crossfade_steps.metrics import refused_settings, unanswerable

    context = Context.of(loaded)
    refused = refused_settings({"prometheus": bundle.prometheus})
    if refused is not None:
        rollout = next((d for d in loaded.documents if d.kind == "Rollout"), Document("", {}))
        yield rollout.finding(Severity.ERROR, "Source", str(refused),
                              path=("spec", "prometheus"), hint=refused.hint)  # fmt: skip
    for key, metric in bundle.metrics.items():
        error = unanswerable(metric)
        if error is not None:
            yield context.metric_document(key).finding(
                Severity.ERROR, "Source", str(error), path=("spec",), hint=error.hint
            )


def bundle_of(loaded: Loaded, *, despite: Sequence[str] = ()) -> Bundle:
    """Return the bundle.  Raises ``SpecError`` with the errors that stand in the way of one.

    The predecessor's own traps (rules D...) are told but do not stop anything: its files run.
    Nor do the rules that a command is there to look into (``despite``).
    """
    errors = [f for f in loaded.findings if f.severity is Severity.ERROR]
    if loaded.bundle is not None:
        errors = stopping(errors, despite)
    if loaded.bundle is None or errors:
        raise SpecError(f"{len(errors)} error(s) in what was given", findings=errors)
    return loaded.bundle


def weights_at_start(bundle: Bundle) -> tuple[int, ...]:
    """Return the versions' weights in the objects that are deployed, none where they are not known.

    Only of one routing object: of several it is not known which says more.
    """
    rules = _deployed_rules(bundle)
    if len(rules) != 1 or len(rules[0].versions) != len(bundle.experiment.versions):
        return ()
    with suppress(SpecError):
        return tuple(rules[0].percent().values())
    return ()


def pins_users(bundle: Bundle) -> bool:
    """Return whether a routing object that is deployed keeps users with the version they met."""
    return any(rule.sticky for rule in _deployed_rules(bundle))


def _deployed_rules(bundle: Bundle) -> list[Rule]:
    """Return the rules of the routing objects, of those that are among the documents deployed."""
    experiment, found = bundle.experiment, list[Rule]()
    groups = references_by_object(experiment.versions, experiment.namespace)
    for (_, kind, _, name), references in groups.items():
        for manifest in bundle.deploy:
            if (manifest.get("kind"), (manifest.get("metadata") or {}).get("name")) == (kind, name):
                with suppress(SpecError):
                    found.append(resolve(manifest, references))
    return found


def _policy(bundle: Bundle, name: str) -> Policy:
    """Return the named policy; the file's settings belong to the policy that it names."""
    return bundle.policy if bundle.policy.name == name else Policy(name=name)


def _pairs(settings: Sequence[str]) -> dict[str, str]:
    pairs = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not name or not equals:
            raise SpecError(f"--set {setting!r}: expected NAME=VALUE")
        pairs[name] = value
    return pairs
