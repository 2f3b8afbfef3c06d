"""The register of clues: reading back what was raised."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from base.errors import NotFound, NotReady, Refused
from clues.clue import clue_schema
from governance import tables
from governance.home import Home


def read_clues(home: Home, clue_ids: Iterable[str] | None = None) -> pa.Table:
    """All clues, or those named (unknown ids are simply not there), by moment, then id."""
    stored = tables.dataset(home.table("clues"))
    if stored is None:
        return clue_schema(home.jurisdiction).empty_table()
    chosen = (
        None
        if clue_ids is None
        else pc.field("clue_id").isin(pa.array(list(clue_ids), pa.string()))
    )
    rows = stored.to_table(filter=chosen)
    return rows.sort_by([("raised_at", "ascending"), ("clue_id", "ascending")])


def named_clues(home: Home, file: Path) -> pa.Table:
    """The clues whose `clue_id` a Parquet file names, each once.

    Raises NotFound for a file that is not there or ids that no clue has, Refused for one that is
    no Parquet file or has no column of texts `clue_id`.
    """
    asked = _asked_ids(file)
    rows = read_clues(home, asked)
    known = set(rows["clue_id"].to_pylist())
    absent = [each for each in asked if each not in known]
    if absent:
        raise NotFound(
            wanted="ids of clues raised here",
            got=f"{len(absent)} of {len(asked)} that no clue has, such as {absent[0]!r}",
            cure="leave them out, or raise clues first",
            where=file.name,
        )
    return rows


def _asked_ids(file: Path) -> list[str]:
    """The ids a file names, in its order, each once, as far as they are there."""
    try:
        column = pq.read_table(file, columns=["clue_id"]).column("clue_id")
    except (FileNotFoundError, IsADirectoryError):
        raise NotFound(
            wanted="a Parquet file with clue_id",
            got="no such file",
            cure="check the path",
            where=file.name,
        ) from None
    except (pa.ArrowException, OSError, KeyError):
        column = None
    if column is None or not pa.types.is_string(column.type):
        raise Refused(
            wanted="a Parquet file with a column clue_id of texts",
            got="another one",
            cure="write the ids with `clues score`, pandas or DuckDB as Parquet",
            where=file.name,
        )
    return list(dict.fromkeys(column.drop_null().to_pylist()))


def require_clues(home: Home) -> pa.Table:
    """All clues; NotReady where none was ever raised."""
    rows = read_clues(home)
    if rows.num_rows == 0:
        raise NotReady(
            wanted="clues", got="none raised yet", cure="run: clues raise --until MOMENT"
        )
    return rows
