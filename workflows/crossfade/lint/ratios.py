"""Rules about ratios of counts and their limits."""

from __future__ import annotations

from collections.abc import Iterator

from crossfade.lint.rule import Asked, Context, Place, rule
from crossfade.lint.shapes import shapes
from crossfade.spec.experiment import qualified
from crossfade.verdict import Shape

RATIO_LIMIT = 0.5
CODES = ("code", "status", "status_code", "response_code", "http_status", "http_status_code")
"""Labels for the HTTP code of an answer."""


@rule(
    "C67",
    "a ratio's limit is none: almost anything meets it, or nothing does",
    "write the limit as a fraction: 0.01 is 1 %",
)
def generous_ratio(context: Context) -> Iterator[Place]:
    """Find ratios whose limit is no objective (faults C67: error rate below 0.95)."""
    known, namespace = shapes(context.bundle), context.experiment.namespace
    for asked in context.asked:
        if not is_ratio(asked):
            continue
        shape = known.get(asked.key)
        scale = scale_of(shape)
        for own in context.experiment.spec.criteria.objectives:
            if qualified(own.metric, namespace) != asked.key:
                continue
            if own.upper_limit is not None and own.upper_limit >= RATIO_LIMIT * scale:
                yield asked.place(f"is a ratio and its upper limit is {own.upper_limit:g}")
            if own.lower_limit is not None and shape is not None and not shape.guessed:
                yield from _lower(asked, own.lower_limit, scale)


def _lower(asked: Asked, limit: float, scale: float) -> Iterator[Place]:
    """Yield a lower limit that no fraction reaches, or that nearly no success ratio misses.

    Of other fractions (what a cache hits) little may be much.
    """
    if limit > scale:
        yield asked.place(f"is at most {scale:g}, and its lower limit is {limit:g}")
    elif limit < RATIO_LIMIT * scale and _of_successes(asked):
        yield asked.place(f"is a ratio of what went well, and its lower limit is {limit:g}")


def _of_successes(asked: Asked) -> bool:
    """Return whether the numerator selects by an answer's code what went well."""
    codes = [asked.query.selectors()[0].matcher(label) for label in CODES]
    return any(
        found is not None and (found[1].startswith("2") if found[0] in ("=", "=~") else
                               found[1].startswith(("4", "5", "[45]")))
        for found in codes
    )  # fmt: skip


def is_ratio(asked: Asked) -> bool:
    """Return whether a query divides counts by counts."""
    names = [selector.name for selector in asked.query.selectors()]
    counts = all(name.endswith(("_count", "_total")) for name in names)
    return asked.query.divides and bool(names) and counts


def scale_of(shape: Shape | None) -> float:
    """Return the factor in a query, 100 for percent."""
    return 1.0 if shape is None else shape.scale
