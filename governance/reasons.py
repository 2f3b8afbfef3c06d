"""Why rows are bad, put together for the bad rows of a block at once.

Words that are the same for every row of a kind are taken from a list; only what came is looked at
row by row, and told as its shape.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from governance.checks import Check
from governance.shapes import shapes

REASON = pa.struct(
    [("column", pa.string()), ("wanted", pa.string()), ("got", pa.string()), ("cure", pa.string())]
)
BAD_ROWS = pa.schema([("row", pa.int64()), ("raw", pa.string()), ("reasons", pa.list_(REASON))])
# (column, wanted, first row, its words: got and cure, how many)
Told = tuple[str, str, int, str, str, int]
Ints = npt.NDArray[np.int64]


def of_checks(found: Sequence[Check], bad: pa.Table) -> pa.Table:
    """Bad rows (BAD_ROWS) out of `bad`: row, raw, for each check whether it failed (`failed:N`),
    and what was given for each column (`given:NAME`, text)."""
    flags = np.column_stack(
        [_whole(bad[f"failed:{at}"]).to_numpy(zero_copy_only=False) for at in range(len(found))]
    )
    row, kind = np.nonzero(flags)
    words = {
        part: pa.array([getattr(check, part) for check in found], pa.string()).take(pa.array(kind))
        for part in ("column", "wanted", "cure")
    }
    got = pc.fill_null(shapes(_looked_at(found, bad, row, kind)), "nothing")
    reasons = [words["column"], words["wanted"], got, words["cure"]]
    return _bad_rows(bad["row"], bad["raw"], reasons, flags.sum(axis=1))


def _looked_at(found: Sequence[Check], bad: pa.Table, row: Ints, kind: Ints) -> pa.Array:
    """What each failed check looked at; a computed column was given by nobody."""
    columns = [check.column for check in found]
    parts, places = [], []
    for name in dict.fromkeys(columns):
        at = np.flatnonzero(np.array([each == name for each in columns])[kind])
        given_ = f"given:{name}"
        known = given_ in bad.column_names
        value = (
            _whole(bad[given_]).take(pa.array(row[at])) if known else pa.nulls(len(at), pa.string())
        )
        parts.append(value)
        places.append(at)
    if not parts:
        return pa.array([], pa.string())
    order = np.empty(len(row), np.int64)
    order[np.concatenate(places)] = np.arange(len(row))
    return pa.concat_arrays(parts).take(pa.array(order))


def of_spoilt(spoilt: pa.Table) -> pa.Table:
    """Bad rows out of a SPOILT table: one reason each, against no column."""
    words = [_whole(spoilt[name]) for name in ("wanted", "got", "cure")]
    column = pa.repeat(pa.scalar(""), len(spoilt))
    return _bad_rows(
        spoilt["row"], spoilt["text"], [column, *words], np.ones(len(spoilt), np.int64)
    )


def told_of(rows: pa.Table) -> list[Told]:
    """One entry for each kind of reason among bad rows, in the order of the first that has it."""
    lists = _whole(rows["reasons"])
    reasons = lists.flatten()
    if len(reasons) == 0:
        return []
    of_row = pc.list_parent_indices(lists)
    column, wanted = (pc.struct_field(reasons, name) for name in ("column", "wanted"))
    codes = [pc.dictionary_encode(each).indices.to_numpy() for each in (column, wanted)]
    kinds = codes[0].astype(np.int64) * len(reasons) + codes[1]
    _, firsts, counts = np.unique(kinds, return_index=True, return_counts=True)
    order = np.argsort(firsts)
    numbers = rows["row"].take(of_row.take(pa.array(firsts[order]))).to_pylist()
    words = reasons.take(pa.array(firsts[order])).to_pylist()
    return [
        (word["column"], word["wanted"], number, word["got"], word["cure"], count)
        for word, number, count in zip(words, numbers, counts[order].tolist(), strict=True)
    ]


def _bad_rows(
    row: pa.ChunkedArray, raw: pa.ChunkedArray, words: list[pa.Array], counts: Ints
) -> pa.Table:
    ends = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    reasons = pa.ListArray.from_arrays(
        pa.array(ends), pa.StructArray.from_arrays(words, fields=list(REASON))
    )
    return pa.table([row, raw, reasons], schema=BAD_ROWS)


def _whole(column: pa.ChunkedArray) -> pa.Array:
    """One array without an offset into somebody else's."""
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
