"""Spark on one machine, and a home's record sets as Spark frames."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from pyspark.sql import DataFrame, SparkSession, functions
from pyspark.sql import types as spark_types

from governance import tables
from governance.contract import Contract
from governance.home import Home

SPARK_TYPES: dict[str, spark_types.DataType] = {
    "integer": spark_types.LongType(),
    "number": spark_types.DoubleType(),
    "string": spark_types.StringType(),
    "date": spark_types.DateType(),
    "timestamp": spark_types.TimestampNTZType(),
    "boolean": spark_types.BooleanType(),
}
SYSTEM_TYPES = {
    "record_no": "integer",
    "happened_at": "timestamp",
    "known_at": "timestamp",
    "retracted_at": "timestamp",
    "batch": "string",
}


def local_session(
    cores: int, *, memory: str = "2g", more: Mapping[str, str] | None = None
) -> SparkSession:
    """A session on this machine: `cores` workers, `memory` for the JVM, `more` Spark settings.

    Nothing listens beyond 127.0.0.1 and no web page is served. Workers run the interpreter and
    see the modules that the caller does.
    """
    os.environ["PYSPARK_PYTHON"] = sys.executable
    settings = {
        "spark.driver.memory": memory,
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": str(cores),
        "spark.executorEnv.PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    settings |= more or {}
    builder = SparkSession.builder.master(f"local[{cores}]").appName("clues")
    for name, value in settings.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def record_frames(
    home: Home, session: SparkSession, versions: Mapping[str, int] | None = None
) -> dict[str, DataFrame]:
    """Each record set of a home, and its clues, as a frame over the files of one Delta version.

    `versions` maps record set -> version; the newest is taken where it names none. A record set
    with no rows yet is an empty frame. Files are those the Delta log names, as everywhere else, so
    that no Delta package has to be loaded into Spark.
    """
    asked = dict(versions or {})
    frames = {
        name: _frame(tables.files(home.table(name), asked.get(name)), contract, session)
        for name, contract in home.jurisdiction.contracts.items()
    }
    raised = tables.files(home.table("clues"), asked.get("clues"))
    return frames | ({"clues": session.read.parquet(*raised)} if raised else {})


def _frame(files: list[str], contract: Contract, session: SparkSession) -> DataFrame:
    if files:
        read = session.read.parquet(*files)
        since = [column for column in contract.columns if column.name not in read.columns]
        missing = {each.name: functions.lit(None).cast(SPARK_TYPES[each.type]) for each in since}
        return read.withColumns(missing) if missing else read
    kinds = {**SYSTEM_TYPES, **{column.name: column.type for column in contract.columns}}
    fields = [spark_types.StructField(name, SPARK_TYPES[kind]) for name, kind in kinds.items()]
    return session.createDataFrame([], spark_types.StructType(fields))
