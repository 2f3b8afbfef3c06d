"""Deadlines of a dispatched clue: accept within working days, verify within calendar days."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime, timedelta

ACCEPT_WORKING_DAYS = 3
VERIFY_DAYS = 30
SATURDAY = 5


def accept_until(
    ordered_at: datetime,
    working_days: int = ACCEPT_WORKING_DAYS,
    holidays: Collection[date] = (),
    workdays: Collection[date] = (),
) -> datetime:
    """The same time of day, `working_days` working days later.

    Saturdays, Sundays and `holidays` are left out; `workdays` count whatever day they are.
    """
    moment = ordered_at
    left = working_days
    while left > 0:
        moment += timedelta(days=1)
        day = moment.date()
        usual = moment.weekday() < SATURDAY and day not in holidays
        if usual or day in workdays:
            left -= 1
    return moment


def verify_until(ordered_at: datetime, days: int = VERIFY_DAYS) -> datetime:
    """`days` calendar days later."""
    return ordered_at + timedelta(days=days)
