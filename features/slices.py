"""Records and clues of one grouping, sorted for the sweep: DuckDB sorts, numpy cuts the slices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from base.errors import Refused
from features.definition import Grouping
from features.kernel import FOREVER
from governance.checks import quoted
from governance.reading import Records

Ints = npt.NDArray[np.int64]
MICROS_PER_DAY = 86_400_000_000
TIMES = ("key_code", "record_no", "entry_us", "happened_us", "retracted_us")
WHOLE = ("BIGINT", "INTEGER", "SMALLINT", "TINYINT")
WHOLE_NUMBER = r"^(0|-?[1-9][0-9]*)$"
ROWS_PER_RUN, ROWS_PER_BATCH = 500_000, 250_000


@dataclass(frozen=True)
class Slices:
    """Arrays of the sweep. Times are microseconds since 1970.

    `records` has record_no and the value columns, in the order of `entry`; `clue_at[q]` is the row
    of the q-th sorted clue in the caller's table. Clues without a key are not here.
    """

    records: pa.Table
    entry: Ints
    happened: Ints
    retracted: Ints
    first: Ints
    last: Ints
    lead: Ints
    tail: Ints
    moment: Ints
    clue_at: Ints
    _leave: dict[int | None, Ints] = field(default_factory=dict, repr=False, compare=False)

    def leave(self, window_days: int | None) -> Ints:
        """The last moment at which each record is active, for a window (None = all)."""
        if window_days is None:
            return self.retracted
        if window_days not in self._leave:
            until = self.happened + window_days * MICROS_PER_DAY
            self._leave[window_days] = np.minimum(until, self.retracted, out=until)
        return self._leave[window_days]


class Asked:
    """The clues that are asked about, and the records. Groupings with the clue's key in common
    share its codes.
    """

    def __init__(self, records: Records, clues: pa.Table) -> None:
        self.records, self.clues = records, clues
        self._codes: dict[tuple[tuple[str, ...], tuple[str, ...]], tuple[Ints, pa.Table]] = {}

    def key_types(self, grouping: Grouping) -> tuple[str, ...]:
        """The SQL type in which each part of a grouping's key is compared.

        Whole numbers are compared as such; otherwise both sides are compared as text, so that 60609
        and '60609' are one.
        """
        if not grouping.key:
            return ()
        names = ", ".join(quoted(theirs) for _, theirs in grouping.key)
        held = self.records.connection().sql(f"SELECT {names} FROM {quoted(grouping.source)}").types
        given = [self.clues.schema.field(ours).type for ours, _ in grouping.key]
        for (ours, theirs), mine, other in zip(grouping.key, given, held, strict=True):
            if pa.types.is_string(mine) and str(other) in WHOLE:
                self._require_whole_numbers(ours, f"{theirs} of {grouping.source}")
        return tuple(
            "BIGINT" if pa.types.is_signed_integer(ours) and str(theirs) in WHOLE else "VARCHAR"
            for ours, theirs in zip(given, held, strict=True)
        )

    def _require_whole_numbers(self, ours: str, theirs: str) -> None:
        """A text that is no whole number meets none: such a key would count 0 without a word."""
        texts = self.clues[ours].drop_null()
        if len(texts) and not pc.any(pc.match_substring_regex(texts, WHOLE_NUMBER)).as_py():
            raise Refused(
                wanted=f"texts in the clue's {ours} that can equal {theirs}, a whole number",
                got=f"{len(texts)} clues, none with a whole number there",
                cure="declare both columns alike, as text or as whole numbers",
                where=f"features.yaml: key {ours}",
            )

    def codes(self, names: tuple[str, ...], kinds: tuple[str, ...]) -> tuple[Ints, pa.Table]:
        """Each clue's key as a dense code (-1 where any part is NULL), and the table of keys.

        `names` are columns of the clues, compared as `kinds`.
        """
        if not names:
            return np.zeros(self.clues.num_rows, np.int64), pa.table({"clues_key": [0]})
        if (names, kinds) not in self._codes:
            self._codes[names, kinds] = self._coded(names, kinds)
        return self._codes[names, kinds]

    def _coded(self, names: tuple[str, ...], kinds: tuple[str, ...]) -> tuple[Ints, pa.Table]:
        connection = self.records.connection().cursor()
        rows = self.clues.num_rows
        asking = self.clues.select(list(dict.fromkeys(names)))
        connection.register("asking", asking.append_column("clues_row", pa.array(np.arange(rows))))
        typed = [
            f"{quoted(name)}::{kind} AS k{i}"
            for i, (name, kind) in enumerate(zip(names, kinds, strict=True))
        ]
        parts = [f"k{i}" for i in range(len(names))]
        whole = " AND ".join(f"{part} IS NOT NULL" for part in parts)
        coded = connection.sql(f"""
            SELECT clues_row, {", ".join(parts)},
                   dense_rank() OVER (ORDER BY {", ".join(parts)}) - 1 AS code
            FROM (SELECT clues_row, {", ".join(typed)} FROM asking) WHERE {whole}
        """).to_arrow_table()
        code = np.full(rows, -1, np.int64)
        code[coded["clues_row"].to_numpy()] = coded["code"].to_numpy()
        return code, coded.drop_columns(["clues_row"]).group_by(["code", *parts]).aggregate([])


def micros(column: pa.ChunkedArray | pa.Array) -> Ints:
    """A timestamp column as int64 microseconds; nulls as FOREVER."""
    times = column.cast(pa.timestamp("us")).cast(pa.int64()).fill_null(FOREVER)
    return np.asarray(times.to_numpy(zero_copy_only=False), np.int64)


def slices_in_runs(
    asked: Asked,
    grouping: Grouping,
    columns: Sequence[str],
    computed: Sequence[str] = (),
    rows_per_run: int = ROWS_PER_RUN,
) -> Iterator[tuple[Ints, pa.Table, Slices]]:
    """The records that share `grouping`'s key with any clue, from one sort, in runs of whole keys.

    Yields rows of the clues, those clues, and their slices. `columns` are carried along; `computed`
    are SQL expressions, carried as c0, c1, ... A run holds about `rows_per_run` records, more only
    where one key alone has them; that, and what DuckDB may take before it spills, bounds the
    memory. Every clue comes in exactly one run.
    """
    code, reader = _sorted(asked, grouping, columns, computed)
    clues = asked.clues
    held: list[pa.RecordBatch] = []
    waiting, begin = 0, 0
    for batch in reader:
        held.append(batch)
        waiting += batch.num_rows
        if waiting < rows_per_run:
            continue
        table = pa.Table.from_batches(held)
        key_code = table["key_code"].to_numpy()
        # The last key may go on in the next batch.
        whole = int(np.searchsorted(key_code, key_code[-1]))
        if whole == 0:
            continue
        end, rest = int(key_code[-1]), table.slice(whole).combine_chunks()
        run = _run(table.slice(0, whole), code, clues, (code >= begin) & (code < end))
        held, waiting, begin = rest.to_batches(), rest.num_rows, end
        del table, key_code, rest, batch  # or they would be held while the run is swept
        yield run
        del run
    table = pa.Table.from_batches(held, reader.schema)
    yield _run(table, code, clues, (code >= begin) | (code < 0))


def _run(
    rows: pa.Table, code: Ints, clues: pa.Table, asking: npt.NDArray[np.bool_]
) -> tuple[Ints, pa.Table, Slices]:
    if asking.all():
        return np.arange(len(code)), clues, cut(rows, code, clues)
    part = np.flatnonzero(asking)
    some = clues.take(part)
    return part, some, cut(rows, code[part], some)


def _sorted(
    asked: Asked, grouping: Grouping, columns: Sequence[str], computed: Sequence[str]
) -> tuple[Ints, pa.RecordBatchReader]:
    """Each clue's key code, and the records with a key of theirs by (key, entry), streamed."""
    kinds = asked.key_types(grouping)
    code, keys = asked.codes(tuple(ours for ours, _ in grouping.key), kinds)
    connection = asked.records.connection().cursor()
    carried = [quoted(name) for name in dict.fromkeys(columns)]
    carried += [f"({sql}) AS c{i}" for i, sql in enumerate(computed)]
    wanted = [
        f"{quoted(theirs)}::{kind} AS r{i}"
        for i, ((_, theirs), kind) in enumerate(zip(grouping.key, kinds, strict=True))
    ]
    key_code, join = "0", ""
    if grouping.key:
        connection.register("wanted_keys", keys)
        match = " AND ".join(f"r.r{i} = w.k{i}" for i in range(len(grouping.key)))
        key_code, join = "w.code", f"JOIN wanted_keys w ON {match}"
    where = f"WHERE ({grouping.where})" if grouping.where else ""
    times = ["record_no", "happened_at", "known_at", "retracted_at"]
    dropped = [*times[1:], *(f"r{i}" for i in range(len(grouping.key)))]
    return code, connection.sql(f"""
        SELECT ({key_code})::BIGINT AS key_code, r.* EXCLUDE ({", ".join(dropped)}),
               epoch_us(greatest(r.known_at, r.happened_at)) AS entry_us,
               epoch_us(r.happened_at) AS happened_us,
               coalesce(epoch_us(r.retracted_at), {FOREVER}) AS retracted_us
        FROM (SELECT {", ".join([*times, *carried, *wanted])}
              FROM {quoted(grouping.source)} {where}) r {join}
        ORDER BY key_code, entry_us, happened_us, record_no
    """).to_arrow_reader(ROWS_PER_BATCH)


