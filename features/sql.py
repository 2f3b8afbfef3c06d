"""Every feature in SQL alone: an oracle on another engine, fast enough for millions of records.

Nothing is shared with the sweep but the definitions. A record is a span of time in which it is
active, entry < t <= leave. Each kind is answered by sorting, never by joining every clue with every
record of its key, so that a hot key costs no more than a cold one:

    count, sum, mean   boundary union: +1 at each entry, -1 at each exit, the clues' questions
                       between them, and one cumulative window over all three
    distinct           spans of one value are merged into islands first, then the same
    min, max, last     the moments of a key are numbered, and each span is laid on the tiles that
                       cover its moments; a clue asks the one tile of each level it stands in
    rank               the same tiles with their values stacked; ASOF finds how many lie below

Method: tiles are the canonical nodes of a segment tree (Bentley, 1977), at most two a level, given
in closed form; islands are the "gaps and islands" of SQL (Ben-Gan, "T-SQL Querying", 2009).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa

from clues.clue import RAISING
from features.definition import Feature, FeatureSet, Grouping
from features.shapes import RatioGroup
from governance.checks import quoted
from governance.reading import Records

CATEGORY = pa.dictionary(pa.int32(), pa.string())
PARTS = {"month": "month", "weekday": "isodow", "quarter": "quarter", "day_of_year": "dayofyear"}
AS_RAISED = "clues__as_raised"
MICROS_PER_DAY = 86_400_000_000
EXTREMES = {"min", "max", "last", "days_since_last"}


def sql_features(definitions: FeatureSet, clues: pa.Table, records: Records) -> pa.Table:
    """The table of `features.table.build_features`, by SQL: the same columns, types and values.

    Infinite and NaN values are not refused here; nothing but the sweep's own values is checked.
    """
    connection = records.connection().cursor()
    numbers = pa.array(np.arange(clues.num_rows))
    connection.register("given_clues", clues.append_column("clue_row", numbers))
    raised = f", {RAISING}" if RAISING in clues.column_names else ""
    connection.execute(f"""
        CREATE TEMP TABLE clue_rows AS
        SELECT *, least(raised_at{raised}) AS {AS_RAISED} FROM given_clues
    """)
    columns = _plain(connection, definitions)
    for grouping in dict.fromkeys(f.grouping for f in definitions.features if f.ratio is None):
        if grouping is not None:
            features = [f for f in definitions.features if f.grouping == grouping and not f.ratio]
            columns |= _Group(connection, grouping, features).answers()
    for ratio in definitions.declared.ratios:
        columns |= _shares(connection, ratio, [f for f in definitions.features if f.ratio == ratio])
    connection.close()
    arrays = [clues["clue_id"], clues["raised_at"]]
    arrays += [_shaped(feature, columns[feature.name]) for feature in definitions.features]
    return pa.table(arrays, names=["clue_id", "moment", *definitions.names])


def _shaped(feature: Feature, values: pa.ChunkedArray) -> pa.Array:
    whole = values.combine_chunks()
    return whole.dictionary_encode().cast(CATEGORY) if feature.type == "category" else whole


def _cast(sql: str, feature: Feature) -> str:
    return f"({sql})::{'VARCHAR' if feature.type == 'category' else 'DOUBLE'}"


def _named(expressions: Mapping[str, str]) -> str:
    return ", ".join(f"{sql} AS {quoted(name)}" for name, sql in expressions.items())


def _plain(
    connection: duckdb.DuckDBPyConnection, definitions: FeatureSet
) -> dict[str, pa.ChunkedArray]:
    """Columns of the clue itself, and parts of its moment."""
    told = {}
    for feature in definitions.features:
        if feature.kind == "column":
            told[feature.name] = _cast(quoted(str(feature.column)), feature)
        elif feature.kind == "calendar":
            told[feature.name] = _cast(f"{PARTS[str(feature.column)]}(raised_at)", feature)
    if not told:
        return {}
    table = connection.sql(f"SELECT {_named(told)} FROM clue_rows ORDER BY clue_row")
    found = table.to_arrow_table()
    return {name: found[name] for name in told}


def _lay_out(
    connection: duckdb.DuckDBPyConnection,
    grouping: Grouping,
    values: Sequence[str],
    own: Sequence[str] = (),
) -> None:
    """The tables `asking` (clues that have the key) and `history` (records with a key of theirs).

    `values` are SQL over a record, carried as v0, v1, ...; `own` are clue columns, o0, o1, ... A
    key is compared as text; `place` numbers the key's moments, `turn` its records by happening.
    """
    keys = [("'one'", "'one'"), *((quoted(a), quoted(b)) for a, b in grouping.key)]
    names = ", ".join(f"k{i}" for i in range(len(keys)))
    ours = ", ".join(f"{mine}::VARCHAR AS k{i}" for i, (mine, _) in enumerate(keys))
    theirs = ", ".join(f"{other}::VARCHAR AS k{i}" for i, (_, other) in enumerate(keys))
    whole = " AND ".join(f"k{i} IS NOT NULL" for i in range(len(keys)))
    asked = f"clue_row, {_moment(grouping)} AS moment"
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE asking AS
        SELECT *, dense_rank() OVER (PARTITION BY key ORDER BY moment) AS place
        FROM (SELECT *, dense_rank() OVER (ORDER BY {names}) AS key FROM (
            SELECT {", ".join([asked, ours, *_aliased(own, "o")])}
            FROM clue_rows) WHERE {whole})
    """)
    times = (
        "record_no, happened_at, greatest(known_at, happened_at) AS entry,"
        " coalesce(retracted_at, 'infinity'::TIMESTAMP) AS ended"
    )
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE history AS
        SELECT key, h.* EXCLUDE ({names}),
               row_number() OVER (PARTITION BY key ORDER BY happened_at, entry, record_no) AS turn
        FROM (SELECT {", ".join([times, theirs, *_aliased(values, "v")])}
              FROM (FROM {quoted(grouping.source)} WHERE ({grouping.where or "true"}))) h
        JOIN (SELECT DISTINCT key, {names} FROM asking) USING ({names})
    """)


def _moment(grouping: Grouping) -> str:
    """The clue's column that says when it looks at a grouping: at other clues, as it was raised."""
    return AS_RAISED if grouping.source == "clues" else "raised_at"


