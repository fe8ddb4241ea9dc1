"""A trial as JSON-compatible values and back: what a policy's state carries between iterations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np

from crossfade.evidence.process import Process
from crossfade.evidence.rules import Design, Rules
from crossfade.evidence.trial import Trial, begin

DIGITS = 10
"""Decimals kept: the state itself is what the next decision starts from, so replay is exact."""


def stored(trial: Trial) -> dict[str, Any]:
    """Return the trial's values."""
    return {field.name: _value(getattr(trial, field.name)) for field in fields(trial)}


def _value(value: Any) -> Any:
    if isinstance(value, Process):
        most = None if value.most is None else np.round(value.most, DIGITS).tolist()
        return {"looks": value.looks, "log": np.round(value.log, DIGITS).tolist(), "most": most}
    if isinstance(value, np.ndarray):
        return np.round(value, DIGITS).tolist()
    if isinstance(value, tuple):
        return [_value(item) for item in value]
    return round(value, DIGITS) if isinstance(value, float) else value


def restored(values: Mapping[str, Any], rules: Rules, design: Design) -> Trial:
    """Return the trial that was stored, or a fresh one when nothing was."""
    fresh = begin(rules, design)
    if not values:
        return fresh
    if "reward" in values and "rewarded" not in values:
        # a state from before the two were told apart: rewards were of as many values as requests
        values = {**values, "rewarded": values["requests"]}
    columns = fresh.scatter.shape[1]  # of an older release's state it is learned anew
    values = {name: value for name, value in values.items()
              if name not in ("scatter", "crowding") or len(value[0]) == columns}  # fmt: skip
    changes = {name: _like(getattr(fresh, name), value) for name, value in values.items()}
    return replace(fresh, **changes)


def _like(sample: Any, value: Any) -> Any:
    if isinstance(sample, Process):
        log = np.array(value["log"], float).reshape(sample.log.shape)
        given = value.get("most")
        most = None if given is None else np.array(given, float).reshape(log.shape[:-1])
        return Process(log, value["looks"], sample.restarts, most)
    if isinstance(sample, np.ndarray):
        return np.array(value, float).reshape(sample.shape)
    return tuple(value) if isinstance(sample, tuple) else value
