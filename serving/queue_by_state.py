"""The queue's open clues in one state: waiting, as ranked, or in hand, by deadline."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from base.errors import nearest
from dispatch.queue_by_state import STATES, read_by_state
from serving.principal import Principal
from serving.queue import Page, no_such, queue_page, told_place, visible_offices
from serving.service import Service


def page_of_state(
    service: Service,
    who: Principal,
    office: str | None,
    limit: int,
    cursor: str | None,
    models: Collection[str] | None,
    state: str,
) -> Page:
    """Like `queue_page`, of one state only; `total` and `capacity` stay those of the whole queue.
    Raises UnfitMessage for a state in which no open clue is."""
    if state not in STATES:
        raise no_such("state", "a state of an open clue", nearest(state, STATES))
    whole = queue_page(service, who, office, 1, None)
    seen = visible_offices(service, who, office)
    rows, after = read_by_state(service.ledger, seen, state, limit, cursor, models)
    return replace(whole, entries=[_told(service, row) for row in rows], next_cursor=after)


def _told(service: Service, row: dict[str, Any]) -> dict[str, Any]:
    due = row["due"]
    return {**told_place(service, row), "due": None if due is None else due.isoformat()}
