"""Who reads which classification when a clue is handled, by `governance/access.py`."""

from __future__ import annotations

from governance.access import cleared as cleared_for
from governance.access import masked_value, seen_row
from governance.jurisdiction import Jurisdiction
from serving.principal import Principal

__all__ = ["cleared", "masked_value", "seen_row"]


def cleared(who: Principal, jurisdiction: Jurisdiction) -> frozenset[str]:
    """The classifications that the principal reads unmasked, by role and offices."""
    return cleared_for(jurisdiction, who.role, "handling", who.offices)
