"""The stand-in as a process: listens until it is ended, and may be killed at any moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from dispatch.exchange.signature import read_keys
from experiments.case_system.server import CaseSystem, Manners
from experiments.case_system.store import Store
from experiments.case_system.work import Work


def run(
    folder: Path,
    key_file: Path,
    port: int,
    manners: Manners,
    platform: str = "",
    platform_key: str = "",
    after_seconds: float = 5.0,
    case_share: float = 0.1,
    listening: Callable[[int], None] = lambda _: None,
    report_key_file: Path | None = None,
) -> None:
    """Serve until the process is ended. Outcomes are reported only where `platform` is given:
    signed by the source that `report_key_file` is the key of, or with the bearer `platform_key`."""
    store = Store(folder)
    signs = (report_key_file.stem, read_keys(report_key_file)) if report_key_file else None
    work = Work(
        store, platform, platform_key, after_seconds, case_share, seed=manners.seed, signs=signs
    )
    taken = work.taken if platform else lambda _: None
    with CaseSystem(port, store, read_keys(key_file), manners, taken) as server:
        listening(server.server_address[1])
        if platform:
            threading.Thread(target=work.run, name="reports", daemon=True).start()
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            work.end()
