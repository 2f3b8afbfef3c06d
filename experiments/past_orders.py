"""Orders that offices were given before there was a platform, put into its ledger.

With the chance of each clue of having been chosen, so that labels can be weighed
(`selection: known`), and so that no queue offers what an office is already working on.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import sqlalchemy as sa

from dispatch.deadlines import accept_until, verify_until
from governance.home import Home
from scoring.ledger import open_ledger, orders

ORDERED_BY = "before the platform"


def take_past_orders(home: Home, paths: list[str]) -> int:
    """Store the orders of files (clue_id, office_id, ordered_at, exploration, drawing_probability).

    Returns how many. For an empty ledger: a clue that has an order already is an error of it.
    """
    rows = []
    for path in paths:
        for order in pd.read_csv(Path(path), parse_dates=["ordered_at"]).itertuples():
            moment = order.ordered_at.to_pydatetime()
            rows.append(
                {
                    "clue_id": order.clue_id,
                    "office_id": order.office_id,
                    "ordered_at": moment,
                    "ordered_by": ORDERED_BY,
                    "accept_until": accept_until(moment),
                    "verify_until": verify_until(moment),
                    "exploration": bool(order.exploration),
                    "drawing_probability": float(order.drawing_probability),
                }
            )
    if rows:
        with open_ledger(home.ledger_url).begin() as connection:
            connection.execute(sa.insert(orders), rows)
    return len(rows)
