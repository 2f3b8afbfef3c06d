"""What would come of a clue, had an office taken it up on a day: drawn from the truth.

    chance = probability x skill of its office x load x freshness;  a case where luck < chance

The draws of a clue hang on its id and the seed alone, never on which other clues are asked about
or in what order. Policies that are compared therefore meet the same luck, clue by clue.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtri

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
# One column of `lots` for each thing that is left to chance.
CASE, TAKES, REPORT, STATUS, CORRECTED, LATER, PURSUED, WAIT = range(8)
# Log-normal: the median, and one in twenty above 200 days. Nothing takes longer than LONGEST_DAYS.
MEDIAN_DAYS, SPREAD, SHORTEST_DAYS, LONGEST_DAYS = 45.0, 0.907, 2, 225
LONGEST_REPORT_DAYS = 11
CORRECTED_SHARE = 0.02
OTHER_STATUSES, OTHER_SHARES = ("unfounded", "transferred", "returned"), (0.86, 0.09, 0.05)
# Evidence lasts a while; then it fades, by a tenth in 40 days.
FRESH_DAYS, FADING_DAYS = 60.0, 400.0
OVERLOAD, LEAST_CARE = 0.25, 0.5


def lots(seed: int, clue_ids: Any) -> Floats:
    """Uniform draws in [0, 1), (n, 8): a digest of the seed and each clue's id."""
    key = int(seed).to_bytes(16, "big", signed=True)
    digests = b"".join(blake2b(str(clue).encode(), key=key).digest() for clue in clue_ids)
    whole = np.frombuffer(digests, ">u8").reshape(-1, 8)
    return np.asarray((whole >> np.uint64(11)) / 2.0**53, np.float64)


def chance_at(probability: Floats, skill: Floats, waited_days: Floats, load: Floats) -> Floats:
    """P(case | taken up) at an office of this skill (1: average), so long after the clue's moment,
    with `load` times as much work as it has hands for. All (n,)."""
    care = np.clip(1 - OVERLOAD * np.maximum(0, load - 1), LEAST_CARE, 1.0)
    fresh = np.exp(-np.maximum(0, waited_days - FRESH_DAYS) / FADING_DAYS)
    return np.asarray(np.clip(probability * skill * care * fresh, 0, 1), np.float64)


def what_would_come(
    truth: pd.DataFrame, clue_ids: Any, dispatched_at: Any, load: Any, seed: int
) -> pd.DataFrame:
    """Outcomes of clues given to their offices at `dispatched_at` (one moment, or one per clue).

    `truth` is `truth/clues.parquet`; `load` (one number, or one per clue) is the office's work over
    its capacity. Returns clue_id, status, decided_at, reported_at, in the order they are reported;
    a clue whose outcome is corrected later has two rows. Raises KeyError for an unknown clue.
    """
    ids = np.asarray(clue_ids, object)
    true = truth.set_index("clue_id").loc[ids]
    at = np.broadcast_to(np.asarray(dispatched_at, "datetime64[s]"), len(ids))
    moment = true["moment"].to_numpy().astype("datetime64[s]")
    waited = (at - moment) / np.timedelta64(1, "D")
    drawn = lots(seed, ids)
    chance = chance_at(
        true["probability"].to_numpy(float),
        true["skill"].to_numpy(float),
        waited,
        np.broadcast_to(np.asarray(load, float), len(ids)),
    )
    return outcomes_of(ids, drawn[:, CASE] < chance, at, drawn)


def outcomes_of(
    ids: npt.NDArray[np.object_],
    became: Bools,
    dispatched_at: npt.NDArray[np.datetime64],
    drawn: Floats,
) -> pd.DataFrame:
    """When what came of clues was decided and reported, and what was told wrong at first.

    The last word on a clue is the truth; one in fifty was told the other way round before.
    """
    takes = np.exp(np.log(MEDIAN_DAYS) + SPREAD * ndtri(np.clip(drawn[:, TAKES], 1e-9, 1 - 1e-9)))
    takes = np.clip(takes, SHORTEST_DAYS, LONGEST_DAYS).astype(np.int64)
    decided = dispatched_at + _days(takes) + np.timedelta64(9, "h")
    reports = _days((drawn[:, REPORT] * (LONGEST_REPORT_DAYS + 1)).astype(np.int64))
    reported = decided + reports + np.timedelta64(2, "h")
    place = np.searchsorted(np.cumsum(OTHER_SHARES)[:-1], drawn[:, STATUS], side="right")
    status = np.where(became, "case_filed", np.array(OTHER_STATUSES, object)[place])
    corrected = drawn[:, CORRECTED] < CORRECTED_SHARE
    later = _days(30 + (drawn[:, LATER] * 120).astype(np.int64))[corrected]
    first = np.where(corrected, np.where(became, "unfounded", "case_filed"), status)
    last = np.where(became, "case_filed", "case_withdrawn")[corrected]
    told = pd.DataFrame(
        {
            "clue_id": np.concatenate([ids, ids[corrected]]),
            "status": np.concatenate([first, last]),
            "decided_at": np.concatenate([decided, decided[corrected] + later]),
            "reported_at": np.concatenate([reported, reported[corrected] + later]),
        }
    )
    return told.sort_values("reported_at", kind="stable", ignore_index=True)


def _days(count: npt.NDArray[np.int64]) -> npt.NDArray[np.timedelta64]:
    return count.astype("timedelta64[D]").astype("timedelta64[s]")
