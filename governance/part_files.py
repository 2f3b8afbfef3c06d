"""How rows are written to Parquet: files that a table takes in as they are.

A dictionary is made only of columns that repeat themselves: building one and throwing it away
again costs more than all the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

# What a reader takes at once; as many as DuckDB writes.
ROWS_OF_A_GROUP = 122_880
# A column repeats itself where so many first rows have half as many different values, or fewer.
LOOKED_AT, SHARE = 4096, 2
RECORD_NO = "record_no"


def write_rows(rows: pa.Table, path: Path, repeating: Sequence[str]) -> None:
    """One file. `repeating`: columns to be written with a dictionary. Of text nobody asks for the
    least and the greatest value."""
    seen = [each.name for each in rows.schema if _is_plain(each.type)]
    numbered = RECORD_NO in rows.column_names and RECORD_NO not in repeating
    pq.write_table(
        rows,
        path,
        row_group_size=ROWS_OF_A_GROUP,
        use_dictionary=list(repeating),
        column_encoding={RECORD_NO: "DELTA_BINARY_PACKED"} if numbered else None,
        write_statistics=seen,
        compression="snappy",
        store_schema=False,
    )


def _is_plain(kind: pa.DataType) -> bool:
    return bool(pa.types.is_primitive(kind))


def repeating(rows: pa.Table) -> list[str]:
    """Columns of which the first rows have few different values."""
    return [name for name in rows.column_names if _repeats(rows[name].slice(0, LOOKED_AT))]


def _repeats(first: pa.ChunkedArray) -> bool:
    if pa.types.is_dictionary(first.type):
        return True
    if pa.types.is_boolean(first.type):
        return False
    different: int = pc.count_distinct(first, mode="all").as_py()
    return different <= max(1, len(first) // SHARE)


def repeat(text: str, count: int) -> pa.Array:
    """The same text in every row, as a dictionary of one."""
    return pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int8()), count), [text])
