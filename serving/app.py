"""The application: one page of wiring."""

from __future__ import annotations

from functools import partial

from fastapi import Depends, FastAPI

from base.settings import Settings
from governance.home import Home
from serving.access import authorised, require_declared
from serving.console import pages
from serving.headers import SafeHeaders
from serving.logs import set_up_logs
from serving.openapi import describe
from serving.quick import QuickScores
from serving.refusals import add_refusals
from serving.routes import (
    audit,
    clues,
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

ROOMS = (
    scores, new_clues, clues, history, transitions, queue, orders, oversight, outcomes, scorers,
    monitoring, audit, health, metrics, reference, pages,
)  # fmt: skip


def create_app(home: Home) -> FastAPI:
    """The API and the console over one home."""
    app = FastAPI(
        title="Clues",
        version="1",
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(authorised)],
    )
    app.state.service = Service(home)
    app.add_middleware(QuickScores, service=app.state.service)
    app.openapi = partial(describe, app, home.jurisdiction)  # type: ignore[method-assign]
    add_refusals(app)
    app.add_middleware(SafeHeaders, hsts_seconds=app.state.service.settings.hsts_seconds)
    app.add_middleware(Watched, tracer=tracer_by(app.state.service.settings.otel_endpoint))
    for room in ROOMS:
        app.include_router(room.router)
    require_declared(app)
    return app


def from_environment() -> FastAPI:
    """For `uvicorn --factory serving.app:from_environment`: the home is CLUES_HOME."""
    set_up_logs()
    app = create_app(Home.open(Settings().home))
    app.state.service.warm()
    return app
