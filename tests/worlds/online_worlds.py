"""Records that reach an online store in several stages, retractions later than their records."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import feature_worlds as worlds
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.definition import FeatureSet, load_features
from features.online.catching_up import Arrivals, catch_up
from features.online.manifest import SourceNote, only_writer, read_manifest
from features.online.store import StoreReader
from governance.reading import Records

SEED, ROWS = 3, 60_000
WINDOWS = [30, 365, "all"]


def store_in_stages(
    folder: Path,
    definitions: FeatureSet,
    records: Records,
    stages: int = 1,
) -> StoreReader:
    """The store of all `records`, taken in by record_no in `stages` equal parts.

    Of the records that are retracted, those with an even number are so when they arrive; the
    others are told to be at the last stage.
    """
    for stage in range(stages):
        take_in(folder, definitions, records, stage, stages)
    return StoreReader(folder, definitions)


def take_in(
    folder: Path, definitions: FeatureSet, records: Records, stage: int, stages: int
) -> None:
    """One stage, as one generation."""
    with only_writer(folder):
        manifest = read_manifest(folder)
        arrivals = [
            _arrivals(records, source, stage, stages, stage == stages - 1)
            for source in records.record_sets
        ]
        connection = records.connection().cursor()
        catch_up(folder, definitions, connection, arrivals, manifest)


def _arrivals(records: Records, source: str, stage: int, stages: int, last: bool) -> Arrivals:
    connection = records.connection().cursor()
    total = connection.sql(f"SELECT coalesce(max(record_no), 0) FROM {source}").fetchall()[0][0]
    begin, end = (int(cut) for cut in np.linspace(0, total, stages + 1)[stage : stage + 2])
    told_later = "retracted_at IS NOT NULL AND record_no % 2 = 1"
    hidden = (
        ""
        if last
        else f"REPLACE (CASE WHEN {told_later} THEN NULL ELSE retracted_at END AS retracted_at)"
    )
    rows = f"SELECT * {hidden} FROM {source} WHERE record_no > {begin} AND record_no <= {end}"
    retracted = connection.sql(
        f"SELECT record_no, epoch_us(retracted_at) AS until FROM {source}"
        f" WHERE {told_later} AND record_no <= {begin if last else 0}"
    ).to_arrow_table()
    note = SourceNote(version=stage, records=end, last_record=end)
    return Arrivals(source, note, rows, retracted)


def at_stage(paid: pa.Table, ended: pa.Table, stage: int, stages: int) -> Records:
    """The records that a store has taken in after `stage`, for the batch engine."""
    held = {}
    for name, table in (("payments", paid), ("outcomes", ended)):
        rows = int(np.linspace(0, table.num_rows, stages + 1)[stage + 1])
        table = table.slice(0, rows)
        if "retracted_at" in table.column_names and stage < stages - 1:
            later = pa.array(np.arange(1, rows + 1) % 2 == 1)
            until = pc.if_else(later, None, table["retracted_at"])
            at = table.schema.get_field_index("retracted_at")
            table = table.set_column(at, "retracted_at", until)
        held[name] = table
    return Records.of_tables(held)


def wide_definitions() -> FeatureSet:
    """Every kind, in windows that are worth tiles."""
    history = [
        {**group, "windows": [7, 90, "all"] if group["group"] == "own" else WINDOWS}
        for group in worlds.DEFINITIONS["history"]
    ]
    ratios = [{**ratio, "windows": WINDOWS} for ratio in worlds.DEFINITIONS["ratios"]]
    return load_features(
        {**worlds.DEFINITIONS, "history": history, "ratios": ratios},
        sources=worlds.SOURCES,
        clue_columns=worlds.CLUE_COLUMNS,
    )


def hot_world(seed: int, rows: int, clues: int) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Payments, outcomes and clues of feature_worlds' columns; person 'a' has most payments.

    Moments fall on whole hours, so that ties are common; some records come up to 200 days late,
    some are retracted, some keys and values are missing.
    """
    draw = np.random.default_rng(seed)
    start, hour = np.datetime64("2022-01-01", "us"), np.timedelta64(3_600_000_000, "us")

    def moments(count: int, hours: int = 24 * 700) -> np.ndarray:
        return start + draw.integers(0, hours, count) * hour

    def some(values: Sequence[object], weights: Sequence[float], count: int) -> pa.Array:
        chosen = draw.choice(len(values), count, p=np.array(weights) / sum(weights))
        return pa.array([values[at] for at in chosen])

    def cents(count: int) -> pa.Array:
        given = draw.integers(-50, 5_000, count)
        return pa.array(given, mask=draw.random(count) < 0.1)

    happened = moments(rows)
    late = np.where(draw.random(rows) < 0.03, draw.integers(0, 24 * 200, rows), 0) * hour
    retracted = happened + draw.integers(0, 24 * 300, rows) * hour
    people, kinds = ["a", "b", "c", None], [f"k{at}" for at in range(300)] + [None]
    payments = pa.table(
        {
            "person": some(people, [80, 15, 4, 1], rows),
            "agency": some(["x", "y", None], [6, 3, 1], rows),
            "cents": cents(rows),
            "kind": some(kinds, [*(1 / (1 + at) for at in range(300)), 0.5], rows),
            "happened_at": pa.array(happened),
            "known_at": pa.array(happened + late),
            "retracted_at": pa.array(retracted, mask=draw.random(rows) > 0.02),
        }
    )
    outcomes = pa.table(
        {
            "model": some(["m", "n"], [9, 1], rows // 4),
            "became_case": some([0, 1, None], [8, 1, 1], rows // 4),
            "happened_at": pa.array(moments(rows // 4)),
        }
    )
    asked = pa.table(
        {
            "clue_id": [f"c{at}" for at in range(clues)],
            "person": some(people, [6, 2, 1, 1], clues),
            "agency": some(["x", "y", None], [6, 3, 1], clues),
            "model": some(["m", "n"], [1, 1], clues),
            "cents": cents(clues),
            "raised_at": pa.array(moments(clues, 24 * 800)),
        }
    )
    return payments, outcomes, asked
