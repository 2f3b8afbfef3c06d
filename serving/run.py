"""Run the service until Ctrl-C or SIGTERM."""

from __future__ import annotations

import errno
import os
import shutil
import socket
from typing import Any

import uvicorn

from base.errors import NotReady
from base.settings import Settings
from governance.home import Home
from serving.quick_http import QuickHttp

GRACE_SECONDS = 20
KEEP_ALIVE_SECONDS = 15


def serve(home: Home, *, host: str, port: int, workers: int) -> None:
    """Serve a home. Requests in flight get GRACE_SECONDS to finish after SIGTERM (P-14).

    Raises NotReady where nobody can listen at the address.
    """
    Settings()  # a wrong one is refused here, and not by each worker
    require_free(host, port)
    os.environ["CLUES_HOME"] = str(home.path.resolve())
    # Before anything of the service is loaded: its figures look for the folder once.
    folder = home.scratch / f"metrics-{os.getpid()}"
    if workers > 1:
        folder.mkdir(parents=True, exist_ok=True)
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder.resolve())
    options: dict[str, Any] = {
        "host": host,
        "port": port,
        "workers": workers if workers > 1 else None,
        "loop": "uvloop" if workers == 1 else "serving.doors:SharingLoop",
        "http": QuickHttp,
        "timeout_graceful_shutdown": GRACE_SECONDS,
        "timeout_keep_alive": KEEP_ALIVE_SECONDS,
        "access_log": False,
        "log_config": None,
        "server_header": False,
    }
    try:
        uvicorn.run("serving.app:from_environment", factory=True, **options)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def require_free(host: str, port: int) -> None:
    """Raises NotReady for an address where another program listens, or that is not ours."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as place:
            place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            place.bind(address)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        raise NotReady(
            wanted="an address to listen on",
            got=f"{host}:{port}, where another program listens"
            if taken
            else f"{host}:{port}: {error.strerror or error}",
            cure=f"end that program, or give another port: --port {port + 1}"
            if taken
            else "give another --host or --port",
        ) from None
