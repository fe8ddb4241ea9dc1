"""Queries as people write them, and the counters under them."""

from __future__ import annotations

import pytest

from crossfade.counting import counted, counting
from crossfade.growth import increments
from crossfade.verdict import Counts, Shape

OWN = 'requests_seconds_count{ns="a"}'
SUM, BUCKET = 'requests_seconds_sum{ns="a"}', 'requests_seconds_bucket{ns="a"}'
BAD = 'requests_seconds_count{ns="a",code!~"2.."}'


@pytest.mark.parametrize(
    ("query", "kind", "selectors"),
    [
        (f"sum(increase({OWN}[20s]))", "total", (OWN,)),
        (f"sum({OWN})", "total", (OWN,)),
        (
            f"(sum(increase({BAD}[20s])) or on() vector(0)) / (sum(increase({OWN}[20s])) > 0)",
            "fraction", (BAD, OWN),
        ),
        (f"sum(rate({SUM}[1m])) / sum(rate({OWN}[1m]))", "mean", (SUM, OWN)),
        (
            f"histogram_quantile(0.95, sum(rate({BUCKET}[20s])) by (le))",
            "quantile", (BUCKET,),
        ),
    ],
)  # fmt: skip
def test_the_counters_of_a_query(query: str, kind: str, selectors: tuple[str, ...]) -> None:
    found = counting(query)

    assert found is not None
    assert (found.shape.kind, found.selectors) == (kind, selectors)


@pytest.mark.parametrize("form", ["100 * {0} / {1}", "({0} / {1}) * 100", "{0} / {1} * 100"])
def test_percent_is_a_scale(form: str) -> None:
    found = counting(form.format(f"sum(rate({BAD}[1m]))", f"sum(rate({OWN}[1m]))"))

    assert found is not None
    assert (found.shape, found.selectors) == (Shape("fraction", scale=100), (BAD, OWN))


@pytest.mark.parametrize(
    "query",
    [
        "avg(temperature)",
        f"sum(rate({BAD}[1m])) / sum(increase({OWN}[1m]))",
        f"sum(rate({OWN}[1m] offset 5m))",
        f"max(rate({OWN}[1m]))",
        f"sum by (pod) (rate({OWN}[1m]))",
        f"sum(rate({BAD}[1m])) + sum(rate({OWN}[1m]))",
        "histogram_quantile(0.9, something)",
        f"sum(rate({OWN}[1m]) > bool 0)",
        'sum(rate({__name__=~"a_.*"}[1m])) / sum(rate(requests_total[1m]))',
        "sum(rate(revenue_total[1m]))",
        "sum(rate(errors_total[1m])) / sum(rate(cpu_seconds_total[1m]))",
        "not a query (",
    ],
)
def test_anything_else_stays_a_value(query: str) -> None:
    assert counting(query) is None


@pytest.mark.parametrize("top", ["revenue", "work_seconds", "sent_bytes", "paid_usd", "cart_value"])
def test_a_counter_that_adds_up_values_gives_a_mean(top: str) -> None:
    found = counting(f"sum(rate({top}_total[1m])) / sum(rate(requests_total[1m]))")

    assert found is not None
    assert found.shape == Shape("mean")


@pytest.mark.parametrize(
    ("top", "guessed"),
    [('requests_total{code="500"}', False), ("errors_total", True), ("reward_total", True)],
)
def test_a_fraction_of_two_metrics_is_a_guess(top: str, guessed: bool) -> None:
    found = counting(f"sum(rate({top}[1m])) / sum(rate(requests_total[1m]))")

    assert found is not None
    assert found.shape == Shape("fraction", guessed=guessed)


def test_a_name_may_stand_among_the_matchers() -> None:
    found = counting('sum(rate({__name__="t_sum",v="a"}[1m])) / sum(rate(t_count{v="a"}[1m]))')

    assert found is not None
    assert found.shape == Shape("mean")
    assert found.selectors == ('t_sum{v="a"}', 't_count{v="a"}')


def series(**values: float) -> dict[frozenset[tuple[str, str]], float]:
    return {frozenset({("pod", pod)}): value for pod, value in values.items()}


def test_a_restart_is_not_evidence() -> None:
    before, after = series(a=100, b=50, gone=7), series(a=110, b=4, fresh=3)
    points = {labels: (0.0, value) for labels, value in before.items()}
    samples = {labels: [(10.0, value)] for labels, value in after.items()}

    assert increments(points, samples, {}) == series(a=10, b=4, fresh=3)


def test_buckets_are_added_by_edge() -> None:
    grown = {
        frozenset({("le", le), ("pod", pod)}): value
        for pod in "ab"
        for le, value in (("+Inf", 10.0), ("0.5", 8.0), ("0.1", 3.0))
    }

    found = counted(Shape("quantile", quantile=0.95), (grown,))

    assert found == Counts(20, None, (0.1, 0.5), (6, 16, 20))
