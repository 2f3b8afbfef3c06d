"""Whether a registry answers, asked briefly: MLflow itself would try again for minutes."""

from __future__ import annotations

import socket
from pathlib import Path
from urllib.parse import urlsplit

PORTS = {"http": 80, "https": 443, "postgresql": 5432}


def answers(uri: str, seconds: float) -> bool:
    """Whether somebody listens at a tracking URI; of a file, whether it is there.

    True for a place of which that cannot be known.
    """
    if uri.startswith("sqlite:///"):
        return Path(uri.removeprefix("sqlite:///")).is_file()
    place = urlsplit(uri)
    port = place.port or PORTS.get(place.scheme.partition("+")[0])
    if port is None or place.hostname is None:
        return True
    try:
        socket.create_connection((place.hostname, port), seconds).close()
    except OSError:
        return False
    return True
