"""Rates: a bucket for each principal, bounded in memory, told with a time to come again."""

from __future__ import annotations

import pytest
from served_hamlet import Served

from serving.principal import Principal
from serving.rates import PRINCIPALS_KEPT, Rates, TooFast

LI, WANG = Principal("li", "reviewer", None), Principal("wang", "reviewer", None)
MACHINE = Principal("machine", "case_system", None)


def test_a_bucket_empties_and_fills_again() -> None:
    """Two seconds' worth at once, then as many as the rate says; others are not touched."""
    clock = [0.0]
    rates = Rates(persons=5, machines=0, now=lambda: clock[0])
    for _ in range(10):
        rates.spend(LI)
    with pytest.raises(TooFast) as refused:
        rates.spend(LI)
    assert refused.value.seconds == 1
    rates.spend(WANG)
    clock[0] = 0.4
    rates.spend(LI)
    rates.spend(LI)
    with pytest.raises(TooFast):
        rates.spend(LI)


def test_a_slow_rate_says_how_long_to_wait() -> None:
    """One in ten seconds: the second is told to come again in ten."""
    rates = Rates(persons=0.1, machines=0, now=lambda: 0.0)
    rates.spend(LI)
    with pytest.raises(TooFast) as refused:
        rates.spend(LI)
    assert refused.value.seconds == 10


def test_no_bound_is_no_bound() -> None:
    """0 for machines: a million requests are nobody's business."""
    rates = Rates(persons=1, machines=0, now=lambda: 0.0)
    for _ in range(1_000):
        rates.spend(MACHINE)


def test_memory_is_bounded() -> None:
    """However many principals come, so many buckets are kept."""
    rates = Rates(persons=1, machines=1, now=lambda: 0.0)
    for number in range(PRINCIPALS_KEPT + 500):
        rates.spend(Principal(str(number), "reviewer", None))
    assert len(rates._buckets) == PRINCIPALS_KEPT


def test_too_fast_is_429_with_a_time(served: Served) -> None:
    """Over HTTP, for one key and not for another."""
    served.service.__dict__["rates"] = Rates(persons=0.5, machines=0)
    headers = served.key("reviewer")
    first, second = (served.client.get("/v1/queue", headers=headers) for _ in range(2))
    assert first.status_code == 200
    assert second.status_code == 429
    assert int(second.headers["retry-after"]) >= 1
    assert second.headers["content-type"] == "application/problem+json"
    assert served.client.get("/v1/queue", headers=served.key("reviewer")).status_code == 200
