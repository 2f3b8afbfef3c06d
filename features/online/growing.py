"""New segments: from arriving rows (DuckDB sorts them), or two merged into one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from base.errors import Refused
from features.kernel import FOREVER
from features.online.arrays import Arrays, writing_arrays
from features.online.kernel import TILE, merged
from features.online.plan import Kept, hit_name, key_sql
from features.online.segment import KEY_BYTES, Segment, key_arrays
from features.online.tiles import first_tiles, ordered_values, tile_begins, write_tiles
from features.slices import ROWS_PER_BATCH
from governance.checks import quoted

Ints = npt.NDArray[np.int64]
WHOLE = {"BIGINT", "INTEGER", "SMALLINT", "TINYINT", "BOOLEAN", "UTINYINT", "USMALLINT", "UINTEGER"}
KEY_ARRAYS = ("key_digest", "key_end", KEY_BYTES, "first")


@dataclass(frozen=True)
class Arriving:
    """Rows to come into a segment: a SELECT over them, and the codebook of each kept column."""

    connection: duckdb.DuckDBPyConnection
    rows: str
    codebooks: Mapping[str, pa.Array]


@dataclass(frozen=True)
class Written:
    """A segment on disk: records, and the sum of absolute values of each added column."""

    name: str
    rows: int
    sizes: dict[str, float]


def write_segment(folder: Path, name: str, kept: Kept, arriving: Arriving) -> Written | None:
    """Write a segment of the arriving rows that have the key; None where there are none.

    Raises Refused where a number is NaN or infinite.
    """
    keys = _keys(kept, arriving)
    if keys.num_rows == 0:
        return None
    order, found = key_arrays([text.encode() for text in keys["k"].to_pylist()])
    keys = keys.take(order).append_column("code", pa.array(np.arange(len(order))))
    found["first"] = np.concatenate([[0], np.cumsum(keys["n"].to_numpy())]).astype(np.int64)
    rows = int(found["first"][-1])
    shapes = _shapes(kept, found, rows, _value_types(kept, arriving))
    with writing_arrays(folder / f"{name}.base", shapes) as base:
        for part in KEY_ARRAYS:
            base[part][:] = found[part]
        retracted = _fill(base, kept, keys, arriving)
        _fill_ordered(base, kept)
        _require_finite(kept, base)
        sizes = _sizes(kept, base)
        write_tiles(folder / f"{name}.tiles", kept, base, *retracted)
    return Written(name, rows, sizes)


def merge_segments(folder: Path, name: str, kept: Kept, older: Segment, newer: Segment) -> Written:
    """Write one segment of all records of two."""
    texts = list(dict.fromkeys([*older.all_keys(), *newer.all_keys()]))
    order, found = key_arrays(texts)
    number = {texts[at]: place for place, at in enumerate(order.tolist())}
    ours = [np.array([number[key] for key in each.all_keys()], np.int64) for each in (older, newer)]
    sizes = np.zeros(len(texts), np.int64)
    for each, codes in zip((older, newer), ours, strict=True):
        sizes[codes] += np.diff(each.base["first"])
    found["first"] = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    entry, happened, record_no = (
        _both(older, newer, part) for part in ("entry", "happened", "record_no")
    )
    take = merged(
        ours[0], older.base["first"], ours[1], newer.base["first"],
        entry, happened, record_no, older.rows,
    )  # fmt: skip
    rows = len(take)
    types = {part: older.base[f"value {part}"].dtype.str for part in kept.value_names}
    with writing_arrays(folder / f"{name}.base", _shapes(kept, found, rows, types)) as base:
        for part, array in base.items():
            if part in KEY_ARRAYS:
                array[:] = found[part]
            elif not part.startswith("ordered"):
                array[:] = _both(older, newer, part)[take]
        _fill_ordered(base, kept)
        bounds = _sizes(kept, base)
        write_tiles(folder / f"{name}.tiles", kept, base, *_retracted(older, newer, take))
    return Written(name, rows, bounds)


def _both(older: Segment, newer: Segment, part: str) -> npt.NDArray[np.generic]:
    return np.concatenate([older.base[part], newer.base[part]])


def _retracted(older: Segment, newer: Segment, take: Ints) -> tuple[Ints, Ints]:
    """Both segments' retracted rows, at their new places."""
    place = np.empty(len(take), np.int64)
    place[take] = np.arange(len(take))
    at, until = older.retracted()
    more, later = newer.retracted()
    rows = place[np.concatenate([at, more + older.rows])]
    order = np.argsort(rows)
    return rows[order], np.concatenate([until, later])[order]


def _where(kept: Kept) -> str:
    condition = f" AND ({kept.grouping.where})" if kept.grouping.where else ""
    return f"WHERE {key_sql(kept.grouping)} IS NOT NULL{condition}"


def _keys(kept: Kept, arriving: Arriving) -> pa.Table:
    return arriving.connection.sql(f"""
        SELECT {key_sql(kept.grouping)} AS k, count(*) AS n
        FROM ({arriving.rows}) {_where(kept)} GROUP BY k
    """).to_arrow_table()


