"""Rules about the windows of queries: their unit, and whether two scrapes fall into them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from crossfade import policies
from crossfade.counting import SCRAPE_SECONDS
from crossfade.errors import Severity
from crossfade.lint.rule import Asked, Context, Place, rule

TWO_SAMPLES = {"rate", "increase", "irate", "delta", "idelta", "deriv", "predict_linear"}
_TEXT = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|`[^`]*`|#[^\n]*")
_BARE = re.compile(r"\[\s*(\d+(?:\.\d+)?)\s*[\]:]|:\s*(\d+(?:\.\d+)?)\s*\]")


@rule(
    "Bare",
    "a window that is a number without a unit",
    "write the unit: [60s]; Prometheus before 3 refuses the query",
)
def number_as_window(context: Context) -> Iterator[Place]:
    """Find ``[60]``, which the parser of lint and Prometheus 3 take for seconds."""
    for asked in context.asked:
        for match in _BARE.finditer(_TEXT.sub("", asked.metric.query or "")):
            yield asked.place(f"window {match[0]} has no unit")


@rule(
    "Window",
    "a rate over a window shorter than two scrapes has no value",
    "make the window at least twice spec.prometheus.scrape_interval",
    Severity.ERROR,
)
def window_under_two_scrapes(context: Context) -> Iterator[Place]:
    """Find windows in which the store has one sample at most, under a policy that reads values."""
    if _stated(context) and not policies.counts(context.bundle.policy.name):
        yield from _narrow(context)


@rule(
    "Narrow",
    "a rate over a window that may be shorter than two scrapes",
    "make it at least twice the scrape interval, or state spec.prometheus.scrape_interval",
)
def window_perhaps_under_two_scrapes(context: Context) -> Iterator[Place]:
    """Find them where counts are read beside the value, or the scrapes are only supposed."""
    if not _stated(context) or policies.counts(context.bundle.policy.name):
        yield from _narrow(context)


def _stated(context: Context) -> float:
    return float(context.bundle.prometheus.get("scrape_interval") or 0)


def _narrow(context: Context) -> Iterator[Place]:
    scrape = _stated(context) or SCRAPE_SECONDS
    for asked in context.asked:
        for window in sorted(_windows(asked)):
            if window < 2 * scrape:
                yield asked.place(f"window {window:g} s is less than two scrapes of {scrape:g} s")


def _windows(asked: Asked) -> set[float]:
    """Return the windows, in seconds, of functions that need two samples."""
    return {selector.range_seconds for selector in asked.query.selectors()
            if selector.range_seconds and TWO_SAMPLES & set(selector.functions[-1:])}  # fmt: skip
