"""The application: one page of wiring."""

from __future__ import annotations

from fastapi import FastAPI

from base.settings import Settings
from governance.home import Home
from serving.console import pages
from serving.quick import QuickScores
from serving.refusals import add_refusals
from serving.routes import clues, health, queue, scores
from serving.service import Service


def create_app(home: Home) -> FastAPI:
    """The API and the console over one home."""
    app = FastAPI(title="Clues", version="1", docs_url=None, redoc_url=None)
    app.state.service = Service(home)
    app.add_middleware(QuickScores, service=app.state.service)
    add_refusals(app)
    for room in (scores, clues, queue, health, pages):
        app.include_router(room.router)
    return app


def from_environment() -> FastAPI:
    """For `uvicorn --factory serving.app:from_environment`: the home is CLUES_HOME."""
    app = create_app(Home.open(Settings().home))
    app.state.service.warm()
    return app