def _aliased(expressions: Sequence[str], letter: str) -> list[str]:
    return [f"({sql}) AS {letter}{i}" for i, sql in enumerate(expressions)]


def _spans(window_days: int | None) -> str:
    """The records of `history` as spans of a window, empty ones left out."""
    until = "ended"
    if window_days is not None:
        until = f"least(happened_at + INTERVAL {window_days} DAY, ended)"
    return f"SELECT * FROM (SELECT *, {until} AS leave FROM history) WHERE leave > entry"


def _crossed(spans: str, steps: Mapping[str, str]) -> str:
    """clue_row and, for each step, the sum of it over the spans active at the clue's moment.

    A question comes before whatever enters or leaves at its very moment: a tie is neither in nor
    out yet.
    """
    up = ", ".join(f"({sql})::BIGINT AS {name}" for name, sql in steps.items())
    down = ", ".join(f"-({sql})::BIGINT" for sql in steps.values())
    none = ", ".join("0" for _ in steps)
    totals = ", ".join(f"(sum({name}) OVER crossed)::BIGINT AS {name}" for name in steps)
    return f"""
        WITH spans AS ({spans}), events AS (
            SELECT key, entry AS instant, 1 AS tie, NULL AS clue_row, {up} FROM spans
            UNION ALL SELECT key, leave, 1, NULL, {down} FROM spans WHERE isfinite(leave)
            UNION ALL SELECT key, moment, 0, clue_row, {none} FROM asking)
        SELECT clue_row, {totals} FROM events
        WINDOW crossed AS (PARTITION BY key ORDER BY instant, tie ROWS UNBOUNDED PRECEDING)
        QUALIFY clue_row IS NOT NULL"""


def _islands(spans: str, value: str) -> str:
    """The spans of each value of a key, those that touch or overlap as one."""
    within = f"PARTITION BY key, {value} ORDER BY entry, leave"
    return f"""
        SELECT key, min(entry) AS entry, max(leave) AS leave FROM (
            SELECT *, sum(fresh) OVER ({within} ROWS UNBOUNDED PRECEDING) AS island FROM (
                SELECT key, {value}, entry, leave, (entry > coalesce(max(leave) OVER (
                    {within} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                ), '-infinity'::TIMESTAMP))::INTEGER AS fresh
                FROM ({spans}) WHERE {value} IS NOT NULL))
        GROUP BY key, {value}, island"""


def _placed(spans: str, values: str) -> str:
    """`values` of the spans by the places they cover: those from `low` until before `high`."""
    return f"""
        WITH spans AS ({spans}), moments AS (SELECT DISTINCT key, moment, place FROM asking)
        SELECT s.key, coalesce(f.place, 0) + 1 AS low, u.place + 1 AS high, {values}
        FROM spans s ASOF LEFT JOIN moments f ON s.key = f.key AND s.entry >= f.moment
        ASOF JOIN moments u ON s.key = u.key AND s.leave >= u.moment
        WHERE low < high
        GROUP BY ALL"""


