"""A message as it goes out: CloudEvents 1.0, JSON, all of it in the body.

The same row gives the same bytes each time it is sent. `sequence` is the version of the clue that
the message tells of: a receiver that has a later one may leave an earlier one aside.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from dispatch.exchange.outbox import TIMES
from scoring.ledger.chain import canonical

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"


def envelope(row: Mapping[str, Any], *, source: str, timezone: str) -> dict[str, Any]:
    """A row of the outbox as a CloudEvent. Wall times of the row get the jurisdiction's offset."""
    zone = ZoneInfo(timezone)
    data = {
        name: _moment(value, zone) if name in TIMES else value
        for name, value in row["data"].items()
    }
    event = {
        "specversion": "1.0",
        "id": row["message_id"],
        "source": source,
        "type": f"clues.{row['kind']}.v1",
        "subject": row["clue_id"],
        "time": _moment(row["made_at"].isoformat(), zone),
        "datacontenttype": "application/json",
        "data": {"clue_id": row["clue_id"], **data},
    }
    version = row["data"].get("version")
    return event if version is None else {**event, "sequence": f"{version:010d}"}


def body_of(event: Mapping[str, Any]) -> bytes:
    """Canonical JSON."""
    return canonical(event)


def _moment(told: str | None, zone: ZoneInfo) -> str | None:
    return None if told is None else datetime.fromisoformat(told).replace(tzinfo=zone).isoformat()
