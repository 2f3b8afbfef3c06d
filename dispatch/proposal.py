"""Proposals: what the ranking would have an office do this week; a dispatcher confirms.

    propose -> look -> confirm (one, some or all, in one transaction) -> deadlines run

Nothing is dispatched by the ranking itself. A proposal names the version of the clue that was
looked at: whatever moved meanwhile is a conflict, and then nothing of the batch is dispatched.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from base.errors import Conflict, NotAllowed, NotFound, Refused
from base.moment import Clock
from dispatch.life_cycle import Deadlines
from dispatch.order import DISPATCHER, dispatch_in
from dispatch.ranking import Ranked
from dispatch.standing import standing
from dispatch.transition import move_in
from dispatch.week import OfficeWeek, Ways, office_week
from scoring.idempotency import Asked, once
from scoring.ledger import clue_states, queue_offices, queue_places, writing


@dataclass(frozen=True)
class Proposal:
    """A place in an office's week and the clue for it. `from_office`: the sister office that the
    clue would come from (None: the office's own). `version`: of the clue, as it was looked at."""

    place: Ranked
    probability: float
    state: str
    version: int
    supervision_model: str | None
    from_office: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Plain values, flat."""
        others = asdict(replace(self, place=None))  # type: ignore[arg-type]
        others.pop("place")
        return {**asdict(self.place), **others}


def propose(
    ledger: sa.Engine, ways: Ways, office_id: str, now: datetime, gone: Collection[str] = ()
) -> list[Proposal]:
    """What the office would take this week: its own clues within capacity, then, where the rules
    allow balance and places are left, the best that sister offices have no hands for.

    Raises NotFound for an office that is not declared.
    """
    ways.offices.office(office_id)
    with ledger.connect() as connection:
        own = office_week(connection, ways, office_id, now, gone)
        proposals = [_proposed(own, each) for each in own.ranked if each.within_capacity]
        free = own.places - len(proposals)
        if free > 0 and ways.rules.balance == "within_city":
            for sister in sisters(ways, office_id):
                theirs = office_week(connection, ways, sister, now, gone)
                proposals += [
                    _proposed(theirs, replace(each, office_id=office_id), sister)
                    for each in theirs.ranked
                    if not each.within_capacity
                ]
    own_ones = [each for each in proposals if each.from_office is None]
    others = [each for each in proposals if each.from_office is not None]
    others.sort(key=lambda each: (-each.place.margin - each.place.urgency, each.place.clue_id))
    return own_ones + others[: max(0, free)]


def kept_proposals(ledger: sa.Engine, office_id: str) -> list[Proposal]:
    """The office's own proposals as the kept ranking has them (dispatch/kept_queue.py), which must
    be fresh: what `propose` gives, without ranking anew. Sister offices are not looked at."""
    q, c, o = queue_places.c, clue_states.c, queue_offices.c
    query = (
        sa.select(queue_places, o.seed, c.state, c.version)
        .join(queue_offices, o.office_id == q.office_id)
        .join(clue_states, c.clue_id == q.clue_id)
        .where(q.office_id == office_id, q.below == 0)
        .order_by(q.minus_value, q.clue_id)
    )
    with ledger.connect() as connection:
        rows = connection.execute(query).mappings().all()
    names = [field.name for field in fields(Ranked)]
    return [
        Proposal(
            Ranked(**{name: row[name] for name in names if name in row}, within_capacity=True),
            float(row["probability"]),
            row["state"],
            int(row["version"]),
            row["supervision_model"],
        )
        for row in rows
    ]


def sisters(ways: Ways, office_id: str) -> list[str]:
    """Offices below the same one above; none for the province itself."""
    above = ways.offices.office(office_id).parent
    return [
        office.office_id
        for office in ways.offices.offices
        if above is not None and office.parent == above and office.office_id != office_id
    ]


def _proposed(week: OfficeWeek, each: Ranked, sister: str | None = None) -> Proposal:
    row = week.rows[each.clue_id]
    return Proposal(
        each,
        float(row["probability"]),
        row["state"],
        int(row["version"]),
        row["supervision_model"],
        sister,
    )


def confirm(
    ledger: sa.Engine,
    proposals: Sequence[Proposal],
    *,
    by: str,
    role: str,
    offices: Collection[str] | None,
    clock: Clock,
    deadlines: Deadlines | None = None,
    idempotency_key: str | None = None,
) -> dict[str, Any]:
    """Dispatch the proposed clues, all or none; returns `dispatched`, each as it stands then.

    `offices`: those the caller covers (None: all). The same key again changes nothing and returns
    the same. Raises NotAllowed for anybody but a dispatcher, Conflict where a clue moved since it
    was proposed, NotFound where one is not of the caller's offices.
    """

    def work(connection: sa.Connection) -> dict[str, Any]:
        return confirm_in(
            connection,
            proposals,
            by=by,
            role=role,
            offices=offices,
            at=clock.now(),
            deadlines=deadlines,
        )

    _require_dispatcher(role)
    if idempotency_key is None:
        with writing(ledger) as connection:
            return work(connection)
    request = [[each.place.clue_id, each.place.office_id, each.version] for each in proposals]
    return once(ledger, Asked.of(by, idempotency_key, request), clock, work).body


def confirm_in(
    connection: sa.Connection,
    proposals: Sequence[Proposal],
    *,
    by: str,
    role: str,
    offices: Collection[str] | None,
    at: datetime,
    deadlines: Deadlines | None = None,
) -> dict[str, Any]:
    """The same in the caller's transaction."""
    _require_dispatcher(role)
    rows = standing(connection, [each.place.clue_id for each in proposals], lock=True)
    told = []
    for each in sorted(proposals, key=lambda one: one.place.clue_id):
        row = rows.get(each.place.clue_id)
        if row is None:
            raise NotFound(
                wanted="a clue of your offices", got="none", cure="look at the queue again"
            )
        if row["version"] != each.version:
            raise _moved_on(row)
        told.append(
            dispatch_in(
                connection,
                each.place,
                row,
                by=by,
                offices=offices,
                at=at,
                deadlines=deadlines or Deadlines(),
            )
        )
    return {"dispatched": told}


def reassign(
    ledger: sa.Engine,
    clue_id: str,
    office_id: str,
    *,
    by: str,
    role: str,
    ways: Ways,
    offices: Collection[str] | None,
    expects: str | int | None,
    clock: Clock,
    reason: str,
    deadlines: Deadlines | None = None,
) -> dict[str, Any]:
    """Give a dispatched or accepted clue to another office: returned with the reason, triaged and
    dispatched anew, in one transaction; deadlines begin again.

    Raises NotAllowed for anybody but a dispatcher, NotFound for an unknown office or clue, Refused
    for the office it is at already, Conflict where it moved meanwhile.
    """
    ways.offices.office(office_id)
    with writing(ledger) as connection:
        return reassign_in(
            connection,
            clue_id,
            office_id,
            by=by,
            role=role,
            offices=offices,
            expects=expects,
            at=clock.now(),
            reason=reason,
            deadlines=deadlines,
        )


def reassign_in(
    connection: sa.Connection,
    clue_id: str,
    office_id: str,
    *,
    by: str,
    role: str,
    offices: Collection[str] | None,
    expects: str | int | None,
    at: datetime,
    reason: str,
    deadlines: Deadlines | None = None,
) -> dict[str, Any]:
    """The same in the caller's transaction; `office_id` is a declared one."""
    _require_dispatcher(role)
    row = standing(connection, [clue_id], lock=True).get(clue_id)
    seen = row is not None and (offices is None or row["office_id"] in offices)
    if row is not None and seen and row["office_id"] == office_id:
        raise Refused(
            wanted="another office",
            got="the one it is at",
            cure="nothing to do",
            where="office_id",
        )
    steps: list[tuple[str, str, str, dict[str, str]]] = [
        # The office above returns it in the place of the one that has it.
        ("returned", "reviewer", reason, {}),
        ("triaged", DISPATCHER, "", {}),
        ("dispatched", DISPATCHER, "", {"office_id": office_id}),
    ]
    told: dict[str, Any] = {}
    for to, as_role, why, facts in steps:
        told = move_in(
            connection,
            clue_id,
            to,
            by=by,
            role=as_role,
            offices=offices,
            expects=expects,
            at=at,
            reason=why,
            facts=facts,
            deadlines=deadlines,
        )
        expects = told["version"]
    return told


def _require_dispatcher(role: str) -> None:
    if role != DISPATCHER:
        raise NotAllowed(wanted="the role dispatcher", got=role, cure="ask the command centre")


def _moved_on(row: Any) -> Conflict:
    return Conflict(
        wanted="clues that stand where they were proposed",
        got=f"one that is {row['state']}, version {row['version']}",
        cure="propose again; nothing was dispatched",
        state=row["state"],
        version=row["version"],
    )
