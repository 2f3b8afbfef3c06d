"""The register of clues: reading back what was raised."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from base.errors import NotFound, NotReady, Refused
from clues.clue import clue_schema
from clues.lookup import lookup_of
from governance import tables
from governance.home import Home

ORDER = [("raised_at", "ascending"), ("clue_id", "ascending")]
# So many clues are looked up one by one; for more the whole register is read.
FEW = 100


def read_clues(home: Home, clue_ids: Iterable[str] | None = None) -> pa.Table:
    """All clues, or those named (unknown ids are simply not there), by moment, then id."""
    asked = None if clue_ids is None else list(dict.fromkeys(clue_ids))
    few = _looked_up(home, asked) if asked is not None and len(asked) <= FEW else None
    if few is not None:
        return few.sort_by(ORDER)
    stored = tables.dataset(home.table("clues"))
    if stored is None:
        return clue_schema(home.jurisdiction).empty_table()
    chosen = None if asked is None else pc.field("clue_id").isin(pa.array(asked, pa.string()))
    return stored.to_table(filter=chosen).sort_by(ORDER)


def _looked_up(home: Home, clue_ids: list[str]) -> pa.Table | None:
    """The same for a few ids; None where the lookup cannot tell."""
    try:
        return lookup_of(home.table("clues"), home.scratch / "register").rows(clue_ids)
    except OSError:  # a folder that cannot be written costs time only
        return None


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
