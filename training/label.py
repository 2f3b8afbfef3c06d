"""Labels: what became of a clue, as far as it was known at a cut. Unknown is not negative.

A clue is ripe when its horizon and the reporting lag have passed by the cut. An unripe one is
unknown even if its outcome is in, or early outcomes would be the only ones that teach; with
`survival` those that ended within what was lived through teach with a weight (survival.py).

The last word known before the cut decides. A later correction changes later cuts only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.slices import MICROS_PER_DAY, micros
from governance.checks import quoted
from governance.reading import Records, known_before
from training.experiment import Label, OutcomeLabel, RecordsLabel
from training.note import Note
from training.survival import censoring_weights, steps_of

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
# No clue any more: its source record was corrected, or it lives on in the clue it joined or in
# those it was split into.
VOID = ("withdrawn", "merged", "split")
CASE_WITHDRAWN = "case_withdrawn"


@dataclass(frozen=True)
class Labels:
    """What is known of each clue, parallel to the clues asked about.

    `values` (n,): 1, 0 or NaN (unknown). `weight` (n,): how much a label counts, 0 where unknown;
    1 unless unripe clues teach. `standing` (n,): ripe, not withdrawn, merged or split; whom the
    chance of being pursued and weighted figures are about.

    `unripe`: unknown as their horizon has not passed; `taught_early`: unripe ones that teach.
    `unpursued`: ripe, and no outcome ever came. `undecided`: ripe ones whose last word decides
    nothing, by status (returned, withdrawn, merged, split). `cases_withdrawn`: ripe ones whose case
    was withdrawn later. `notes`: what a reader of the figures must know.
    """

    values: Floats
    unripe: int
    unpursued: int
    weight: Floats
    standing: Bools
    taught_early: int = 0
    undecided: Mapping[str, int] | None = None
    cases_withdrawn: int = 0
    notes: tuple[Note, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """Every count by name, for reports; statuses as `undecided_STATUS`."""
        by_status = {f"undecided_{name}": n for name, n in sorted((self.undecided or {}).items())}
        return {
            "labelled": int((~np.isnan(self.values)).sum()),
            "unripe": self.unripe,
            "taught_early": self.taught_early,
            "unpursued": self.unpursued,
            "cases_withdrawn": self.cases_withdrawn,
            **by_status,
        }


@dataclass(frozen=True)
class _LastWords:
    """Per clue, the last word known before the cut: value (1, 0, NaN), status ("": no word at
    all), and when it was decided (microseconds; meaningless without a word)."""

    value: Floats
    status: npt.NDArray[np.str_]
    decided: npt.NDArray[np.int64]


def label_clues(label: Label, clues: pa.Table, records: Records, cut: datetime) -> Labels:
    """Labels of `clues` (clue_id, raised_at and the label's keys) known strictly before `cut`.

    With `survival`, `clues` needs supervision_model: who is still unripe differs by model.
    """
    words = _last_words(label, clues, records, cut)
    lag = timedelta(days=label.reporting_lag_days)
    moments = clues["raised_at"].to_pylist()
    ripe = np.array([label.horizon.after(m) + lag <= cut for m in moments], bool)
    void = np.isin(words.status, VOID)
    values = np.where(ripe, words.value, np.nan)
    weight = (~np.isnan(values)).astype(np.float64)
    notes: tuple[Note, ...] = ()
    if isinstance(label, OutcomeLabel) and label.survival is not None:
        values, weight, notes = _followed(label, clues, words, cut)
    silent = ripe & (words.status != "") & np.isnan(words.value) & (words.status != CASE_WITHDRAWN)
    return Labels(
        values=values,
        unripe=int((~ripe & np.isnan(values)).sum()),
        unpursued=int((ripe & (words.status == "")).sum()),
        weight=weight,
        standing=ripe & ~void,
        taught_early=int((~ripe & ~np.isnan(values)).sum()),
        undecided=dict(Counter(words.status[silent].tolist())),
        cases_withdrawn=int((ripe & (words.status == CASE_WITHDRAWN)).sum()),
        notes=notes,
    )


def _followed(
    label: OutcomeLabel, clues: pa.Table, words: _LastWords, cut: datetime
) -> tuple[Floats, Floats, tuple[Note, ...]]:
    """Values, weights and notes where unripe clues teach the steps they have lived through.

    A returned clue goes on to another office: it has not ended. A withdrawn, merged or split one
    has, without a label.
    """
    assert label.survival is not None
    raised = micros(clues["raised_at"])
    seen_until = micros(pa.array([cut], pa.timestamp("us")))[0]
    lived = (seen_until - raised) / MICROS_PER_DAY - label.reporting_lag_days
    ended = ~np.isnan(words.value) | np.isin(words.status, (*VOID, CASE_WITHDRAWN))
    days = np.where(ended, (words.decided - raised) / MICROS_PER_DAY, np.inf)
    followed = steps_of(days, lived, label.horizon_days, label.survival.step_days)
    strata = np.array(clues["supervision_model"].to_pylist(), dtype=str)
    weight, notes = censoring_weights(followed, strata)
    values = np.where(followed.known, words.value, np.nan)
    return values, np.where(np.isnan(values), 0.0, weight), notes


def _last_words(label: Label, clues: pa.Table, records: Records, cut: datetime) -> _LastWords:
    connection = records.connection().cursor()
    keys = list(label.key) if isinstance(label, RecordsLabel) else []
    asked = clues.select(list(dict.fromkeys(["clue_id", "raised_at", *keys])))
    asked = asked.append_column("place", pa.array(range(asked.num_rows), pa.int64()))
    connection.register("asked", asked)
    sql = _outcome_sql(label) if isinstance(label, OutcomeLabel) else _records_sql(label)
    found = connection.execute(f"{sql} ORDER BY place", {"cut": cut}).fetchnumpy()
    value = np.ma.filled(np.ma.asarray(found["value"], np.float64), np.nan)
    status = np.ma.filled(np.ma.asarray(found["status"], object), "").astype(str)
    decided = np.ma.filled(np.ma.asarray(found["decided"], np.int64), 0)
    return _LastWords(value, status, decided)


def _outcome_sql(label: OutcomeLabel) -> str:
    """One row per clue: value 1 where a case was filed within the horizon, 0 where it ended
    otherwise, null where the last word decides nothing or there is none."""
    # An undecided word is null whenever it was said; null AND false would make it a 0.
    decides = "o.became_case IS NOT NULL"
    if label.withdrawn == "unknown":
        decides += f" AND o.status <> '{CASE_WITHDRAWN}'"
    value = f"""CASE WHEN {decides} THEN (o.became_case = 1 AND o.happened_at <
                a.raised_at + INTERVAL {label.horizon_days} DAY)::INTEGER::DOUBLE END"""
    return f"""
        SELECT a.place, {value} AS value, o.status, epoch_us(o.happened_at) AS decided
        FROM asked a LEFT JOIN outcomes o ON o.clue_id = a.clue_id AND o.known_at < $cut
             AND (o.retracted_at IS NULL OR o.retracted_at >= $cut)
        QUALIFY row_number() OVER (PARTITION BY a.place
                                   ORDER BY o.known_at DESC, o.record_no DESC) = 1
    """


def _records_sql(label: RecordsLabel) -> str:
    key = " AND ".join(
        f"a.{quoted(ours)}::VARCHAR = r.{quoted(theirs)}::VARCHAR"
        for ours, theirs in label.key.items()
    )
    theirs = ", ".join(quoted(name) for name in label.key.values())
    until = f"INTERVAL {label.within.months} MONTH + INTERVAL {label.within.days} DAY"
    return f"""
        SELECT a.place, max(r.positive)::DOUBLE AS value,
               CASE WHEN count(r.positive) > 0 THEN 'record' END AS status, 0::BIGINT AS decided
        FROM asked a LEFT JOIN (
            SELECT {theirs}, happened_at, CASE WHEN {label.positive} THEN 1 ELSE 0 END AS positive
            FROM {quoted(label.record_set)} WHERE {known_before("$cut")}
        ) r ON {key} AND r.happened_at >= a.raised_at AND r.happened_at < a.raised_at + {until}
        GROUP BY a.place
    """
