"""Moments: naive datetimes in the jurisdiction's wall time, to the microsecond.

There is no default moment. Only a clock object knows `now`; everything else is told.
See docs/decisions/2026-11-23-wall-time.md for why the times carry no zone.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from base.errors import Refused


class Clock(Protocol):
    """The only thing that knows what time it is."""

    def now(self) -> datetime: ...


class WallClock:
    """The machine's clock, read in the jurisdiction's zone and written without it."""

    def __init__(self, timezone: str = "UTC") -> None:
        self.zone = ZoneInfo(timezone)

    def now(self) -> datetime:
        return datetime.now(self.zone).replace(tzinfo=None)


class FixedClock:
    """A clock that stands still (replays and tests)."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def now(self) -> datetime:
        return self.moment


def parse_moment(given: str | date | datetime, timezone: str | None = None) -> datetime:
    """A naive wall-time datetime from ISO text, a date or a datetime.

    An offset in the text is converted to `timezone`, and refused where no `timezone` is known.
    """
    if isinstance(given, str):
        text = given.strip()
        try:
            given = datetime.fromisoformat(text)
        except ValueError:
            raise Refused(
                wanted="a moment such as 2026-01-31 or 2026-01-31T09:00:00",
                got=repr(text[:40]),
                cure="write the moment in ISO 8601",
            ) from None
    if not isinstance(given, datetime):
        return datetime.combine(given, time())
    if given.tzinfo is None:
        return given
    if timezone is None:
        raise Refused(
            wanted="a moment in the jurisdiction's wall time, without an offset",
            got="a moment with an offset",
            cure="leave the offset out",
        )
    return given.astimezone(ZoneInfo(timezone)).replace(tzinfo=None)


def add_months(moment: datetime, months: int) -> datetime:
    """`moment` moved by whole months; the 31st becomes the last day of a shorter month."""
    total = moment.year * 12 + (moment.month - 1) + months
    year, month = divmod(total, 12)
    following = datetime(year + (month == 11), (month + 1) % 12 + 1, 1)
    last_day = (following - timedelta(days=1)).day
    return moment.replace(year=year, month=month + 1, day=min(moment.day, last_day))


def to_micros(moment: datetime) -> int:
    """Microseconds since 1970-01-01, exact (no float on the way)."""
    delta = moment - datetime(1970, 1, 1)
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds
