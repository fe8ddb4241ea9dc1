"""Decision rules, one file each.  The folder is the registry.

A policy is a module with ``Settings`` (a pydantic model), ``decide`` and ``unsafe``.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Mapping
from typing import Any, Protocol, cast

from pydantic import BaseModel, ValidationError

from crossfade.errors import Finding, SpecError
from crossfade.spec.experiment import Experiment
from crossfade.spec.rollout import Policy
from crossfade.verdict import Decision, Observation, Shape

State = Mapping[str, Any]


class PolicyModule(Protocol):
    """What a policy's file offers."""

    Settings: type[BaseModel]

    def decide(
        self, experiment: Experiment, settings: Any, observation: Observation, state: State
    ) -> tuple[Decision, State]:
        """Return the decision and the state that the next iteration gets (JSON-compatible)."""

    def unsafe(self, experiment: Experiment) -> tuple[Finding, ...]:
        """Return what this policy may do with the experiment that its user would regret."""


def names() -> tuple[str, ...]:
    """Return every policy's name."""
    return tuple(info.name for info in pkgutil.iter_modules(__path__))


def load(name: str) -> PolicyModule:
    """Return the policy of that name.  Raises ``SpecError`` naming the ones there are."""
    known = names()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        raise SpecError(
            f"policy {name!r} is not known, expected one of {', '.join(known)}",
            hint=f"did you mean {near[0]}" if near else "",
        )
    return cast(PolicyModule, importlib.import_module(f"{__name__}.{name}"))


def counts(name: str) -> bool:
    """Return whether a policy decides by increments of counts instead of values."""
    return bool(getattr(load(name), "COUNTS", False))


def rules(name: str) -> int:
    """Return the number of a policy's rules: another one may decide the same readings otherwise."""
    return int(getattr(load(name), "RULES", 1))


def watch(policy: Policy) -> int:
    """Return how many intervals a run may take past its last iteration: a winner is watched.

    As many looks as the watch has may be unread, and are made up for.
    """
    return 2 * int(getattr(settings(policy), "bake", 0))


def informed(policy: Policy, experiment: Experiment, observation: Observation) -> bool:
    """Return whether an interval before the first one may count as the first.

    It does when the baseline served in it and no candidate did.
    """
    found = getattr(load(policy.name), "informed", None)
    return bool(found and found(experiment, settings(policy), observation))


def comparable(policy: Policy, shape: Shape | None) -> bool:
    """Return whether the policy can compare a reward that counts so (None: a bare value)."""
    found = getattr(load(policy.name), "comparable", None)
    return found is None or bool(found(shape, settings(policy)))


def alarmed(policy: Policy, experiment: Experiment, observation: Observation, state: State) -> bool:
    """Return whether what is seen before an iteration is due must end the run now."""
    found = getattr(load(policy.name), "alarmed", None)
    return bool(found and found(experiment, settings(policy), observation, state))


def settings(policy: Policy) -> BaseModel:
    """Return the policy's settings, checked by its own file.

    Raises ``SpecError`` naming the setting, for an unknown policy too.
    """
    module = load(policy.name)
    try:
        return module.Settings.model_validate(policy.settings)
    except ValidationError as error:
        details = error.errors(include_url=False)[0]
        field = ".".join(map(str, details["loc"]))
        raise SpecError(
            f"policy {policy.name}: {field}: {details['msg'].lower()}",
            hint=f"it takes {', '.join(module.Settings.model_fields) or 'no settings'}",
        ) from error
