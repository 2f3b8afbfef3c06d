"""A million clues in register and ledger, laid down in bulk: what the console is measured on.

Every clue waits at a county of the simulated province, scored, with two records behind it; a
thousandth is in hand. Rows are made by the databases themselves from a number each.
"""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import sqlalchemy as sa
from deltalake import WriterProperties, write_deltalake

from bench.wide import NAMES, NUMBERS, drawn_rows, put_champion, words, write_jurisdiction
from clues.clue import clue_schema
from dispatch.offices import Offices
from features.declared import declared_features
from governance.home import Home
from governance.jurisdiction import BUNDLED, load_jurisdiction
from scoring.bundle import read_manifest
from scoring.champion import read_champion

CLUES, RECORDS, PARTS = 1_000_000, 1_000_000, 50
# So many of the clue's own columns are features: numbers, then categories.
COLUMNS = (*NAMES[:20], *NAMES[NUMBERS : NUMBERS + 4])
RAISED = datetime(2026, 1, 5)


def million_home(folder: Path) -> Home:
    """A home with a champion, the register of all clues and the records behind them."""
    declared = [
        {
            "name": name,
            "column": name,
            "type": "category" if name.startswith("word") else "numeric",
            "show": "text" if name.startswith("word") else "number",
            "sentence": words(name),
        }
        for name in COLUMNS
    ]
    place = write_jurisdiction(folder / "wide", {"columns": declared}, list(COLUMNS))
    shutil.copy(BUNDLED / "anhui" / "offices.yaml", place / "offices.yaml")
    home = Home.create(folder / "home", load_jurisdiction(place))
    rows = drawn_rows(8_000)
    kept = [*range(20), *range(NUMBERS, NUMBERS + 4)]
    put_champion(home, declared_features(home), rows[:, kept])
    # As `clues admit` writes them.
    groups = WriterProperties(max_row_group_size=122_880)
    write_deltalake(str(home.table("payments")), _payments(), writer_properties=groups)
    for part in range(PARTS):
        write_deltalake(str(home.table("clues")), _register(home, part), mode="append")
    return home


def clue_ids(offices: Offices, own: frozenset[str], count: int) -> list[str]:
    """Ids of clues that wait at counties of `own`, from all over the register."""
    counties = _counties(offices)
    numbers = [at for at, name in enumerate(counties) if name in own] or [0]
    draw = np.random.default_rng(len(own))
    turns = draw.integers(0, CLUES // len(counties), count)
    return [
        f"{int(turn) * len(counties) + numbers[at % len(numbers)]:016x}"
        for at, turn in enumerate(turns)
    ]


def fill_ledger(ledger: sa.Engine, home: Home, offices: Offices) -> None:
    """States, scores and events of all clues, each table by one statement."""
    champion = read_champion(home.scorers).scorer
    manifest = read_manifest(home.scorers / champion)
    values = orjson.dumps([1.0 if f.type == "numeric" else "north" for f in manifest.features])
    given = {
        "scorer": champion,
        "fingerprint": manifest.features_fingerprint,
        "values": values.decode(),
        "contributions": np.linspace(-0.4, 0.5, len(manifest.features)).tobytes(),
        "raised": RAISED,
        "late": RAISED + timedelta(days=30),
    }
    sqlite, counties = ledger.dialect.name == "sqlite", _counties(offices)
    numbered = (
        "WITH RECURSIVE n(x) AS (SELECT 0 UNION ALL SELECT x + 1 FROM n WHERE x < {last})"
        if sqlite
        else "WITH n AS (SELECT x FROM generate_series(0, {last}) AS x)"
    ).format(last=CLUES - 1)
    clue_id = "printf('%016x', x)" if sqlite else "lpad(to_hex(x), 16, '0')"
    yes, no = ("1", "0") if sqlite else ("true", "false")
    # Drawn from the number itself, and the probability grows with the margin.
    drawn = "CAST((x * 2654435761) % 1000003 AS DOUBLE PRECISION) / 1000003"
    score = f"{drawn} * 6 - 5, ({drawn}) * ({drawn}) / 2"
    listed = ":values" if sqlite else "CAST(:values AS JSON)"
    late = "CASE WHEN x % 1000 = 7 THEN :late END"
    joined = f"FROM n JOIN counties ON place = x % {len(counties)}"
    with ledger.begin() as connection:
        connection.execute(sa.text("CREATE TEMPORARY TABLE counties (place INTEGER, name TEXT)"))
        connection.execute(
            sa.text("INSERT INTO counties VALUES (:place, :name)"),
            [{"place": at, "name": name} for at, name in enumerate(counties)],
        )
        for statement in (
            f"""INSERT INTO scores_given (score_id, clue_id, office_id, moment, scorer,
                  features_fingerprint, versions, margin, probability, base, feature_values,
                  contributions, flags, given_at, purpose, batch)
                {numbered} SELECT x + 1, {clue_id}, name, :raised, :scorer, :fingerprint, '{{}}',
                  {score}, -1.0, {listed}, :contributions, '[]', :raised, 'work', 'bulk'
                {joined}""",
            f"""INSERT INTO clue_events (clue_id, version, source, from_state, to_state, decided_at,
                  reported_at, kept_at, "by", role, office_id, reason, facts, to_admit)
                {numbered} SELECT {clue_id}, 1, 'platform', 'raised', 'scored', :raised, :raised,
                  :raised, 'platform', 'platform', name, '', '{{}}', {no} {joined}""",
            f"""INSERT INTO clue_states (clue_id, office_id, supervision_model, raised_at, state,
                  open, version, since, score_id, margin, probability, accept_until, verify_until)
                {numbered} SELECT {clue_id}, name, 'wide', :raised,
                  CASE WHEN x % 1000 = 7 THEN 'accepted' ELSE 'scored' END, {yes}, 1, :raised,
                  x + 1, {score}, {late}, {late} {joined}""",
        ):
            told = sa.text(statement)
            wanted = {name: value for name, value in given.items() if f":{name}" in statement}
            connection.execute(told, _kept(wanted, sqlite))
    with ledger.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("ANALYZE"))


