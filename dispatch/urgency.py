"""Urgency: what is added to the log-odds of a clue because it cannot wait. Weights are declared.

Nothing is urgent by default. A clue past its term is not urgent any more: the term cannot be kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from math import log
from typing import Any

from dispatch.rules import Limitation, Money, Urgency, Waiting

DAY = 86_400.0


def urgency_of(rule: Urgency, clue: Mapping[str, Any], moment: datetime) -> float:
    """At least 0. `clue` has raised_at and the rule's columns; a missing value adds nothing."""
    waited = max(0.0, (moment - clue["raised_at"]).total_seconds() / DAY)
    found = 0.0
    if rule.limitation is not None:
        found += _limitation(rule.limitation, clue.get(rule.limitation.lag_column), waited)
    if rule.waiting is not None:
        found += _waiting(rule.waiting, waited)
    if rule.money is not None:
        found += _money(rule.money, clue.get(rule.money.column))
    return found


def _limitation(rule: Limitation, lag_days: float | None, waited: float) -> float:
    if lag_days is None:
        return 0.0
    left = rule.term_days - lag_days - waited
    return rule.weight * (1 - left / rule.within_days) if 0 <= left < rule.within_days else 0.0


def _waiting(rule: Waiting, waited: float) -> float:
    return rule.weight * min(1.0, waited / rule.days)


def _money(rule: Money, amount: float | None) -> float:
    if amount is None or amount <= 1:
        return 0.0
    return rule.weight * min(1.0, log(amount) / log(rule.full))