def _tiles(placed: str) -> str:
    """`placed` rows once for each tile: tile i of level j covers places i * 2^j until (i+1) * 2^j.

    At level j the places not covered by higher tiles begin at ceil(low / 2^j), where it is odd,
    and end at floor(high / 2^j), where that is odd.
    """
    return f"""
        WITH levelled AS (
            SELECT *, (low + (1 << level) - 1) >> level AS first, high >> level AS past
            FROM {placed} JOIN levels ON (high - low) >> level > 0
            WHERE first < past)
        SELECT * EXCLUDE (low, high, first, past), first AS tile FROM levelled WHERE first % 2 = 1
        UNION ALL
        SELECT * EXCLUDE (low, high, first, past), past - 1 FROM levelled WHERE past % 2 = 1"""


@dataclass(frozen=True)
class _Group:
    """The features of one grouping, a window at a time."""

    connection: duckdb.DuckDBPyConnection
    grouping: Grouping
    features: list[Feature]

    @property
    def values(self) -> list[str]:
        return list(dict.fromkeys(str(f.column) for f in self.features if f.column is not None))

    @property
    def own(self) -> list[str]:
        return list(dict.fromkeys(str(f.of) for f in self.features if f.of is not None))

    def answers(self) -> dict[str, pa.ChunkedArray]:
        """Feature -> its values in the order of the clues."""
        values, own = ([quoted(name) for name in names] for names in (self.values, self.own))
        _lay_out(self.connection, self.grouping, values, own)
        _number_levels(self.connection)
        columns: dict[str, pa.ChunkedArray] = {}
        for window in dict.fromkeys(feature.window_days for feature in self.features):
            columns |= self._window([f for f in self.features if f.window_days == window], window)
        return columns

    def _window(self, features: list[Feature], window: int | None) -> dict[str, pa.ChunkedArray]:
        """The answers of one window side by side: a table for each way of asking, then joined."""
        spans = _spans(window)
        joins = [self._asked("counted", _crossed(spans, self._steps(features)))]
        if any(feature.kind in EXTREMES for feature in features):
            joins.append(self._extremes(features, spans))
        for column in dict.fromkeys(str(f.column) for f in features if f.kind == "distinct"):
            at = self.values.index(column)
            count = _crossed(_islands(spans, f"v{at}"), {f"d{at}": "1"})
            joins.append(self._asked(f"different{at}", count))
        for column, of in dict.fromkeys(
            (str(f.column), str(f.of)) for f in features if f.kind == "rank"
        ):
            at, own = self.values.index(column), self.own.index(of)
            joins.append(self._asked(f"below{at}_{own}", _below(spans, at, own)))
        told = {feature.name: _cast(self._answer(feature), feature) for feature in features}
        found = self.connection.sql(f"""
            SELECT {_named(told)} FROM clue_rows {" ".join(joins)} ORDER BY clue_rows.clue_row
        """).to_arrow_table()
        return {name: found[name] for name in told}

    def _asked(self, name: str, query: str) -> str:
        """Keep the answer of a query; returns the join that puts it beside the clues."""
        self.connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {query}")
        return f"LEFT JOIN {name} ON {name}.clue_row = clue_rows.clue_row"

    def _steps(self, features: list[Feature]) -> dict[str, str]:
        """What a span adds while it is active: 1, 1 for a value, the value itself."""
        steps = {"n": "1"}
        for feature in features:
            if feature.kind in ("mean", "rank", "sum"):
                at = self.values.index(str(feature.column))
                steps[f"n{at}"] = f"(v{at} IS NOT NULL)"
                if feature.kind != "rank":
                    steps[f"s{at}"] = f"coalesce(v{at}, 0)"
        return steps

    def _extremes(self, features: list[Feature], spans: str) -> str:
        """Joins to `extremes` (turn of the last record, least and most of each value), `newest`."""
        kept = ["max(turn) AS turn"]
        for column in dict.fromkeys(str(f.column) for f in features if f.kind in ("min", "max")):
            at = self.values.index(column)
            kept += [f"min(v{at}) AS least{at}", f"max(v{at}) AS most{at}"]
        again = ", ".join(
            f"{sql.partition('(')[0]}({name}) AS {name}"
            for sql, name in (each.split(" AS ") for each in kept)
        )
        placed = _placed(spans, ", ".join(kept))
        self.connection.execute(f"CREATE OR REPLACE TEMP TABLE placed AS {placed}")
        join = self._asked(
            "extremes",
            f"""
            WITH tiles AS (SELECT key, level, tile, {again} FROM ({_tiles("placed")}) GROUP BY ALL)
            SELECT clue_row, asking.key, {again}
            FROM asking CROSS JOIN levels
            JOIN tiles ON tiles.key = asking.key AND tiles.level = levels.level
                      AND tile = place >> levels.level
            GROUP BY ALL""",
        )
        newest = "newest.key = extremes.key AND newest.turn = extremes.turn"
        return f"{join} LEFT JOIN history newest ON {newest}"

    def _answer(self, feature: Feature) -> str:
        at = self.values.index(feature.column) if feature.column is not None else None
        own = self.own.index(feature.of) if feature.of is not None else None
        return {
            "count": "n",
            "exists": "(n > 0)::INTEGER",
            "sum": f"s{at}",
            "mean": f"s{at}::DOUBLE / nullif(n{at}, 0)::DOUBLE",
            "min": f"least{at}",
            "max": f"most{at}",
            "last": f"newest.v{at}",
            "days_since_last": f"(epoch_us(clue_rows.{_moment(self.grouping)})"
            f" - epoch_us(newest.happened_at)) // {MICROS_PER_DAY}",
            "distinct": f"d{at}",
            "rank": f"lower{at}_{own}::DOUBLE / nullif(n{at}, 0)::DOUBLE",
        }[feature.kind]


