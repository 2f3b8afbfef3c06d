"""The kept ranking is the ranking: after whatever happened, on both databases, page by page."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

import pytest
import sqlalchemy as sa
from ledgers import Ticking
from queues import TUESDAY, wait, ways

from base.errors import Refused
from dispatch.kept_queue import Ends, freshen
from dispatch.proposal import confirm, propose
from dispatch.queue_reading import Shown, read_page, read_shown
from dispatch.transition import move
from dispatch.week import Ways, office_week
from scoring.ledger import orders, queue_offices, queue_places
from scoring.ledger.reading import reading

NO_ENDS = Ends()
COUNTIES = ("C1", "C2", "D1", "D2")


def fill(ledger: sa.Engine) -> None:
    for at, office in enumerate(COUNTIES):
        wait(ledger, {f"{office}-{i:02d}": ((i * 7 + at) % 11) / 2 for i in range(11)}, office)


def kept(ledger: sa.Engine) -> dict[str, tuple[object, ...]]:
    names = ("office_id", "rank", "below", "exploration", "drawing_probability")
    with ledger.connect() as connection:
        rows = connection.execute(sa.select(queue_places)).mappings()
        return {row["clue_id"]: tuple(row[name] for name in names) for row in rows}


def shown_page(
    ledger: sa.Engine, offices: Collection[str] | None, cursor: str | None, models: set[str]
) -> tuple[list[Shown], str | None]:
    """The next four as a page of the console shows them."""
    with reading(ledger) as read:
        return read_shown(read, ledger.dialect, offices, 4, cursor, models)


def ranked_anew(
    ledger: sa.Engine, how: Ways, now: object, ends: Ends = NO_ENDS
) -> dict[str, tuple[object, ...]]:
    """The oracle: every office ranked from where clues stand now."""
    found = {}
    with ledger.connect() as connection:
        for office in how.offices.by_id:
            for each in office_week(connection, how, office, now, ends.clue_ids).ranked:  # type: ignore[arg-type]
                found[each.clue_id] = (
                    office,
                    each.rank,
                    0 if each.within_capacity else 1,
                    each.exploration,
                    each.drawing_probability,
                )
    return found


def test_it_stays_true_whatever_happens(either_ledger: sa.Engine) -> None:
    """Scored, dispatched, rescored, ended elsewhere, another week: each time as ranked anew, and
    only where something happened is anything made again."""
    how, clock = ways(), Ticking(TUESDAY)
    fill(either_ledger)
    assert freshen(either_ledger, how, None, TUESDAY) == len(COUNTIES)
    assert kept(either_ledger) == ranked_anew(either_ledger, how, TUESDAY)
    assert freshen(either_ledger, how, None, TUESDAY) == 0

    proposed = propose(either_ledger, how, "C1", TUESDAY)
    confirm(either_ledger, proposed[:2], by="d", role="dispatcher", offices=None, clock=clock)
    assert freshen(either_ledger, how, None, TUESDAY) == 1
    assert kept(either_ledger) == ranked_anew(either_ledger, how, TUESDAY)
    assert not {each.place.clue_id for each in proposed[:2]} & set(kept(either_ledger))

    wait(either_ledger, {"D1-03": 9.0, "D1-new": 8.0}, "D1")
    assert freshen(either_ledger, how, None, TUESDAY) == 1
    assert kept(either_ledger)["D1-03"][1] == 1
    assert kept(either_ledger) == ranked_anew(either_ledger, how, TUESDAY)

    ends = Ends(frozenset({"D2-01", "D2-02"}), "7")
    assert freshen(either_ledger, how, None, TUESDAY, ends) == 1
    assert kept(either_ledger) == ranked_anew(either_ledger, how, TUESDAY, ends)

    later = TUESDAY + timedelta(days=7)
    assert freshen(either_ledger, how, None, later, ends) == len(COUNTIES)
    assert kept(either_ledger) == ranked_anew(either_ledger, how, later, ends)


def test_only_what_is_looked_at_is_made_again(either_ledger: sa.Engine) -> None:
    """One office of four; the others when they are asked for."""
    how = ways()
    fill(either_ledger)
    assert freshen(either_ledger, how, ["C1"], TUESDAY) == 1
    assert {row[0] for row in kept(either_ledger).values()} == {"C1"}
    assert freshen(either_ledger, how, ["C1", "C2"], TUESDAY) == 1
    assert freshen(either_ledger, how, None, TUESDAY) == 2


def test_pages_go_on_while_clues_leave(either_ledger: sa.Engine) -> None:
    """Between two pages the last clue of the page, and one to come, are dispatched: whoever still
    waits is seen once, nothing breaks."""
    how, clock = ways(0), Ticking(TUESDAY)
    fill(either_ledger)
    freshen(either_ledger, how, None, TUESDAY)
    whole = [row["clue_id"] for row in read_page(either_ledger, None, 100, None).rows]
    assert len(whole) == 44
    first = read_page(either_ledger, COUNTIES, 10, None)
    left = (first.rows[-1]["clue_id"], whole[15])
    for clue in left:
        move(
            either_ledger, clue, "withdrawn", by="x", role="dispatcher", offices=None,
            expects=None, clock=clock, reason="source corrected",
        )  # fmt: skip
    freshen(either_ledger, how, None, TUESDAY)
    seen, cursor = [row["clue_id"] for row in first.rows], first.next_cursor
    while cursor is not None:
        page = read_page(either_ledger, COUNTIES, 10, cursor)
        seen += [row["clue_id"] for row in page.rows]
        cursor = page.next_cursor
    assert seen == [clue for clue in whole if clue != left[1]]


@pytest.mark.parametrize("limit", [1, 3, 50])
def test_pages_are_the_whole_in_order(either_ledger: sa.Engine, limit: int) -> None:
    """Within capacity first, then by value; each office counts its own and no other."""
    fill(either_ledger)
    freshen(either_ledger, ways(2), None, TUESDAY)
    for offices in (None, COUNTIES[:2], COUNTIES[3:], ()):
        seen, cursor = [], None
        while True:
            page = read_page(either_ledger, offices, limit, cursor)
            seen += page.rows
            cursor = page.next_cursor
            if cursor is None:
                break
        own = len(COUNTIES if offices is None else offices)
        assert (page.total, page.within, len(seen)) == (11 * own, 2 * own, 11 * own)
        keys = [(row["below"], row["minus_value"], row["clue_id"]) for row in seen]
        assert keys == sorted(keys)
        assert {row["scorer"] for row in seen} <= {"s" * 64}
        if offices is not None:
            assert {row["office_id"] for row in seen} == set(offices)


def test_many_offices_and_few_give_the_same_page(
    either_ledger: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One index over all, or the first of each office merged: one answer."""
    fill(either_ledger)
    freshen(either_ledger, ways(), None, TUESDAY)
    apart = read_page(either_ledger, COUNTIES, 9, None)
    monkeypatch.setattr("dispatch.queue_reading.OFFICES_APART", 0)
    assert read_page(either_ledger, COUNTIES, 9, None) == apart


