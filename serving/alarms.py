"""Alarms of a whole home: computed by `clues monitor`, kept in a note, told by /metrics.

The note holds names and numbers of alarms and nothing of clues, so that a scrape costs a file read.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from dispatch.exchange.outbox import counts
from governance.home import Home
from scoring.watch_rules import load_watch_rules
from serving.monitoring import monitor
from serving.principal import Principal
from serving.service import Service

NOTE = "monitoring.json"
KINDS = (
    "feature_drift", "score_drift", "calibration", "fewer_cases", "more_cases", "feedback",
    "outcomes_silent",    "outbox_late", "outbox_dead",
)  # fmt: skip
# Those that a retraining may cure.
OF_THE_SCORER = KINDS[:5]


def monitor_home(home: Home, months: int) -> dict[str, Any]:
    """What monitoring tells over all offices, with the outbox; `ok`: no alarm."""
    service = Service(home)
    told = monitor(service, Principal("command", "auditor", None), months, anew=True)
    now = service.clock.now()
    destinations = counts(service.ledger, now)
    bounds = load_watch_rules(home.jurisdiction.folder).alarms
    longest = timedelta(hours=bounds.outbox_hours).total_seconds()
    for name, each in destinations.items():
        waits = each["oldest_waits_seconds"]
        if waits is not None and waits > longest:
            told["alarms"].append(_alarm("outbox_late", name, waits, longest))
        if each["dead"]:
            told["alarms"].append(_alarm("outbox_dead", name, each["dead"], 0))
    at = now.isoformat(timespec="seconds")
    return {"ok": not told["alarms"], "at": at, **told, "destinations": destinations}


def _alarm(alarm: str, at: str, got: float, bound: float) -> dict[str, Any]:
    return {"alarm": alarm, "at": at, "got": got, "bound": bound}


def keep_alarms(home: Home, told: dict[str, Any]) -> None:
    """Note how many alarms of each kind there are; whole or not at all."""
    number = Counter(each["alarm"] for each in told["alarms"])
    zone = ZoneInfo(home.jurisdiction.timezone)
    seconds = datetime.fromisoformat(told["at"]).replace(tzinfo=zone).timestamp()
    note = {"at": seconds, "alarms": {kind: number[kind] for kind in KINDS}}
    draft = home.path / f"{NOTE}.new"
    draft.write_text(json.dumps(note) + "\n", "utf-8")
    draft.replace(home.path / NOTE)


def told_alarms(home: Home) -> bytes:
    """The note as figures for Prometheus; nothing where `clues monitor` never ran."""
    try:
        note = json.loads((home.path / NOTE).read_text("utf-8"))
        seconds = float(note["at"])
        alarms = {str(kind): int(count) for kind, count in note["alarms"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return b""
    registry = CollectorRegistry()
    figure = Gauge("clues_alarms", "Alarms of the last monitoring", ["alarm"], registry=registry)
    for kind in KINDS:
        figure.labels(kind).set(alarms.get(kind, 0))
    when = Gauge("clues_monitored_timestamp", "When that was, Unix time", registry=registry)
    when.set(seconds)
    told: bytes = generate_latest(registry)
    return told
