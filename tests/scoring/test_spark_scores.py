"""Scores and reasons on Spark are those of one machine, bit for bit."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa
import pytest
import tiny_scorer

from scoring.batch import TOLD, tell_rows
from scoring.scorer import Scorer

pytestmark = pytest.mark.skipif(shutil.which("java") is None, reason="Spark wants Java 17")


def test_spark_tells_what_one_machine_tells(tmp_path: Path) -> None:
    """Over several batches and two workers; unknown categories and missing values included."""
    from features.spark.session import local_session
    from scoring.spark import tell_frame

    digest = tiny_scorer.write_tiny_bundle(tmp_path)
    rows = tiny_scorer.random_rows(500, 5)
    rows = rows.add_column(0, "clue_id", pa.array([f"{at:04}" for at in range(500)]))
    session = local_session(2, more={"spark.sql.execution.arrow.maxRecordsPerBatch": "100"})
    try:
        frame = session.createDataFrame(rows).repartition(3)
        told = tell_frame(frame, tmp_path / digest, digest, reasons=2, language="zh")
        spark = told.toArrow().sort_by("clue_id")
    finally:
        session.stop()
    scorer = Scorer.load(tmp_path / digest, digest)
    ours = tell_rows(scorer, rows, 2, "zh").add_column(0, "clue_id", rows["clue_id"])
    assert spark["clue_id"].equals(rows["clue_id"])
    assert spark.cast(pa.schema([("clue_id", pa.string()), *TOLD])).equals(ours)
