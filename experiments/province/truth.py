"""The truth about each clue, and the orders that offices were given: rows to be written apart."""

from __future__ import annotations

import numpy as np
import pandas as pd

from experiments.province.findings import Findings, last_day
from experiments.province.history import History
from experiments.province.kinds import per_clue
from experiments.province.world import RING_PHONE, World


def true_clues(world: World, found: Findings, history: History, ids: list[str]) -> pd.DataFrame:
    """One row per clue: what it is, why, and what would come of it.

    `probability`: P(case | taken up at once by an office of average skill), the oracle's order.
    `skill`: of its office beside the average. `propensity`: the chance with which it was taken up.
    `benign`: the harmless explanation that there is. `ring`: of a telephone that strangers share;
    `pattern`: of the ring that appears late; `mended`: from the agency that mended its ways.
    """
    of_person = per_clue(found.kind, "subject") == "person"
    ring = of_person & (world.phone_kind[found.person] == RING_PHONE)
    return pd.DataFrame(
        {
            "clue_id": ids,
            "supervision_model": per_clue(found.kind, "name"),
            "function": per_clue(found.kind, "function"),
            "severity": per_clue(found.kind, "severity").astype(np.int64),
            "moment": np.array(found.moment, "datetime64[us]"),
            "month": found.month,
            "office_id": found.office.astype(str),
            "guilt": found.chances.guilt,
            "provability": found.chances.provability,
            "benign": found.chances.benign.astype(str),
            "probability": found.probability,
            "skill": history.skill,
            "ring": ring,
            "pattern": found.chances.pattern,
            "mended": found.chances.mended,
            "propensity": history.propensity,
            "pursued": history.pursued,
            "explored": history.explored,
            "became_case": history.became_case.astype(np.int64),
        }
    )


def true_orders(found: Findings, history: History, ids: list[str], months: int) -> pd.DataFrame:
    """Orders given before the history ends: clue_id, office_id, ordered_at, exploration and the
    chance with which the clue was chosen."""
    end = last_day(months).astype("datetime64[s]")
    rows = np.flatnonzero(history.pursued & (history.ordered_at < end))
    return pd.DataFrame(
        {
            "clue_id": np.array(ids, object)[rows],
            "office_id": found.office[rows].astype(str),
            "ordered_at": history.ordered_at[rows],
            "exploration": history.explored[rows],
            "drawing_probability": history.propensity[rows],
        }
    ).sort_values("ordered_at", kind="stable", ignore_index=True)