def test_of_some_supervision_models_only_theirs_are_on_the_pages(
    either_ledger: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the order of the whole, from any page on, whichever way the offices are looked up; what is
    counted stays the whole."""
    fill(either_ledger)
    freshen(either_ledger, ways(2), None, TUESDAY)
    whole = read_page(either_ledger, None, 100, None)
    models = sorted({row["supervision_model"] for row in whole.rows})
    half = [row["clue_id"] for row in whole.rows][::2]
    with either_ledger.begin() as connection:
        places = sa.update(queue_places).where(queue_places.c.clue_id.in_(half))
        connection.execute(places.values(supervision_model="another"))
    for apart in (40, 0):
        monkeypatch.setattr("dispatch.queue_reading.OFFICES_APART", apart)
        for wanted in ({"another"}, {"another", *models}, {"none"}):
            for offices in (None, COUNTIES, COUNTIES[:1], ()):
                seen, cursor = [], None
                while True:
                    page = read_page(either_ledger, offices, 4, cursor, wanted)
                    shown, more = shown_page(either_ledger, offices, cursor, wanted)
                    assert more == page.next_cursor
                    names = (set(Shown._fields) - {"state"}) & set(whole.rows[0])
                    assert [{name: row._asdict()[name] for name in names} for row in shown] == [
                        {name: row[name] for name in names} for row in page.rows
                    ]
                    seen += shown
                    cursor = page.next_cursor
                    if cursor is None:
                        break
                assert [row.clue_id for row in seen] == [
                    row["clue_id"]
                    for row in whole.rows
                    if (offices is None or row["office_id"] in offices)
                    and ("another" if row["clue_id"] in half else models[0]) in wanted
                ]
                assert {row.state for row in seen} <= {"raised", "scored"}
                assert page.total == 11 * len(COUNTIES if offices is None else offices)


def test_a_made_up_cursor_is_refused(either_ledger: sa.Engine) -> None:
    """Whatever it is."""
    for cursor in ("zzzz", "", "W10=", "bnVsbA=="):
        with pytest.raises(Refused, match="cursor"):
            read_page(either_ledger, None, 5, cursor)


def test_places_are_what_is_left_of_the_week(either_ledger: sa.Engine) -> None:
    """Two of three dispatched on Tuesday: one place on Wednesday, three next week."""
    how, clock = ways(3), Ticking(TUESDAY)
    fill(either_ledger)
    proposed = propose(either_ledger, how, "C1", TUESDAY)
    assert len(proposed) == 3
    confirm(either_ledger, proposed[:2], by="d", role="dispatcher", offices=None, clock=clock)
    assert len(propose(either_ledger, how, "C1", TUESDAY + timedelta(days=1))) == 1
    assert len(propose(either_ledger, how, "C1", TUESDAY + timedelta(days=7))) == 3


def test_an_office_without_clues_keeps_an_empty_queue(either_ledger: sa.Engine) -> None:
    """Nothing waits, nothing is told, nothing breaks."""
    assert freshen(either_ledger, ways(), None, TUESDAY) == 0
    assert read_page(either_ledger, None, 5, None).rows == []
    with either_ledger.connect() as connection:
        assert connection.execute(sa.select(queue_offices)).first() is None


def test_what_was_ordered_before_the_platform_is_not_offered(either_ledger: sa.Engine) -> None:
    """An order without a move: some office works on it already."""
    fill(either_ledger)
    with either_ledger.begin() as connection:
        row = {
            "clue_id": "C1-03", "office_id": "C1", "ordered_at": TUESDAY - timedelta(days=90),
            "ordered_by": "before", "accept_until": TUESDAY, "verify_until": TUESDAY,
            "exploration": False, "drawing_probability": 0.5,
        }  # fmt: skip
        connection.execute(sa.insert(orders), [row])
    freshen(either_ledger, ways(), None, TUESDAY)
    assert "C1-03" not in kept(either_ledger)
    assert len(kept(either_ledger)) == 43
