"""The command page: offices with their load, cases against expectation, proposals, what if.

One office stands in the middle (the visitor's own, or one below it): what it and those below it
have on their tables, the offices to go down to, and what the ranking proposes for its week.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Literal

import sqlalchemy as sa

from dispatch.kept_queue import Ends
from dispatch.league import Line, league
from dispatch.office_loads import Load, loads, together
from dispatch.offices import Office, Offices
from dispatch.oversight import SUPERVISED, overdue, watched
from dispatch.week import Ways, office_week
from dispatch.what_if import WhatIf, what_if
from governance.home import Home
from scoring.bundle import read_manifest
from scoring.champion import find_champion
from scoring.ledger.tables import audit_head, clue_states
from serving.console.curves import Curves, curves_of, drawn
from serving.orders import proposals_for
from serving.principal import Principal
from serving.queue import fresh_queue, visible_offices
from serving.scorers import report_of
from serving.service import Service
from serving.watching import period, too_few

Verdict = Literal["too_few", "as_chance", "above_chance", "below_chance"]
OVERDUE_SHOWN = 20
PEOPLE = range(-5, 11)


@dataclass(frozen=True)
class Below:
    """An office of the table, and the load of it and all below it."""

    office: Office
    load: Load
    has_below: bool


def command_told(service: Service, who: Principal, office_id: str, more: int) -> dict[str, Any]:
    """Values of command.html. Raises UnfitMessage for an office that is not the visitor's."""
    offices, now = service.offices, service.clock.now()
    at = office_of(service, who, office_id)
    seen = visible_offices(service, who, at.office_id) or frozenset()
    ways, ends = fresh_queue(service, seen)
    since = _since(service, seen, now)
    each = loads(service.ledger, offices, seen, now, since)
    below = [one for one in offices.offices if one.parent == at.office_id and one.office_id in seen]
    whole = together(each, seen)
    late = overdue(service.ledger, seen, now, OVERDUE_SHOWN)
    return {
        "at": at,
        "above": _above(offices, who, at),
        "whole": whole,
        "verdict": verdict_on(whole),
        "own": each[at.office_id],
        "below": [_below(offices, each, one) for one in below],
        "proposals": proposals_for(service, who, ways, ends, at.office_id),
        "what_if": _what_if(service, ways, ends, at.office_id, more, now),
        "people": [number for number in PEOPLE if number],
        "late": late,
        "watching": _watching(service, seen | _over(offices, at)),
        "top": top_of(service, who).office_id,
        "since": since,
        "lines": _league(service, seen, now, since),
        "models": service.supervision_models,
        "champion": champion_curves(service),
        "drawn": drawn,
    }


def verdict_on(load: Load) -> Verdict:
    """Whether the cases filed are as many as the probabilities say, by 1.96 standard deviations of
    a sum of such draws (at most that of the mean probability); `too_few` ended: nobody can say."""
    if too_few(load.cleared, load.expected):
        return "too_few"
    share = min(1.0, load.expected / load.cleared)
    spread = 1.96 * (load.cleared * share * (1 - share)) ** 0.5
    if abs(load.cases - load.expected) <= spread:
        return "as_chance"
    return "above_chance" if load.cases > load.expected else "below_chance"


def office_of(service: Service, who: Principal, office_id: str) -> Office:
    """The office in the middle; empty: the highest of the visitor's. Raises UnfitMessage."""
    if office_id:
        visible_offices(service, who, office_id)
        return service.offices.by_id[office_id]
    return top_of(service, who)


def top_of(service: Service, who: Principal) -> Office:
    """The highest office that the visitor covers."""
    own = [each for each in service.offices.offices if who.sees(each.office_id)]
    names = {each.office_id for each in own}
    return next(each for each in own if each.parent not in names)


