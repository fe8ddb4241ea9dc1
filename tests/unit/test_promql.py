"""Queries as trees: what lint reads of them."""

from __future__ import annotations

import pytest

from crossfade.lint.promql import parse
from crossfade.lint.series import ANY, OTHERS, spread


@pytest.mark.parametrize(
    ("query", "labels"),
    [
        ("sum(x)", set()),
        ("x", {ANY}),
        ("rate(x[1m]) / rate(y[1m])", {ANY}),
        ("sum by (pod) (rate(x[1m]))", {"pod"}),
        ("sum by (pod) (x) / on() group_left() sum(y)", {"pod"}),
        ("sum by (version) (x{version='$name'}) / sum by (version) (y{version='$name'})", set()),
        ("sum by (version) (x{version='$name'}) / sum by (version) (y{version=~'$name.*'})",
         {"version"}),
        ("sum by (pod) (sum without (code) (x))", {"pod"}),
        ("sum without (pod) (x)", {OTHERS}),
        ("sum without (pod) (sum by (pod) (x))", set()),
        ("max(sum by (pod) (x))", set()),
        ("topk(1, x)", {ANY}),
        ("topk(1, sum(x))", set()),
        ("count_values('v', x)", {"v"}),
        ("histogram_quantile(0.9, sum by (le) (rate(x_bucket[1m])))", set()),
        ("histogram_quantile(0.9, sum by (le, pod) (rate(x_bucket[1m])))", {"pod"}),
        ("(sum(x) or on() vector(0)) / (sum(y) > 0)", set()),
        ("sum(x) and on() y", set()),
        ("-avg_over_time(sum(x)[5m:])", set()),
        ("scalar(sum by (pod) (x))", set()),
    ],
)  # fmt: skip
def test_the_labels_by_which_a_query_s_series_differ(query: str, labels: set[str]) -> None:
    tree = parse(query).tree

    assert tree is not None
    assert spread(tree) == labels