def _kept(values: dict[str, Any], sqlite: bool) -> dict[str, Any]:
    """SQLite keeps moments as texts."""
    return {
        name: value.isoformat(" ", "microseconds")
        if sqlite and isinstance(value, datetime)
        else value
        for name, value in values.items()
    }


def _counties(offices: Offices) -> list[str]:
    return [each.office_id for each in offices.offices if each.level == "county"]


def _payments() -> pa.Table:
    draw = np.random.default_rng(11)
    paid = np.datetime64(datetime(2025, 1, 1), "us") + np.arange(RECORDS) * 20_000_000
    number = pa.array(np.arange(1, RECORDS + 1))
    return pa.table(
        {
            "record_no": number,
            "payment_no": number.cast(pa.string()),
            "person_id": pa.array(np.arange(RECORDS) // 2).cast(pa.string()),
            "cents": draw.integers(0, 100_000, RECORDS),
            "agency": pa.array(draw.integers(0, 200, RECORDS)).cast(pa.string()),
            "paid_at": pa.array(paid),
            "happened_at": pa.array(paid),
            "known_at": pa.array(paid),
            "retracted_at": pa.nulls(RECORDS, pa.timestamp("us")),
        }
    )


def _register(home: Home, part: int) -> pa.Table:
    rows = CLUES // PARTS
    numbers = np.arange(part * rows, (part + 1) * rows)
    draw = np.random.default_rng(part)
    given: dict[str, Any] = {
        "clue_id": [f"{each:016x}" for each in numbers],
        "supervision_model": ["wide"] * rows,
        "subject_id": (numbers % (RECORDS // 2)).astype(str),
        "raised_at": [RAISED] * rows,
        "office_id": ["-"] * rows,
        "evidence": [
            [f"payments/{each % RECORDS + 1}", f"payments/{each * 7 % RECORDS + 1}"]
            for each in numbers
        ],
    }
    for name in COLUMNS:
        word = name.startswith("word")
        given[name] = ["north"] * rows if word else draw.normal(size=rows).round(4)
    schema = clue_schema(home.jurisdiction)
    columns = [
        pa.array(given[field.name], field.type)
        if field.name in given
        else pa.nulls(rows, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)