def champion_curves(service: Service) -> tuple[str, Curves] | None:
    """Digest and curves of the scorer in use; None where nothing is kept of its test."""
    champion = find_champion(service.home.scorers)
    if champion is None:
        return None
    manifest = read_manifest(service.home.scorers / champion.scorer)
    curves = curves_of(report_of(service, manifest, champion.scorer))
    return None if curves is None else (champion.scorer, curves)


def _above(offices: Offices, who: Principal, at: Office) -> list[Office]:
    """The way from the visitor's highest office down to this one, without it."""
    way: list[Office] = []
    up = offices.by_id.get(at.parent or "")
    while up is not None and who.sees(up.office_id):
        way.insert(0, up)
        up = offices.by_id.get(up.parent or "")
    return way


def _over(offices: Offices, at: Office) -> frozenset[str]:
    """Offices above this one, which may look on at what is below it."""
    names, up = set[str](), offices.by_id.get(at.parent or "")
    while up is not None:
        names.add(up.office_id)
        up = offices.by_id.get(up.parent or "")
    return frozenset(names)


def _below(offices: Offices, each: dict[str, Load], office: Office) -> Below:
    names = offices.subtree(office.office_id)
    return Below(office, together(each, names), len(names) > 1)


def _what_if(
    service: Service, ways: Ways, ends: Ends, office_id: str, more: int, now: datetime
) -> WhatIf | None:
    if not more:
        return None
    with service.ledger.connect() as connection:
        week = office_week(connection, ways, office_id, now, ends.clue_ids)
    return what_if(
        week.queue,
        week.probability,
        office_id=office_id,
        capacity=week.places,
        more=more,
        rules=ways.rules,
    )


def _watching(service: Service, offices: Collection[str]) -> dict[str, dict[str, str]]:
    """clue_id -> how it is looked on at from above (`escalated`, `supervised`) -> the reason said,
    empty where the platform did it."""
    told: dict[str, dict[str, str]] = {}
    for row in watched(service.ledger, offices):
        reason = row["reason"] if row["kind"] == SUPERVISED else ""
        told.setdefault(row["clue_id"], {})[row["kind"]] = reason
    return told


def _since(service: Service, seen: frozenset[str], now: datetime) -> datetime:
    """From when on endings and clues are counted, as on the monitoring page: twelve months, of
    which the newest scored clue's is the last, or that in which the data of a demo ends."""
    if service.data_until is not None:
        return period(service.data_until)
    with service.ledger.connect() as connection:
        head = int(connection.execute(sa.select(audit_head.c.seq)).scalar_one())
    return period(_newest(service.ledger, seen, head) or now)


@lru_cache(maxsize=64)
def _newest(ledger: sa.Engine, seen: frozenset[str], _: int) -> datetime | None:
    """When the newest scored clue of some offices was raised, as the ledger stands."""
    c = clue_states.c
    newest = sa.select(sa.func.max(c.raised_at)).where(c.score_id.is_not(None))
    with ledger.connect() as connection:
        found: datetime | None = connection.execute(
            newest.where(c.office_id.in_(sorted(seen)))
        ).scalar()
    return found


def _league(service: Service, seen: frozenset[str], now: datetime, since: datetime) -> list[Line]:
    home = service.home
    glance = service.glance
    versions = tuple(glance.newest(home.table(name)).version for name in ("clues", "outcomes"))
    with service.ledger.connect() as connection:
        head = int(connection.execute(sa.select(audit_head.c.seq)).scalar_one())
    day = datetime(now.year, now.month, now.day)
    return list(_counted(home, service.ledger, seen, (*versions, head), day, since))


@lru_cache(maxsize=64)
def _counted(
    home: Home,
    ledger: sa.Engine,
    seen: frozenset[str],
    _: tuple[int, ...],
    day: datetime,
    since: datetime,
) -> tuple[Line, ...]:
    """Counted once for what stands in records and ledger, on a day."""
    return tuple(league(home, ledger, seen, day + timedelta(days=1), since))
