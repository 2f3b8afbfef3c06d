"""The same scores and reasons on Spark, past one machine: Arrow batches, one scorer a process.

Needs the extra `spark`. Every executor reads the bundle from the same folder, checks its digest
and its golden rows as everywhere else, and gives the bits that one machine gives.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import from_arrow_schema

from base.bilingual import Language
from scoring.batch import TOLD, tell_rows
from scoring.batch_workers import scorer_here


def tell_frame(
    frame: DataFrame, folder: Path, digest: str, *, reasons: int, language: Language
) -> DataFrame:
    """`frame` has clue_id and the scorer's features by name; the answer clue_id and TOLD.

    `folder` is the scorer's bundle, on a path that every executor can read.
    """
    place = str(folder)

    def told(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        scorer = scorer_here(Path(place), digest)
        for batch in batches:
            rows = pa.Table.from_batches([batch])
            table = tell_rows(scorer, rows, reasons, language)
            yield from table.add_column(0, "clue_id", rows["clue_id"]).to_batches()

    schema = pa.schema([("clue_id", pa.string()), *TOLD])
    return frame.mapInArrow(told, from_arrow_schema(schema))
