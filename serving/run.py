"""Run the service until Ctrl-C."""

from __future__ import annotations

import os

import uvicorn

from governance.home import Home
from serving.app import create_app

GRACE_SECONDS = 20


def serve(home: Home, *, host: str, port: int, workers: int) -> None:
    """Serve a home. Requests in flight get GRACE_SECONDS to finish after SIGTERM (P-14)."""
    options = {
        "host": host,
        "port": port,
        "timeout_graceful_shutdown": GRACE_SECONDS,
        "timeout_keep_alive": 15,
        "access_log": False,
        "server_header": False,
    }
    if workers == 1:
        app = create_app(home)
        app.state.service.warm()
        uvicorn.run(app, **options)  # type: ignore[arg-type]
        return
    os.environ["CLUES_HOME"] = str(home.path.resolve())
    factory = "serving.app:from_environment"
    uvicorn.run(factory, factory=True, workers=workers, **options)  # type: ignore[arg-type]
