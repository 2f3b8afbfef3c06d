"""An office's week: which clues wait for it, how many it still has places for, and their ranking.

    ledger (where clues stand, scores, orders) -> candidates -> ranking.fill_capacity

Places are the office's weekly capacity less the clues it was given since Monday. The seed of the
drawing is the office and the week: whoever looks twice sees the same lots.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from clues.register import read_clues
from dispatch.offices import Offices
from dispatch.ranking import Candidate, Ranked, fill_capacity
from dispatch.rules import DispatchRules, load_dispatch_rules
from dispatch.urgency import urgency_of
from governance.home import Home
from governance.reading import Records, known_before
from scoring.ledger import clue_events, clue_states, orders

# States in which a clue waits to be dispatched.
WAITING = ("raised", "scored", "triaged", "returned")
BACK = ("triaged", "returned")
NOBODYS = ""
ClueColumns = Callable[[Collection[str]], Mapping[str, Mapping[str, Any]]]


@dataclass(frozen=True)
class Ways:
    """How queues are made: the offices and rules of a jurisdiction; `columns` reads the clue's own
    columns that urgency looks at; `new_models`: supervision models of which little is known."""

    offices: Offices
    rules: DispatchRules = field(default_factory=DispatchRules)
    columns: ClueColumns = lambda _: {}
    new_models: frozenset[str] = frozenset()

    def capacity(self, office_id: str) -> int:
        """Clues a week; an office that is not declared has no hands, yet its clues stay."""
        office = self.offices.by_id.get(office_id)
        return office.weekly_capacity if office else 0


@dataclass(frozen=True)
class OfficeWeek:
    """`rows`: clue_id -> its row of clue_states, of the clues that wait; `queue`: the same, ranked
    by `ranked`. `ordered`: how many it was given since Monday."""

    office_id: str
    week: str
    seed: str
    places: int
    ordered: int
    rows: Mapping[str, Mapping[str, Any]]
    queue: tuple[Candidate, ...]
    ranked: tuple[Ranked, ...]

    @property
    def probability(self) -> dict[str, float]:
        return {clue_id: float(row["probability"]) for clue_id, row in self.rows.items()}


def ways_of(home: Home, offices: Offices, now: datetime) -> Ways:
    """What a home's jurisdiction declares; records are read only where a rule asks for them."""
    rules = load_dispatch_rules(home.jurisdiction.folder)
    names = list(rules.urgency.columns)

    def columns(clue_ids: Collection[str]) -> dict[str, dict[str, Any]]:
        if not names:
            return {}
        found = read_clues(home, clue_ids)
        known = [name for name in names if name in found.column_names]
        return {row["clue_id"]: row for row in found.select(["clue_id", *known]).to_pylist()}

    return Ways(offices, rules, columns, new_models(home, rules, now))


def new_models(home: Home, rules: DispatchRules, now: datetime) -> frozenset[str]:
    """Supervision models with clues, of which fewer outcomes are known than the floor asks for."""
    if rules.floor is None or "outcomes" not in home.jurisdiction.contracts:
        return frozenset()
    query = f"""
        SELECT c.supervision_model FROM (SELECT DISTINCT supervision_model FROM clues) c
        LEFT JOIN (SELECT * FROM outcomes WHERE {known_before("$moment")}
                   AND became_case IS NOT NULL) o USING (supervision_model)
        GROUP BY 1 HAVING count(DISTINCT o.clue_id) < $least"""
    with Records(home) as records:
        if "clues" not in records.record_sets:
            return frozenset()
        asked = {"moment": now, "least": rules.floor.until_outcomes}
        return frozenset(name for (name,) in records.connection().execute(query, asked).fetchall())


def week_of(now: datetime) -> str:
    """The ISO week, such as 2026-W01."""
    return "{}-W{:02d}".format(*now.isocalendar()[:2])


def monday(now: datetime) -> datetime:
    """When the week began."""
    return datetime(now.year, now.month, now.day) - timedelta(days=now.weekday())


def office_week(
    connection: sa.Connection,
    ways: Ways,
    office_id: str,
    now: datetime,
    gone: Collection[str] = (),
) -> OfficeWeek:
    """The office's queue as the ledger has it. `gone`: clues whose end is known from elsewhere."""
    rows = {
        row["clue_id"]: dict(row)
        for row in connection.execute(waiting_of(office_id)).mappings()
        if row["clue_id"] not in gone
    }
    ordered = ordered_since(connection, office_id, monday(now))
    places = max(0, ways.capacity(office_id) - ordered)
    queue = tuple(candidates(rows, ways, office_id, now))
    seed = f"{office_id} {week_of(now)}"
    ranked = fill_capacity(
        queue,
        places,
        exploration_share=ways.rules.exploration_share,
        floor_share=ways.rules.floor_share,
        seed=seed,
    )
    return OfficeWeek(office_id, week_of(now), seed, places, ordered, rows, queue, tuple(ranked))


def waiting_of(office_id: str) -> sa.Select[Any]:
    """Scored clues that wait for an office; NOBODYS: those that name none."""
    names = ("clue_id", "office_id", "supervision_model", "raised_at", "state", "version")
    own = clue_states.c.office_id
    return sa.select(
        *(clue_states.c[name] for name in (*names, "score_id", "margin", "probability"))
    ).where(
        own.is_(None) if office_id == NOBODYS else own == office_id,
        clue_states.c.open.is_(True),
        clue_states.c.margin.is_not(None),
        clue_states.c.state.in_(WAITING),
        # Ordered before the platform took part, and never back since: an office works on it.
        sa.or_(
            clue_states.c.state.in_(BACK),
            ~sa.exists().where(orders.c.clue_id == clue_states.c.clue_id),
        ),
    )


def candidates(
    rows: Mapping[str, Mapping[str, Any]], ways: Ways, office_id: str, now: datetime
) -> list[Candidate]:
    """Rows of clue_states as candidates, with what is urgent about them."""
    own = ways.columns(list(rows))
    return [
        Candidate(
            clue_id,
            office_id,
            float(row["margin"]),
            urgency_of(ways.rules.urgency, {**own.get(clue_id, {}), **row}, now),
            row["supervision_model"] if row["supervision_model"] in ways.new_models else None,
        )
        for clue_id, row in rows.items()
    ]


def ordered_since(connection: sa.Connection, office_id: str, moment: datetime) -> int:
    """How many clues an office was given at or after a moment."""
    given = given_since(moment, office_id).subquery()
    query = sa.select(sa.func.count()).select_from(given)
    return int(connection.execute(query).scalar_one())


def given_since(moment: datetime, office_id: str | None = None) -> sa.CompoundSelect[Any]:
    """Office and clue, each pair once, of what offices (or one) were given at or after a moment: by
    a proposal, a move by hand or anew after a return (events), or by an order without a move, from
    before the platform took part."""
    e, o = clue_events.c, orders.c
    # A clue that goes to another office names that one in the facts of its move.
    to = sa.func.coalesce(e.facts["office_id"].as_string(), e.office_id)
    # Written out, so that the index of these moves alone serves.
    moves = sa.select(to.label("office_id"), e.clue_id).where(
        e.to_state == sa.literal_column("'dispatched'"), e.kept_at >= moment
    )
    at = sa.func.nullif(o.office_id, NOBODYS)
    unmoved = sa.select(at.label("office_id"), o.clue_id).where(o.ordered_at >= moment)
    if office_id is not None:
        moves, unmoved = moves.where(to == office_id), unmoved.where(o.office_id == office_id)
    return sa.union(moves, unmoved)
