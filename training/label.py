"""Labels: what became of a clue, as far as it was known at a cut. Unknown is not negative."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from governance.checks import quoted
from governance.reading import Records, known_before
from training.experiment import Label, OutcomeLabel, RecordsLabel

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Labels:
    """`values` (n,): 1, 0 or NaN (unknown). `unripe` and `unpursued` count the unknown ones."""

    values: Floats
    unripe: int
    unpursued: int


def label_clues(label: Label, clues: pa.Table, records: Records, cut: datetime) -> Labels:
    """Labels of `clues` known strictly before `cut`.

    A clue is ripe when its horizon and the reporting lag have passed by the cut; an unripe one is
    unknown even if its outcome is in, or early outcomes would be the only ones that teach.
    """
    connection = records.connection().cursor()
    asked = clues.select(list(dict.fromkeys(["clue_id", "raised_at", *_keys(label)])))
    connection.register("asked", asked)
    known = dict(
        connection.execute(
            _outcome_sql(label) if isinstance(label, OutcomeLabel) else _records_sql(label),
            {"cut": cut},
        ).fetchall()
    )
    lag = timedelta(days=label.reporting_lag_days)
    moments = clues["raised_at"].to_pylist()
    ripe = np.array([label.horizon.after(m) + lag <= cut for m in moments], bool)
    values = np.array([known.get(i, np.nan) for i in clues["clue_id"].to_pylist()], np.float64)
    unpursued = int((np.isnan(values) & ripe).sum())
    return Labels(np.where(ripe, values, np.nan), int((~ripe).sum()), unpursued)


def _keys(label: Label) -> list[str]:
    return list(label.key) if isinstance(label, RecordsLabel) else []


def _outcome_sql(label: OutcomeLabel) -> str:
    """Per clue: 1 where a case was filed within the horizon, 0 where it ended otherwise."""
    return f"""
        SELECT a.clue_id, (o.became_case = 1 AND o.happened_at <
                           a.raised_at + INTERVAL {label.horizon_days} DAY)::INTEGER::DOUBLE
        FROM asked a JOIN outcomes o USING (clue_id)
        WHERE o.became_case IS NOT NULL AND o.known_at < $cut
          AND (o.retracted_at IS NULL OR o.retracted_at >= $cut)
    """


def _records_sql(label: RecordsLabel) -> str:
    key = " AND ".join(
        f"a.{quoted(ours)}::VARCHAR = r.{quoted(theirs)}::VARCHAR"
        for ours, theirs in label.key.items()
    )
    theirs = ", ".join(quoted(name) for name in label.key.values())
    until = f"INTERVAL {label.within.months} MONTH + INTERVAL {label.within.days} DAY"
    return f"""
        SELECT a.clue_id, max(r.positive)::DOUBLE
        FROM asked a JOIN (
            SELECT {theirs}, happened_at, CASE WHEN {label.positive} THEN 1 ELSE 0 END AS positive
            FROM {quoted(label.record_set)} WHERE {known_before("$cut")}
        ) r ON {key} AND r.happened_at >= a.raised_at AND r.happened_at < a.raised_at + {until}
        GROUP BY a.clue_id
    """