def cut(rows: pa.Table, code: Ints, clues: pa.Table) -> Slices:
    """The slices of `rows`, which hold TIMES and lie in the order of key_code, entry_us,
    happened_us, record_no; `code` is each clue's key_code (negative = no key), and `clues` has
    raised_at.
    """
    moment = micros(clues["raised_at"])
    asking = np.flatnonzero(code >= 0)
    clue_at = asking[np.lexsort((moment[asking], code[asking]))]
    codes, lead = np.unique(code[clue_at], return_index=True)
    key_code = np.asarray(rows["key_code"].to_numpy(), np.int64)
    return Slices(
        records=rows.drop_columns([name for name in TIMES if name in rows.column_names]),
        entry=np.asarray(rows["entry_us"].to_numpy(), np.int64),
        happened=np.asarray(rows["happened_us"].to_numpy(), np.int64),
        retracted=np.asarray(rows["retracted_us"].to_numpy(), np.int64),
        first=np.searchsorted(key_code, codes, side="left").astype(np.int64),
        last=np.searchsorted(key_code, codes, side="right").astype(np.int64),
        lead=lead.astype(np.int64),
        tail=np.append(lead[1:], len(clue_at)).astype(np.int64),
        moment=moment[clue_at],
        clue_at=clue_at,
    )
