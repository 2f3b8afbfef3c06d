"""Cases estimated before labels ripen: right on the mean, honest about how sure, and checked."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from base.moment import add_months
from scoring.ripening import Delays, Pursued, checks, delays_of, estimates, told_ripening

START, DAYS = datetime(2024, 1, 1), 720
NOW = START + timedelta(days=DAYS)


def world(seed: int, clues: int = 2_500, fall: float = 1.0) -> list[Pursued]:
    """Clues pursued over two years; cases are reported after 45 days in the median, others after
    30. In the last 180 days cases come `fall` times as often as their probabilities say."""
    draw = np.random.default_rng(seed)
    told = []
    for since_days in draw.uniform(0, DAYS, clues):
        since, probability = START + timedelta(days=since_days), float(draw.beta(1, 6))
        case = draw.random() < probability * (fall if since_days > DAYS - 180 else 1)
        delay = float(draw.lognormal(np.log(45 if case else 30), 0.7))
        told.append(Pursued(since, probability, float(case), since + timedelta(days=delay)))
    return told


def came(clues: list[Pursued], month: str) -> int:
    return sum(each.became_case == 1 for each in clues if f"{each.since:%Y-%m}" == month)


def test_intervals_hold_what_came_nineteen_times_in_twenty_and_no_alarm_is_false() -> None:
    """16 drawn worlds, months that are not ripe yet: bias, coverage, false alarms."""
    inside, error, alarms = [], [], []
    for seed in range(16):
        clues = world(seed)
        for each in estimates(clues, NOW):
            if each.estimated is not None and not each.ripe:
                truth = came(clues, each.month)
                inside.append(each.lowest <= truth <= each.highest)  # type: ignore[operator]
                error.append(each.estimated - truth)
                alarms.append(each.chance)
    assert len(inside) > 50
    assert 0.88 <= np.mean(inside) <= 1
    assert abs(np.mean(error)) < 2
    assert np.mean(np.array(alarms) < 0.05) < 0.12


def test_a_fall_is_seen_before_its_labels_ripen() -> None:
    """Cases come a third as often as foretold: the unripe months say so by fast outcomes alone."""
    young = [each for each in estimates(world(1, fall=0.33), NOW) if not each.ripe]
    seen = [each.chance for each in young if each.chance is not None]
    assert min(seen) < 0.001
    steady = [each.chance for each in estimates(world(1), NOW) if each.chance is not None]
    assert min(steady) > 0.001


def test_counting_what_is_in_would_have_told_too_little() -> None:
    """The plain count of an unripe month is far below what came; the estimate is not."""
    clues = world(3, clues=6_000)
    (month,) = [e for e in estimates(clues, NOW) if e.estimated is not None and e.share < 0.5]
    truth = came(clues, month.month)
    assert month.reported < 0.6 * truth
    assert month.estimated == pytest.approx(truth, rel=0.35)


def test_earlier_estimates_are_checked_by_what_came() -> None:
    """As they would have been made on first days of months, with what was known then."""
    clues = world(2)
    days = [add_months(datetime(2025, 10, 1), -back) for back in range(4)]
    made = checks(clues, NOW, days)
    assert len(made) >= 4
    for each in made:
        truth = came(clues, each.estimate.month)
        assert 0.85 * truth <= each.came <= truth  # all but what is still to be reported
    assert np.mean([each.within for each in made]) > 0.7
    later = [Pursued(e.since, e.probability, e.became_case, e.known_at) for e in clues]
    later += [Pursued(NOW - timedelta(days=1), 0.5, 1.0, NOW)] * 50
    assert [c.estimate for c in checks(later, NOW, days)] == [c.estimate for c in made]
    told = told_ripening(clues, NOW, lambda _: days)
    assert told["checked"] == len(made)


def test_what_is_too_young_or_too_little_is_not_estimated() -> None:
    """No clue, no outcome, a handful: None, never a number."""
    assert estimates([], NOW) == []
    silent = [Pursued(START, 0.5, None, None)] * 5
    (only,) = estimates(silent, NOW)
    assert (only.reported, only.estimated, only.chance, only.expected) == (0, None, None, 2.5)
    few = [Pursued(START, 0.5, 1.0, START + timedelta(days=3))] * 5
    assert estimates(few, NOW)[0].estimated is None
    unscored = [*silent, Pursued(START, None, 1.0, START + timedelta(days=3))]
    assert estimates(unscored, NOW)[0].expected is None
    assert told_ripening([], NOW, lambda _: [])["within_share"] is None


delays = st.lists(st.tuples(st.floats(0, 400), st.floats(0, 400)), max_size=200)


@given(pairs=delays)
def test_shares_rise_from_0_to_1_with_age(pairs: list[tuple[float, float]]) -> None:
    """Whatever delays and ages: a distribution function, or nothing known."""
    seen = [(delay, age) for delay, age in pairs if delay <= age]
    found = delays_of(np.array([d for d, _ in seen]), np.array([a for _, a in seen]))
    ages = np.arange(-1.0, 500.0)
    shares = found.by(ages)
    assert (np.diff(shares) >= -1e-12).all()
    assert shares[0] == 0
    assert shares[-1] == (1 if len(found.days) else 0)


def test_without_truncation_shares_are_those_counted() -> None:
    """All clues are old enough: the plain distribution of their delays."""
    delay = np.repeat([10.0, 20.0, 30.0], [30, 50, 20])
    found = delays_of(delay, np.full(100, 999.0))
    assert found.by(np.array([9, 10, 19, 20, 29, 30])) == pytest.approx([0, 0.3, 0.3, 0.8, 0.8, 1])
    assert isinstance(found, Delays)
