"""Raising: every supervision model over the records known at each cycle, up to a moment.

    raise_until -> sandbox (records laid out) -> each model over its cycles -> merge -> clue table

A clue's moment is that of the first cycle that found it. The same subject on the same ground is one
clue: whoever finds it again, later or by another supervision model, is counted as merged.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb
import pyarrow as pa

from base.moment import add_months
from base.progress import Bar, SilentBar
from clues.clue import FIXED_COLUMNS, clue_schema
from clues.many_moments import MOMENT
from clues.sandbox import Sandbox
from clues.supervision import SupervisionModel, load_supervision_models
from governance import tables
from governance.checks import SQL_TYPES, quoted
from governance.home import Home
from governance.jurisdiction import Jurisdiction

CLUE_ID = "left(sha256(concat_ws(chr(31), '{ground}', subject_id, ground_key)), 16)"
# Who has a clue that many found: the earliest cycle, then the more severe supervision model.
PLACE = '"place of the model"'
FIRST = f"{MOMENT}, {PLACE}, raised_at, evidence"


@dataclass
class Raised:
    """What one supervision model found: new clues, and finds that were clues already."""

    raised: int = 0
    merged: int = 0
    runs: int = 0


def raise_until(home: Home, until: datetime, bar: Bar | None = None) -> dict[str, Raised]:
    """Run every supervision model for each of its cycles up to and including `until`.

    Cycles that an earlier call ran are not run again. Returns supervision model -> counts.
    """
    jurisdiction = home.jurisdiction
    models = load_supervision_models(jurisdiction)
    bar = bar or SilentBar()
    with tables.writing(home.table("clues")):
        done = _cycles_done(home)
        due = {model.name: list(_due(jurisdiction, model, done, until)) for model in models}
        running = [model for model in models if due[model.name]]
        bar.expect(sum(map(len, due.values())) + 1)
        counts = {model.name: Raised() for model in models}
        if running:
            sandbox = Sandbox(home, {name for model in running for name in model.record_sets})
            _lay_out_finds(sandbox.connection, home)
            for place, model in enumerate(running):
                _run(sandbox, jurisdiction, model, place, due[model.name], counts[model.name], bar)
            _merge(sandbox.connection, counts)
            _store(sandbox.connection, home, until)
        _note_cycles(home, done, due)
        bar.advance()
    return counts


def _due(
    jurisdiction: Jurisdiction, model: SupervisionModel, done: dict[str, str], until: datetime
) -> Iterator[datetime]:
    """The moments at which a supervision model is still to run."""
    last = datetime.fromisoformat(done[model.name]) if model.name in done else None
    if model.head.raised == "by_column":
        if last is None or last < until:
            yield until
        return
    for moment in cycles(jurisdiction, until):
        fresh = last is None or moment > last
        if fresh and (model.head.since is None or moment >= model.head.since):
            yield moment


def cycles(jurisdiction: Jurisdiction, until: datetime) -> Iterator[datetime]:
    """The moments at which supervision models run, up to and including `until`."""
    cycle, steps = jurisdiction.manifest.raise_cycle, 0
    while (moment := add_months(cycle.first, steps * cycle.months)) <= until:
        yield moment
        steps += 1


def _lay_out_finds(connection: duckdb.DuckDBPyConnection, home: Home) -> None:
    """`known_ids`: clues there are; `finds`: the first find of each clue by each supervision model
    of this call, typed as the clue table is."""
    connection.execute("CREATE TABLE known_ids (clue_id VARCHAR PRIMARY KEY)")
    stored = tables.dataset(home.table("clues"))
    if stored is not None:
        connection.register("earlier", stored.to_table(columns=["clue_id"]))
        connection.execute("INSERT INTO known_ids SELECT clue_id FROM earlier")
    own = home.jurisdiction.clue_columns
    types = {name: _sql_type(kind) for name, kind in FIXED_COLUMNS.items()}
    types |= {quoted(name): SQL_TYPES[kind] for name, kind in own.items()}
    types |= {MOMENT: "TIMESTAMP", PLACE: "BIGINT"}
    declared = ", ".join(f"{name} {kind}" for name, kind in types.items())
    connection.execute(f"CREATE TABLE finds ({declared})")


def _sql_type(kind: pa.DataType) -> str:
    if pa.types.is_list(kind):
        return "VARCHAR[]"
    return {pa.int64(): "BIGINT", pa.timestamp("us"): "TIMESTAMP"}.get(kind, "VARCHAR")


def _run(
    sandbox: Sandbox,
    jurisdiction: Jurisdiction,
    model: SupervisionModel,
    place: int,
    moments: Sequence[datetime],
    count: Raised,
    bar: Bar,
) -> None:
    """One supervision model over its moments, many at once where it can; its finds go into `finds`.

    `merged` counts every find here; what is raised is taken off in `_merge`.
    """
    many = sandbox.moments_at_once(model)
    for start in range(0, len(moments), many):
        part = moments[start : start + many]
        if len(part) > 1 and sandbox.run_many(model, part):
            count.merged += _keep(sandbox.connection, jurisdiction, model, place)
        else:
            for moment in part:
                sandbox.run(model, moment)
                count.merged += _keep(sandbox.connection, jurisdiction, model, place)
        count.runs += len(part)
        bar.advance(len(part))


def _keep(
    connection: duckdb.DuckDBPyConnection,
    jurisdiction: Jurisdiction,
    model: SupervisionModel,
    place: int,
) -> int:
    """Put what is new of `result` into `finds`; returns how many rows `result` has."""
    found = connection.execute("SELECT count(*) FROM result").fetchall()[0][0]
    if found:
        connection.execute(f"""
            INSERT INTO finds BY NAME
            SELECT *, {place} AS {PLACE} FROM ({_shaped(jurisdiction, model)})
            ANTI JOIN known_ids USING (clue_id)
            ANTI JOIN (SELECT clue_id FROM finds WHERE {PLACE} = {place}) USING (clue_id)
            QUALIFY row_number() OVER (PARTITION BY clue_id ORDER BY {FIRST}) = 1
        """)
    return int(found)


def _shaped(jurisdiction: Jurisdiction, model: SupervisionModel) -> str:
    """SELECT that dresses `result` as rows of the clue table (without the system columns)."""
    head = model.head
    own = ", ".join(
        f"{quoted(name) if name in head.columns else 'NULL'}::{SQL_TYPES[kind]} AS {quoted(name)}"
        for name, kind in jurisdiction.clue_columns.items()
    )
    raised = "raised_at::TIMESTAMP" if head.raised == "by_column" else MOMENT
    return f"""
        SELECT {CLUE_ID.format(ground=head.ground)} AS clue_id, '{model.name}' AS supervision_model,
               '{model.version}' AS model_version, '{head.function}' AS "function",
               {head.severity}::BIGINT AS severity, '{head.subject}' AS subject_kind,
               subject_id, '{head.ground}' AS ground, ground_key, office_id,
               {raised} AS raised_at, evidence, {MOMENT}, {own}
        FROM (SELECT * REPLACE (subject_id::VARCHAR AS subject_id, ground_key::VARCHAR AS
                                ground_key, evidence::VARCHAR[] AS evidence)
              FROM (SELECT * FROM result UNION ALL BY NAME SELECT NULL::VARCHAR AS office_id
                    WHERE false))
        WHERE subject_id IS NOT NULL AND ground_key IS NOT NULL"""


def _merge(connection: duckdb.DuckDBPyConnection, counts: dict[str, Raised]) -> None:
    """`found`: of each clue the find that came first; the counts say who raised and who merged."""
    connection.execute(f"""
        CREATE TABLE found AS SELECT * EXCLUDE ({MOMENT}, {PLACE}) FROM finds
        QUALIFY row_number() OVER (PARTITION BY clue_id ORDER BY {FIRST}) = 1
    """)
    raised = "SELECT supervision_model, count(*) FROM found GROUP BY ALL"
    for name, number in connection.execute(raised).fetchall():
        counts[name].raised = number
        counts[name].merged -= number


def _store(connection: duckdb.DuckDBPyConnection, home: Home, until: datetime) -> None:
    path = home.table("clues")
    stored = tables.dataset(path)
    count = 0 if stored is None else stored.count_rows()
    rows = connection.sql(f"""
        SELECT {count} + row_number() OVER (ORDER BY raised_at, clue_id) AS record_no,
               raised_at AS happened_at, raised_at AS known_at, NULL::TIMESTAMP AS retracted_at,
               'raised ' || strftime(raised_at, '%Y-%m-%d') AS batch, *
        FROM found ORDER BY record_no
    """).to_arrow_table()
    if rows.num_rows:
        schema = clue_schema(home.jurisdiction)
        tables.append(path, rows.select(schema.names).cast(schema), {"until": until.isoformat()})


def _cycles_done(home: Home) -> dict[str, str]:
    note = home.path / "raised.json"
    return dict(json.loads(note.read_text("utf-8"))) if note.is_file() else {}


def _note_cycles(home: Home, done: dict[str, str], due: dict[str, list[datetime]]) -> None:
    """Written after the clues: a crash between runs the cycles again, and finds nothing new."""
    ran = {name: moments[-1].isoformat() for name, moments in due.items() if moments}
    draft = home.path / "raised.json.new"
    draft.write_text(json.dumps({**done, **ran}, indent=1) + "\n", "utf-8")
    draft.replace(home.path / "raised.json")
