"""The queue's page: what was asked for, and the clues that answer it, of whichever list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from fastapi import Request
from markupsafe import Markup

from base.bilingual import Language
from dispatch.in_hand import ENDED, IN_HAND, InHand, read_in_hand
from dispatch.queue_reading import Shown, read_cursor
from serving.access import service_of
from serving.console.page import filled_in, part
from serving.console.queue_rows import in_hand_rows, waiting_rows
from serving.principal import Principal
from serving.queue import asked_models, no_such, shown_page, visible_offices
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
PARTS_KEPT = 256


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
    """What is shown: of the `waiting`, or of those `in_hand` as of `now`. `more`: what the next
    page is asked with (None: no more). `total` and `capacity` are of the whole queue, and told for
    the waiting ones only."""

    more: Mapping[str, str] | None
    waiting: Sequence[Shown] = ()
    in_hand: Sequence[InHand] = ()
    now: datetime = datetime.max
    total: int = 0
    capacity: int = 0
    # Whether nothing before this page was below the line: it may stand above the first entry.
    after_within: bool = False


def work_list(service: Service, who: Principal, asked: Asked, *, at_once: bool = False) -> WorkList:
    """Raises UnfitMessage for a view, office, supervision model or function that there is not.
    `at_once`: raises NotReady where the kept ranking has to be made again first."""
    models = asked_models(service, asked.model, asked.function)
    if asked.view == "waiting":
        return _waiting(service, who, asked, models, at_once)
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
    return WorkList(more, in_hand=rows[:ROWS], now=now)


def _waiting(
    service: Service, who: Principal, asked: Asked, models: frozenset[str] | None, at_once: bool
) -> WorkList:
    office, cursor = asked.office or None, asked.cursor
    kept, rows, following = shown_page(service, who, office, ROWS, cursor, models, at_once=at_once)
    more = {**asked.kept, "cursor": following} if following else None
    # A first page may begin below the line, too: this week's hands are all given out.
    after_within = cursor is None or read_cursor(cursor)[0] == 0
    return WorkList(more, rows, total=kept.total, capacity=kept.within, after_within=after_within)


def rows_of(service: Service, listed: WorkList, language: Language) -> Markup:
    """The rows of the page's table; empty where there are none."""
    if listed.in_hand:
        return in_hand_rows(service, listed.in_hand, language, listed.now)
    return waiting_rows(service, listed.waiting, language, listed.after_within)


def queue_text(
    request: Request, who: Principal, asked: Asked, language: Language, *, at_once: bool = False
) -> str:
    """The page. Raises what `work_list` raises."""
    service = service_of(request)
    listed = work_list(service, who, asked, at_once=at_once)
    return filled_in(
        request,
        "queue.html",
        language,
        asked=asked,
        listed=listed,
        rows=rows_of(service, listed, language),
        filters=filters(service, who, asked, language),
    )


def filters(service: Service, who: Principal, asked: Asked, language: Language) -> Markup:
    """The form above the table, of what was found fit; kept, for it is the same all day."""
    chosen = (language, who.offices, asked.view, asked.office, asked.function, asked.model)
    known = service.page_parts.get(chosen)
    if known is None:
        if len(service.page_parts) >= PARTS_KEPT:
            service.page_parts.clear()
        known = part("queue_filters.html", language, asked=asked, **choices(service, who))
        service.page_parts[chosen] = known
    return known


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
