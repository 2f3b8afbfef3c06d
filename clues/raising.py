"""Raising: every supervision model over the records known at each cycle, up to a moment.

    raise_until -> sandbox (records laid out) -> one run per model and cycle -> merge -> clue table

A clue's moment is that of the first cycle that found it. The same subject on the same ground is one
clue: whoever finds it again, later or by another supervision model, is counted as merged.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import duckdb
import pyarrow as pa

from base.errors import Refused
from base.moment import add_months
from base.progress import Bar, SilentBar
from clues.clue import FIXED_COLUMNS, clue_schema
from clues.sandbox import Sandbox
from clues.supervision import SupervisionModel, load_supervision_models
from governance import tables
from governance.checks import SQL_TYPES, quoted
from governance.home import Home
from governance.jurisdiction import Jurisdiction

CLUE_ID = "left(sha256(concat_ws(chr(31), '{ground}', subject_id, ground_key)), 16)"


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
        runs = sorted(_runs(jurisdiction, models, done, until), key=lambda run: run[0])
        bar.expect(len(runs) + 1)
        counts = {model.name: Raised() for model in models}
        if runs:
            sandbox = Sandbox(home, {name for _, model in runs for name in model.record_sets})
            _lay_out_found(sandbox.connection, home)
            for moment, model in runs:
                _run(sandbox, jurisdiction, model, moment, counts[model.name])
                bar.advance()
            _store(sandbox.connection, home, until)
        _note_cycles(home, done, runs)
        bar.advance()
    return counts


def _runs(
    jurisdiction: Jurisdiction,
    models: list[SupervisionModel],
    done: dict[str, str],
    until: datetime,
) -> Iterator[tuple[datetime, SupervisionModel]]:
    for model in models:
        last = datetime.fromisoformat(done[model.name]) if model.name in done else None
        if model.head.raised == "by_column":
            if last is None or last < until:
                yield until, model
            continue
        for moment in cycles(jurisdiction, until):
            fresh = last is None or moment > last
            if fresh and (model.head.since is None or moment >= model.head.since):
                yield moment, model


def cycles(jurisdiction: Jurisdiction, until: datetime) -> Iterator[datetime]:
    """The moments at which supervision models run, up to and including `until`."""
    cycle, steps = jurisdiction.manifest.raise_cycle, 0
    while (moment := add_months(cycle.first, steps * cycle.months)) <= until:
        yield moment
        steps += 1


def _lay_out_found(connection: duckdb.DuckDBPyConnection, home: Home) -> None:
    """`known_ids`: clues there are; `found`: clues of this call, typed as the clue table is."""
    connection.execute("CREATE TABLE known_ids (clue_id VARCHAR PRIMARY KEY)")
    stored = tables.dataset(home.table("clues"))
    if stored is not None:
        connection.register("earlier", stored.to_table(columns=["clue_id"]))
        connection.execute("INSERT INTO known_ids SELECT clue_id FROM earlier")
    own = home.jurisdiction.clue_columns
    declared = ", ".join(f"{quoted(name)} {SQL_TYPES[kind]}" for name, kind in own.items())
    fixed = ", ".join(f"{name} {_sql_type(kind)}" for name, kind in FIXED_COLUMNS.items())
    connection.execute(f"CREATE TABLE found ({', '.join(filter(None, (fixed, declared)))})")


def _sql_type(kind: pa.DataType) -> str:
    if pa.types.is_list(kind):
        return "VARCHAR[]"
    return {pa.int64(): "BIGINT", pa.timestamp("us"): "TIMESTAMP"}.get(kind, "VARCHAR")


def _run(
    sandbox: Sandbox,
    jurisdiction: Jurisdiction,
    model: SupervisionModel,
    moment: datetime,
    count: Raised,
) -> None:
    """One supervision model at one moment; its new finds go into `found`."""
    connection = sandbox.connection
    sandbox.run(model, moment)
    if count.runs == 0:
        _check_result(connection, model)
    count.runs += 1
    found = connection.execute("SELECT count(*) FROM result").fetchall()[0][0]
    if found == 0:
        return
    inserted = connection.execute(
        f"""
        INSERT INTO found BY NAME
        SELECT * FROM ({_shaped(jurisdiction, model)})
        ANTI JOIN known_ids USING (clue_id) ANTI JOIN found USING (clue_id)
        QUALIFY row_number() OVER (PARTITION BY clue_id ORDER BY raised_at, evidence) = 1
    """,
        {"moment": moment} if model.head.raised == "each_cycle" else {},
    )
    raised = inserted.fetchall()[0][0]
    count.raised += raised
    count.merged += found - raised


def _check_result(connection: duckdb.DuckDBPyConnection, model: SupervisionModel) -> None:
    given = {name for name, *_ in connection.execute("DESCRIBE result").fetchall()}
    needed = {"subject_id", "ground_key", "evidence", *model.head.columns}
    if model.head.raised == "by_column":
        needed.add("raised_at")
    extra = given - needed - {"office_id"}
    if needed - given or extra:
        raise Refused(
            wanted=f"columns {', '.join(sorted(needed))} (and office_id)",
            got=f"missing {sorted(needed - given)}, unknown {sorted(extra)}",
            cure="name them in the SELECT, or mend `columns` in the head",
            where=f"{model.name}.sql",
        )


def _shaped(jurisdiction: Jurisdiction, model: SupervisionModel) -> str:
    """SELECT that dresses `result` as rows of the clue table (without the system columns)."""
    head = model.head
    own = ", ".join(
        f"{quoted(name) if name in head.columns else 'NULL'}::{SQL_TYPES[kind]} AS {quoted(name)}"
        for name, kind in jurisdiction.clue_columns.items()
    )
    raised = "raised_at::TIMESTAMP" if head.raised == "by_column" else "$moment::TIMESTAMP"
    return f"""
        SELECT {CLUE_ID.format(ground=head.ground)} AS clue_id, '{model.name}' AS supervision_model,
               '{model.version}' AS model_version, '{head.function}' AS "function",
               {head.severity}::BIGINT AS severity, '{head.subject}' AS subject_kind,
               subject_id, '{head.ground}' AS ground, ground_key, office_id,
               {raised} AS raised_at, evidence, {own}
        FROM (SELECT * REPLACE (subject_id::VARCHAR AS subject_id, ground_key::VARCHAR AS
                                ground_key, evidence::VARCHAR[] AS evidence)
              FROM (SELECT * FROM result UNION ALL BY NAME SELECT NULL::VARCHAR AS office_id
                    WHERE false))
        WHERE subject_id IS NOT NULL AND ground_key IS NOT NULL"""


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


def _note_cycles(
    home: Home, done: dict[str, str], runs: list[tuple[datetime, SupervisionModel]]
) -> None:
    """Written after the clues: a crash between runs the cycles again, and finds nothing new."""
    latest = {**done, **{model.name: moment.isoformat() for moment, model in runs}}
    draft = home.path / "raised.json.new"
    draft.write_text(json.dumps(latest, indent=1) + "\n", "utf-8")
    draft.replace(home.path / "raised.json")
