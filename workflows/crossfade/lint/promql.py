"""PromQL as a tree: what a query selects, over which windows, and what it divides by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from string import Template
from typing import Any

import promql_parser

from crossfade.spec.interpolation import ELAPSED, placeholders

ELAPSED_STAND_IN = 86_399
"""A window of this many seconds in a parsed query was ``[${elapsedTime}s]`` in the text."""


@dataclass(frozen=True, slots=True)
class Selector:
    """One selected metric: its name, its matchers (label, operator, value), its window."""

    name: str
    matchers: tuple[tuple[str, str, str], ...]
    range_seconds: float | None
    functions: tuple[str, ...]

    def matcher(self, label: str) -> tuple[str, str] | None:
        """Return (operator, value) of a label's matcher, None when the label is not matched."""
        return next(((op, value) for name, op, value in self.matchers if name == label), None)


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed query, or why it does not parse."""

    tree: Any
    error: str = ""

    def selectors(self) -> tuple[Selector, ...]:
        """Return everything the query selects, with the functions around it, outermost first."""
        return selectors_of(self.tree) if self.tree is not None else ()

    def divisions(self) -> tuple[Any, ...]:
        """Return the denominators of every division."""
        return tuple(_denominators(self.tree)) if self.tree is not None else ()

    def zeroed(self) -> bool:
        """Return whether ``... or vector(0)`` makes a quotient 0 where there is none."""
        return self.tree is not None and any(
            guards_with_zero(tree) and any(True for _ in _denominators(bare(tree).lhs))
            for tree in _within(self.tree)
        )

    @property
    def divides(self) -> bool:
        """Return whether the query divides anything."""
        return bool(self.divisions())


@cache
def parse(text: str) -> Query:
    """Parse a query with stand-ins for its placeholders.

    A placeholder inside a label's value stays text; one that stands for whole matchers or for a
    window does not parse with a word in its place, so a second try puts a matcher there.
    """
    words = {name: "x" for name in placeholders(text)}
    matchers = {name: 'x="x"' for name in words}
    first = ""
    for values in (words, matchers):
        filled = Template(text).safe_substitute({**values, ELAPSED: str(ELAPSED_STAND_IN)})
        try:
            return Query(promql_parser.parse(filled))
        except ValueError as error:
            first = first or str(error)
    return Query(None, first)


def guards_with_zero(tree: Any) -> bool:
    """Return whether an expression is ``... or vector(0)``: a denominator that becomes 0."""
    tree = bare(tree)
    if not isinstance(tree, promql_parser.BinaryExpr) or not operator(tree).startswith("or"):
        return False
    right = bare(tree.rhs)
    return isinstance(right, promql_parser.Call) and right.func.name == "vector"


def operator(tree: Any) -> str:
    """Return a binary expression's operator, with its modifiers."""
    return str(tree.op).strip()


def bare(tree: Any) -> Any:
    """Return an expression without parentheses around it."""
    while isinstance(tree, promql_parser.ParenExpr):
        tree = tree.expr
    return tree


def _within(tree: Any) -> Iterator[Any]:
    """Yield an expression and everything that it is made of."""
    tree = bare(tree)
    yield tree
    if isinstance(tree, promql_parser.BinaryExpr):
        yield from _within(tree.lhs)
        yield from _within(tree.rhs)
    for child in children(tree):
        yield from _within(child)


def _denominators(tree: Any) -> Iterator[Any]:
    for part in _within(tree):
        divides = isinstance(part, promql_parser.BinaryExpr) and operator(part).startswith("/")
        if divides and not isinstance(bare(part.rhs), promql_parser.NumberLiteral):
            yield part.rhs  # a number only makes another unit


def children(tree: Any) -> tuple[Any, ...]:
    """Return what a function, an aggregation or a sign is put to."""
    if isinstance(tree, promql_parser.Call):
        return tuple(tree.args)
    if isinstance(tree, promql_parser.AggregateExpr | promql_parser.UnaryExpr):
        return (tree.expr,)
    return (tree.expr,) if isinstance(tree, promql_parser.SubqueryExpr) else ()


def selectors_of(tree: Any) -> tuple[Selector, ...]:
    """Return everything an expression selects."""
    return tuple(_selectors(tree, ()))


def _selectors(tree: Any, functions: tuple[str, ...]) -> Iterator[Selector]:
    tree = bare(tree)
    if isinstance(tree, promql_parser.MatrixSelector):
        seconds = tree.range.total_seconds()
        yield _selector(tree.vector_selector, seconds, functions)
    elif isinstance(tree, promql_parser.VectorSelector):
        yield _selector(tree, None, functions)
    elif isinstance(tree, promql_parser.BinaryExpr):
        yield from _selectors(tree.lhs, functions)
        yield from _selectors(tree.rhs, functions)
    else:
        name = tree.func.name if isinstance(tree, promql_parser.Call) else ""
        inner = (*functions, name) if name else functions
        for child in children(tree):
            yield from _selectors(child, inner)


_OPERATORS = {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}


def _selector(node: Any, seconds: float | None, functions: tuple[str, ...]) -> Selector:
    matchers = tuple(
        (m.name, _OPERATORS.get(str(m.op).rpartition(".")[2], str(m.op)), m.value)
        for m in node.matchers.matchers
    )
    name = node.name or next((v for n, op, v in matchers if n == "__name__" and op == "="), "")
    return Selector(str(name), matchers, seconds, functions)