def _value_types(kept: Kept, arriving: Arriving) -> dict[str, str]:
    """Each value array's dtype: whole numbers stay int64, all else is float64."""
    described = arriving.connection.sql(f"DESCRIBE ({arriving.rows})").fetchall()
    kinds = {name: kind for name, kind, *_ in described}
    types = {name: "<i8" if kinds[name] in WHOLE else "<f8" for name in kept.numbers}
    return types | {hit_name(kept, hit): "<i8" for hit in kept.hits}


def _shapes(
    kept: Kept, found: Arrays, rows: int, types: Mapping[str, str]
) -> dict[str, tuple[str, int]]:
    shapes = {part: (found[part].dtype.str, len(found[part])) for part in KEY_ARRAYS}
    shapes |= dict.fromkeys(("entry", "happened", "record_no"), ("<i8", rows))
    for name in kept.value_names:
        shapes |= {f"value {name}": (types[name], rows), f"valid {name}": ("|u1", rows)}
    shapes |= {f"code {name}": ("<i4", rows) for name in kept.codes}
    tiles = len(tile_begins(found["first"], first_tiles(found["first"])))
    for name in kept.ranked:
        shapes |= {
            f"ordered {name}": (types[name], tiles * TILE),
            f"ordered_n {name}": ("<i8", tiles),
        }
    return shapes


def _fill(base: Arrays, kept: Kept, keys: pa.Table, arriving: Arriving) -> tuple[Ints, Ints]:
    """Sort the rows by key and order, and stream them into place; returns the retracted ones."""
    connection = arriving.connection.cursor()
    connection.register("kept_keys", keys.select(["k", "code"]))
    joins, columns = [], []
    for at, name in enumerate(kept.codes):
        book = arriving.codebooks[name]
        numbers = pa.array(np.arange(len(book), dtype=np.int32))
        connection.register(f"book{at}", pa.table({"word": book, "number": numbers}))
        joins.append(f"LEFT JOIN book{at} ON r.{quoted(name)} = book{at}.word")
        columns.append(f"coalesce(book{at}.number, -1)::INTEGER AS {quoted(f'code {name}')}")
    for name, sql in _values_sql(kept):
        kind = "BIGINT" if base[f"value {name}"].dtype == np.int64 else "DOUBLE"
        columns.append(f"coalesce(({sql})::{kind}, 0) AS {quoted(f'value {name}')}")
        columns.append(f"(({sql}) IS NOT NULL)::UTINYINT AS {quoted(f'valid {name}')}")
    reader = connection.sql(f"""
        SELECT {"".join(f"{column}, " for column in columns)}
               epoch_us(greatest(r.known_at, r.happened_at)) AS entry,
               epoch_us(r.happened_at) AS happened, r.record_no,
               coalesce(epoch_us(r.retracted_at), {FOREVER}) AS until
        FROM (SELECT *, {key_sql(kept.grouping)} AS k FROM ({arriving.rows}) {_where(kept)}) r
        JOIN kept_keys ON r.k = kept_keys.k {" ".join(joins)}
        ORDER BY kept_keys.code, entry, happened, r.record_no
    """).to_arrow_reader(ROWS_PER_BATCH)
    rows, untils, at = [np.empty(0, np.int64)], [np.empty(0, np.int64)], 0
    for batch in reader:
        end = at + batch.num_rows
        for part in batch.schema.names:
            if part != "until":
                base[part][at:end] = batch[part].to_numpy(zero_copy_only=False)
        until = batch["until"].to_numpy()
        mortal = np.flatnonzero(until != FOREVER)
        rows.append(mortal + at)
        untils.append(until[mortal])
        at = end
    return np.concatenate(rows), np.concatenate(untils)


def _values_sql(kept: Kept) -> list[tuple[str, str]]:
    numbers = [(name, f"r.{quoted(name)}") for name in kept.numbers]
    hits = [(hit_name(kept, hit), f"CASE WHEN {hit} THEN 1 ELSE 0 END") for hit in kept.hits]
    return numbers + hits


def _fill_ordered(base: Arrays, kept: Kept) -> None:
    begin = tile_begins(base["first"], first_tiles(base["first"]))
    for name in kept.ranked:
        ordered, count = ordered_values(base[f"value {name}"], base[f"valid {name}"], begin)
        base[f"ordered {name}"][:], base[f"ordered_n {name}"][:] = ordered, count


def _require_finite(kept: Kept, base: Arrays) -> None:
    """NaN and infinity have no place among sums and extremes."""
    for name in kept.numbers:
        values = base[f"value {name}"]
        if values.dtype == np.float64 and not np.isfinite(values).all():
            raise Refused(
                wanted=f"finite numbers in {name} of {kept.grouping.source}",
                got="NaN or infinity",
                cure="mend the source, and bound the column in its contract",
            )


def _sizes(kept: Kept, base: Arrays) -> dict[str, float]:
    """The sum of each added column's absolute values: no sum can be larger."""
    return {
        name: float(np.abs(base[f"value {name}"].astype(np.float64)).sum()) for name in kept.summed
    }