def _number_levels(connection: duckdb.DuckDBPyConnection) -> None:
    """The table `levels`: 0 .. log2 of the most moments that any key has."""
    connection.execute("""
        CREATE OR REPLACE TEMP TABLE levels AS
        SELECT unnest(range(1 + floor(log2(greatest(max(place), 1)))::BIGINT)) AS level FROM asking
    """)


def _below(spans: str, at: int, own: int) -> str:
    """clue_row and how many active values v`at` lie below the clue's own o`own`."""
    placed = _placed(f"SELECT * FROM ({spans}) WHERE v{at} IS NOT NULL", f"v{at}, count(*) AS n")
    return f"""
        WITH placed AS ({placed}), tiles AS ({_tiles("placed")}),
        stacked AS (
            SELECT key, level, tile, v{at},
                   sum(n) OVER (PARTITION BY key, level, tile ORDER BY v{at}) AS upto
            FROM tiles),
        questions AS (
            SELECT clue_row, key, level, place >> level AS tile, o{own}
            FROM asking CROSS JOIN levels WHERE o{own} IS NOT NULL)
        SELECT clue_row, coalesce(sum(upto), 0) AS lower{at}_{own}
        FROM questions q ASOF LEFT JOIN stacked s
          ON q.key = s.key AND q.level = s.level AND q.tile = s.tile AND q.o{own} > s.v{at}
        GROUP BY clue_row"""


def _shares(
    connection: duckdb.DuckDBPyConnection, ratio: RatioGroup, features: list[Feature]
) -> dict[str, pa.ChunkedArray]:
    """Shares shrunk from the last step of the ladder upwards: (k + s * parent) / (n + s)."""
    prior, strength = f"{ratio.prior!r}::DOUBLE", f"{ratio.strength!r}::DOUBLE"
    told = {feature.name: prior for feature in features}
    joins = []
    for level, step in enumerate(reversed(ratio.ladder)):
        hit = f"CASE WHEN {ratio.numerator} THEN 1 ELSE 0 END"
        _lay_out(connection, Grouping(ratio.source, tuple(step.items()), ratio.where), [hit])
        for number, feature in enumerate(features):
            name = f"step{level}_{number}"
            counted = _crossed(_spans(feature.window_days), {"n": "1", "hits": "v0"})
            connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {counted}")
            joins.append(f"LEFT JOIN {name} ON {name}.clue_row = clue_rows.clue_row")
            count, hits = f"coalesce({name}.n, 0)", f"coalesce({name}.hits, 0)"
            parent = told[feature.name]
            told[feature.name] = (
                f"(({hits}::DOUBLE + {strength} * {parent}) / ({count}::DOUBLE + {strength}))"
            )
    found = connection.sql(f"""
        SELECT {_named(told)} FROM clue_rows {" ".join(joins)} ORDER BY clue_rows.clue_row
    """).to_arrow_table()
    return {name: found[name] for name in told}
