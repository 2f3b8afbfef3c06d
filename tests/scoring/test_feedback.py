"""Careless and hostile feedback is flagged by whose it is; honest work is not."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from ledgers import Ticking, new_ledger, stand, walk

from base.moment import FixedClock
from dispatch.transition import move
from scoring.feedback import Ending, against_chance, bulk, flags, held_out, one_author, tail
from scoring.watch_rules import AgainstChance, Bulk, Feedback, OneAuthor

DAY = datetime(2026, 1, 5, 9)
LATER = DAY + timedelta(days=200)


def ending(hour: int, by: str, case: bool = False, **more: Any) -> Ending:
    """One an hour, unless told otherwise."""
    given: dict[str, Any] = {"office_id": "A", "supervision_model": "m", "person": True}
    given |= {"at": DAY + timedelta(hours=hour)} | more
    return Ending(f"c{by}{hour}", by, became_case=case, **given)


def fast(count: int, seconds: float) -> list[Ending]:
    return [ending(n, "q", at=DAY + timedelta(seconds=n * seconds)) for n in range(count)]


def test_ten_endings_within_a_minute_are_flagged_and_nine_are_not() -> None:
    """Only those of the run; an hour later the same person may work on."""
    rules = Bulk(endings=10, seconds=60)
    assert bulk(fast(9, 1), rules) == []
    assert bulk(fast(40, 7), rules) == []
    (flag,) = bulk([*fast(12, 5), *(ending(n, "q") for n in range(1, 9))], rules)
    assert (flag.principal, flag.endings) == ("q", 12)
    assert len(flag.clue_ids) == 12
    mixed = [each for pair in zip(fast(12, 5), fast(12, 5), strict=True) for each in pair]
    others = [Ending(f"x{n}", f"p{n}", "A", "m", False, True, each.at)
              for n, each in enumerate(mixed)]  # fmt: skip
    assert bulk(others, rules) == []


def test_one_author_for_all_is_flagged_only_where_others_work_too() -> None:
    """A county with one procurator ends all of its clues, and rightly so."""
    rules = OneAuthor(share=0.9, endings=20)
    own = [ending(n, "q") for n in range(19)] + [ending(19, "p")]
    assert one_author(own, {"A": {"q"}}, rules) == []
    (flag,) = one_author(own, {"A": {"q", "p"}}, rules)
    assert (flag.principal, flag.office_id, flag.endings) == ("q", "A", 19)
    shared = [ending(n, "q" if n % 4 else "p") for n in range(40)]
    assert one_author(shared, {"A": {"q", "p"}}, rules) == []
    assert one_author(own[:10], {"A": {"q", "p"}}, rules) == []


def drawn(seed: int, rates: dict[str, float], each: int = 60) -> list[Ending]:
    draw = np.random.default_rng(seed)
    return [
        ending(n, who, bool(draw.random() < rate))
        for n in range(each)
        for who, rate in rates.items()
    ]


def test_honest_authors_are_flagged_no_oftener_than_declared() -> None:
    """Sixty worlds of eight authors at one rate, bound 1 %: at most a few worlds, by chance."""
    rules = AgainstChance(chance=0.01, endings=20)
    same = {f"p{n}": 0.15 for n in range(8)}
    flagged = sum(bool(against_chance(drawn(seed, same), rules)) for seed in range(60))
    assert flagged <= 3


@pytest.mark.parametrize("rate", [0.0, 0.6])
def test_who_never_or_far_too_often_finds_a_case_is_flagged(rate: float) -> None:
    """Closing everything, or filing everything; the others at 20 % are not flagged."""
    rules = AgainstChance(chance=0.001, endings=20)
    found = against_chance(drawn(1, {"q": rate, "p": 0.2, "r": 0.2, "s": 0.2}, 80), rules)
    assert [flag.principal for flag in found] == ["q"]
    assert found[0].chance is not None
    assert found[0].chance < 0.001
    assert found[0].expected == pytest.approx(16, abs=6)


def test_a_supervision_model_that_rarely_leads_to_a_case_explains_its_author() -> None:
    """Others find none on it either; or nobody else knows it, which proves nothing."""
    rules = AgainstChance(chance=0.001, endings=20)
    rare: list[Ending] = [ending(n, "q", supervision_model="rare") for n in range(60)]
    rare += [ending(n, "p", supervision_model="rare") for n in range(60)]
    usual = [ending(n, "r", n % 3 == 0) for n in range(120)]
    assert against_chance(rare + usual, rules) == []
    assert against_chance(rare[:60] + usual, rules) == []
    same, third = (
        [ending(n, "q") for n in range(60)],
        [ending(n, "s", n % 3 == 0) for n in range(60)],
    )
    assert [flag.principal for flag in against_chance(same + usual + third, rules)] == ["q"]
    assert against_chance(same + usual, rules) == []  # of two, nobody can tell which one is odd


def test_the_tail_is_a_binomials_where_the_rate_is_well_known() -> None:
    """And wider where it is not."""
    from scipy import stats

    exact = 2 * stats.binom.cdf(3, 100, 0.15)
    assert tail(3, 100, 0.15, 10**7) == pytest.approx(exact, rel=1e-3)
    assert tail(3, 100, 0.15, 50) > exact
    assert tail(0, 30, 0.0, 100) == 1.0


@pytest.fixture
def ledger(tmp_path: Path) -> sa.Engine:
    """An office where q closes twelve clues in as many seconds, p one a day."""
    ledger = new_ledger("sqlite", tmp_path, "")
    for who, office, number in (("q", "A", 12), ("p", "A", 3), ("b", "B", 2)):
        clues = [f"{who}{at}" for at in range(number)]
        stand(ledger, clues, office)
        seconds = Ticking(DAY)
        for at, clue in enumerate(clues):
            walk(ledger, clue, "verifying")
            clock = seconds if who == "q" else FixedClock(DAY + timedelta(days=1 + at))
            move(ledger, clue, "unfounded", by=who, role="reviewer", offices=None, expects=None,
                 clock=clock, reason="nothing")  # fmt: skip
    return ledger


def test_flags_are_read_from_the_ledger_within_ones_offices(ledger: sa.Engine) -> None:
    """A sees q's run, B does not; nothing of before the declared days."""
    rules = Feedback()
    (flag,) = flags(ledger, rules, LATER)
    assert flag.as_json() == {
        "kind": "bulk", "principal": "q", "office_id": None, "endings": 12, "cases": 0,
        "expected": None, "chance": None, "since": flag.since.isoformat(),
        "until": flag.until.isoformat(),
    }  # fmt: skip
    assert flags(ledger, rules, LATER, {"A"}) == [flag]
    assert flags(ledger, rules, LATER, {"B"}) == []
    assert flags(ledger, Feedback(days=30), LATER) == []


def test_only_a_declared_rule_holds_flagged_endings_out(ledger: sa.Engine) -> None:
    """By clue, with the principal; the same whenever it is asked."""
    assert held_out(ledger, Feedback()) == {}
    assert held_out(ledger, Feedback(hold_out=("one_author",))) == {}
    held = held_out(ledger, Feedback(hold_out=("bulk",)))
    assert held == {f"q{at}": "q" for at in range(12)}
