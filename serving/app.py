"""The application: one page of wiring."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from fastapi import Depends, FastAPI
from starlette.types import Receive, Scope, Send

from base.settings import Settings
from governance.home import Home
from scoring.alias import move_in_own_process
from serving.access import authorised, require_declared
from serving.console import pages
from serving.console.quick_queue import QuickQueue
from serving.headers import SafeHeaders
from serving.logs import set_up_logs
from serving.openapi import describe
from serving.quick import QUICK, QuickScores
from serving.refusals import add_refusals
from serving.routes import (
    audit,
    clues,
    events,
    health,
    history,
    metrics,
    monitoring,
    new_clues,
    orders,
    outcomes,
    oversight,
    queue,
    reference,
    scorers,
    scores,
    transitions,
)
from serving.service import Service
from serving.traces import tracer_by
from serving.watched import Watched

OBJECTS_UNTIL_LOOKED_AT = 20_000
# Routes are looked through in this order; the pages are what persons ask for all day.
ROOMS = (
    pages, scores, new_clues, clues, history, transitions, queue, orders, oversight, outcomes,
    events, scorers, monitoring, audit, health, metrics, reference,
)  # fmt: skip


class Application(FastAPI):
    """The routes, and before them the quick ways of those that are called all day."""

    quick: QuickScores | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Whatever the quick ways do not answer comes back to the routes."""
        if self.quick is None:
            await super().__call__(scope, receive, send)
        else:
            await self.quick(scope, receive, send)


def create_app(home: Home) -> FastAPI:
    """The API and the console over one home."""
    app = Application(
        title="Clues",
        version="1",
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(authorised)],
        lifespan=_tells_connections,
    )
    app.state.service = Service(home)
    app.openapi = partial(describe, app, home.jurisdiction)  # type: ignore[method-assign]
    add_refusals(app)
    app.add_middleware(SafeHeaders, hsts_seconds=app.state.service.settings.hsts_seconds)
    tracer = tracer_by(app.state.service.settings.otel_endpoint)
    app.add_middleware(Watched, tracer=tracer)
    for room in ROOMS:
        app.include_router(room.router)
    require_declared(app)
    hsts_seconds = app.state.service.settings.hsts_seconds
    quick_queue = QuickQueue(super(Application, app).__call__, app, hsts_seconds, tracer)
    app.quick = QuickScores(quick_queue, app.state.service, tracer)
    return app


@asynccontextmanager
async def _tells_connections(app: Application) -> AsyncIterator[dict[str, Any]]:
    """Connections learn here of the quick way (serving/quick_http.py)."""
    yield {QUICK: app.quick}


def from_environment() -> FastAPI:
    """For `uvicorn --factory serving.app:from_environment`: the home is CLUES_HOME."""
    set_up_logs()
    app = create_app(Home.open(Settings().home))
    app.state.service.warm()
    move_in_own_process(app.state.service.home)
    _leave_alone_what_stays()
    return app


def _leave_alone_what_stays() -> None:
    """A hundred thousand objects of modules, routes and definitions live as long as the process:
    looking through them again and again would hold up whoever asks at that moment."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(OBJECTS_UNTIL_LOOKED_AT)
