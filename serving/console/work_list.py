"""The queue's page: what was asked for, and the clues that answer it, of whichever list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from dispatch.in_hand import ENDED, IN_HAND, read_in_hand
from dispatch.queue_reading import read_cursor
from serving.principal import Principal
from serving.queue import asked_models, no_such, queue_page, visible_offices
from serving.service import Service

View = Literal["waiting", "in_hand", "overdue", "ended"]
VIEWS: tuple[View, ...] = get_args(View)
STATES_SHOWN: dict[str, tuple[str, ...]] = {
    "in_hand": IN_HAND,
    "overdue": IN_HAND,
    "ended": ENDED,
    **{state: (state,) for state in IN_HAND},
}
ROWS = 50


@dataclass(frozen=True)
class Asked:
    """What a visitor wants to see; empty text: no bound."""

    view: str = "waiting"
    office: str = ""
    model: str = ""
    function: str = ""
    cursor: str | None = None
    start: int = 0

    @property
    def kept(self) -> dict[str, str]:
        """What the next page is asked with."""
        names = ("view", "office", "model", "function")
        return {name: value for name in names if (value := str(getattr(self, name)))}


@dataclass(frozen=True)
class WorkList:
    """`entries` to show; `more`: what the next page is asked with (None: no more). `total` and
    `capacity` are of the whole queue, and told for the waiting ones only."""

    entries: list[dict[str, Any]]
    more: Mapping[str, str] | None
    total: int = 0
    capacity: int = 0
    # Whether nothing before this page was below the line: it may stand above the first entry.
    after_within: bool = False


def work_list(service: Service, who: Principal, asked: Asked) -> WorkList:
    """Raises UnfitMessage for a view, office, supervision model or function that there is not."""
    models = asked_models(service, asked.model, asked.function)
    if asked.view == "waiting":
        return _waiting(service, who, asked, models)
    if asked.view not in STATES_SHOWN:
        raise no_such("view", f"one of {', '.join(('waiting', *STATES_SHOWN))}")
    now = service.clock.now()
    rows = read_in_hand(
        service.ledger,
        visible_offices(service, who, asked.office or None),
        STATES_SHOWN[asked.view],
        models,
        ROWS + 1,
        asked.start,
        now if asked.view == "overdue" else None,
    )
    more = {**asked.kept, "start": str(asked.start + ROWS)} if len(rows) > ROWS else None
    return WorkList([_told(service, row, now) for row in rows[:ROWS]], more)


def _waiting(
    service: Service, who: Principal, asked: Asked, models: frozenset[str] | None
) -> WorkList:
    office = asked.office or None
    page = queue_page(service, who, office, ROWS, asked.cursor, models, "state")
    entries = [{**each, "due": None, "late": False} for each in page.entries]
    more = {**asked.kept, "cursor": page.next_cursor} if page.next_cursor else None
    # A first page may begin below the line, too: this week's hands are all given out.
    after_within = asked.cursor is None or read_cursor(asked.cursor)[0] == 0
    return WorkList(entries, more, page.total, page.capacity, after_within)


def _told(service: Service, row: dict[str, Any], now: datetime) -> dict[str, Any]:
    due = row["due"]
    return {
        **row,
        "title": service.model_titles.get(str(row["supervision_model"])),
        "office": service.office_titles.get(str(row["office_id"])),
        "late": due is not None and due < now,
        "rank": None,
        "within_capacity": False,
        "exploration": False,
        "floor": False,
    }


def choices(service: Service, who: Principal) -> dict[str, Any]:
    """What may be chosen: offices of the visitor, supervision models, functions."""
    models = service.supervision_models.values()
    own = [
        office for office in service.offices.offices if who.sees(office.office_id)
    ]  # those of nobody are in "all"
    return {
        "offices": own if len(own) > 1 else [],
        "models": sorted(models, key=lambda model: model.name),
        "function_names": sorted({model.head.function for model in models}),
        "views": ("waiting", "in_hand", *IN_HAND, "overdue", "ended"),
    }
