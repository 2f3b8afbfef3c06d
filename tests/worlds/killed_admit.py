"""A process that admits a file and is killed on the way, from outside or at a chosen point."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from base.moment import FixedClock
from governance import tables
from governance.home import Home
from governance.intake import admit

CLOCK = FixedClock(datetime(2026, 1, 2, 12))
POINTS = ("before the commit", "files moved, not committed", "committed, no receipt")


def admit_until_killed(home: Path, file: Path, point: str | None, told: Connection) -> None:
    """Say a word, admit, say another; die at `point`, if one is given."""
    if point is not None:
        _die_at(point)
    told.send_bytes(b"begins")
    admit(Home.open(home), "payments", [file], CLOCK)
    told.send_bytes(b"done")


def _die_at(point: str) -> None:
    put_in, open_table = tables.put_in, tables.open_table

    def deadly_put_in(path: Path, *given: Any) -> int:
        if path.parent.name != "records":
            return put_in(path, *given)
        if point == POINTS[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        if point == POINTS[1]:
            tables.open_table = _deadly  # type: ignore[assignment]
        version = put_in(path, *given)
        tables.open_table = open_table
        os.kill(os.getpid(), signal.SIGKILL)
        return version

    tables.put_in = deadly_put_in  # type: ignore[assignment]


def _deadly(*_: object) -> Callable[[], None]:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("killed")
