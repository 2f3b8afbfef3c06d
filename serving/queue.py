"""The queue as an office sees it: open clues, best first, with each office's capacity line.

Read from the kept ranking (dispatch/kept_queue.py), which is made true first where it is not.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import lru_cache
from typing import Any

from base.errors import NotReady, nearest
from dispatch.kept_queue import Ends, Kept, freshen, read_kept
from dispatch.offices import load_offices
from dispatch.open_clues import closed_clues
from dispatch.queue_reading import Shown, read_page, read_shown
from dispatch.standing import stands
from dispatch.week import Ways, ways_of
from governance.home import Home
from scoring.ledger.reading import reading
from serving.principal import Principal
from serving.refusals import UnfitMessage
from serving.service import Service


@dataclass(frozen=True)
class Page:
    """Entries of the queue, and where the next ones begin (None: no more)."""

    entries: list[dict[str, Any]]
    next_cursor: str | None
    total: int
    capacity: int


def queue_page(
    service: Service,
    who: Principal,
    office: str | None,
    limit: int,
    cursor: str | None,
    models: Collection[str] | None = None,
) -> Page:
    """A page of the queue over the offices that both the principal and `office` cover; `models`:
    only clues of these supervision models."""
    seen = visible_offices(service, who, office)
    fresh_queue(service, seen)
    page = read_page(service.ledger, seen, limit, cursor, models)
    entries = [told_place(service, row) for row in page.rows]
    return Page(entries, page.next_cursor, page.total, page.within)


def shown_page(
    service: Service,
    who: Principal,
    office: str | None,
    limit: int,
    cursor: str | None,
    models: Collection[str] | None = None,
    *,
    at_once: bool = False,
) -> tuple[Kept, list[Shown], str | None]:
    """The same for a page that persons read: what is kept, its rows and the cursor after them.

    `at_once`: raises NotReady where the kept ranking has to be made again first.
    """
    seen, dialect = visible_offices(service, who, office), service.ledger.dialect
    now = service.clock.now()
    _, ends = _as_declared(service, now)
    with reading(service.ledger) as read:
        kept = read_kept(read, dialect, seen)
        if kept.true_at(now, ends):
            return kept, *read_shown(read, dialect, seen, limit, cursor, models)
    if at_once:
        raise NotReady(wanted="a ranking that is kept", got="an old one", cure="wait for it")
    fresh_queue(service, seen)
    with reading(service.ledger) as read:
        kept = read_kept(read, dialect, seen)
        return kept, *read_shown(read, dialect, seen, limit, cursor, models)


def fresh_queue(service: Service, offices: Collection[str] | None) -> tuple[Ways, Ends]:
    """Make the kept ranking of some offices (None: all) true now; returns how queues are made and
    which clues ended by the records."""
    now = service.clock.now()
    ways, ends = _as_declared(service, now)
    freshen(service.ledger, ways, offices, now, ends)
    return ways, ends


def visible_offices(service: Service, who: Principal, office: str | None) -> frozenset[str] | None:
    """None: all, also those a clue names and offices.yaml does not.

    Raises UnfitMessage for an office that is unknown or not the caller's: both alike.
    """
    if office is None:
        return who.offices
    own = frozenset(service.offices.by_id) if who.offices is None else who.offices
    if office not in own:
        raise UnfitMessage(
            wanted="an office of yours", got="another", cure="leave office out", where="office"
        )
    return service.offices.subtree(office) & own


def asked_models(
    service: Service, model: str, function: str, called: str = "model"
) -> frozenset[str] | None:
    """Names of the supervision models that are asked for (empty: no bound); None: all. Raises
    UnfitMessage where there is no such; `called`: the parameter that names a supervision model."""
    known = service.supervision_models
    if model and model not in known:
        raise no_such(called, "a supervision model of this jurisdiction", nearest(model, known))
    functions = {each.head.function for each in known.values()}
    if function and function not in functions:
        wanted = "a function that a supervision model has"
        raise no_such("function", wanted, nearest(function, functions))
    if not model and not function:
        return None
    return frozenset(
        name
        for name, each in known.items()
        if model in ("", name) and function in ("", each.head.function)
    )


def no_such(where: str, wanted: str, cure: str = "choose one of the list") -> UnfitMessage:
    """The refusal of a choice that there is not."""
    return UnfitMessage(wanted=wanted, got="another", cure=cure, where=where)


def _as_declared(service: Service, now: datetime) -> tuple[Ways, Ends]:
    version = service.glance.newest(service.home.table("outcomes")).version
    return _declared(service.home, version, now.date())


@lru_cache(maxsize=8)
def _declared(home: Home, version: int, day: date) -> tuple[Ways, Ends]:
    """How queues are made, and which clues have ended by the records of a version on a day (an
    outcome may be of tomorrow)."""
    end_of_day = datetime.combine(day, time.max)
    ways = ways_of(home, load_offices(home.jurisdiction.folder / "offices.yaml"), end_of_day)
    return ways, Ends(frozenset(closed_clues(home, end_of_day)), f"{version} {day}")


def told_place(service: Service, row: dict[str, Any]) -> dict[str, Any]:
    """A row of the kept ranking as callers see it; titles in both languages."""
    model = service.supervision_models.get(str(row["supervision_model"]))
    below, _ = row.pop("below"), row.pop("minus_value")
    return {
        **row,
        "within_capacity": below == 0,
        "title": service.model_titles.get(str(row["supervision_model"])),
        "function": model.head.function if model else None,
        "severity": model.head.severity if model else None,
        "raised_at": row["raised_at"].isoformat(),
        "office": service.office_titles.get(row["office_id"]),
    }


def visible_clue(service: Service, who: Principal, clue_id: str) -> dict[str, Any] | None:
    """A clue's row, or None where there is none or it is not the caller's: both alike (P-10).

    Its office is the one where the clue stands now: that which handed it on sees it no longer.
    """
    row = service.clue_lookup.row(clue_id)
    if row is None:
        return None
    with service.ledger.connect() as connection:
        return seen_at_its_office(who, row, stands(connection, clue_id))


def seen_at_its_office(
    who: Principal, row: dict[str, Any], now: Mapping[str, Any] | None
) -> dict[str, Any] | None:
    """A clue's row with the office where it stands `now` (None: where it was raised); None where
    that is not the caller's."""
    office = (now or row)["office_id"]
    return {**row, "office_id": office} if who.sees(office) else None
