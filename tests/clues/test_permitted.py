"""The SQL of a supervision model reaches declared records and nothing else, and says why not."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import duckdb
import hamlet
import pyarrow as pa
import pytest

from base.errors import Refused
from clues.permitted import FUNCTIONS, KINDS, permit
from clues.sandbox import Sandbox
from clues.supervision import SupervisionModel, load_supervision_models
from governance.engine import connect, lock_down
from governance.jurisdiction import load_jurisdiction
from governance.reading import Records

SHOWN = {
    "payments": ["payment_no", "person_id", "amount_cents", "paid_on"],
    "deaths": ["person_id", "died_on"],
}
# What somebody may write in a model.sql -> a word of the reason it is refused for.
HOSTILE = {
    "COPY payments TO 'out.csv'": "one SELECT",
    "COPY (SELECT * FROM payments) TO 'out.parquet'": "one SELECT",
    "ATTACH 'other.db' AS other": "one SELECT",
    "INSTALL httpfs": "one SELECT",
    "LOAD httpfs": "one SELECT",
    "PRAGMA database_list": "one SELECT",
    "SET enable_external_access = true": "one SELECT",
    "RESET lock_configuration": "one SELECT",
    "CALL pragma_version()": "one SELECT",
    "EXPORT DATABASE 'everything'": "SQL that parses",
    "CREATE MACRO payments() AS TABLE SELECT 1": "one SELECT",
    "DELETE FROM payments": "one SELECT",
    "INSERT INTO payments SELECT * FROM payments": "one SELECT",
    "SELECT 1 FROM payments; DROP TABLE payments": "one SELECT",
    "SELECT 1 FROM payments -- ends here\n; COPY payments TO 'out.csv'": "one SELECT",
    "/* SELECT 1 FROM payments */ ATTACH 'other.db'": "one SELECT",
    "/* a /* nested */ comment */ CREATE TABLE t (i INT)": "one SELECT",
    "SELECT 1 FROM payments /* that never ends": "SQL that parses",
    "SELECT * FROM read_csv('out.csv')": "allowed function",
    "SELECT * FROM read_parquet(['out.parquet'])": "allowed function",
    'SELECT * FROM "read_text"(\'out.csv\')': "allowed function",
    "SELECT * FROM glob('*')": "allowed function",
    "SELECT * FROM 'out.csv'": "declared record set",
    'SELECT * FROM "out.parquet"': "declared record set",
    "SELECT * FROM 's3://bucket/out.parquet'": "declared record set",
    "SELECT * FROM duckdb_settings()": "allowed function",
    "SELECT * FROM duckdb_secrets()": "allowed function",
    "SELECT * FROM information_schema.tables": "declared record set",
    "SELECT * FROM sqlite_master": "declared record set",
    "SELECT * FROM stored.payments": "declared record set",
    "SELECT * FROM system.main.payments": "declared record set",
    "SELECT * FROM query('COPY payments TO ''out.csv''')": "allowed function",
    "SELECT getvariable('moment') FROM payments": "allowed function",
    "SELECT getenv('HOME') FROM payments": "allowed function",
    "SELECT current_setting('temp_directory') FROM payments": "allowed function",
    "SELECT nextval('numbers') FROM payments": "allowed function",
    "SELECT person_id.read_text() FROM payments": "allowed function",
    "SELECT error(person_id) FROM payments": "allowed function",
    "SELECT repeat('x', 1000000000000) FROM payments": "allowed function",
    "SELECT 1 FROM payments WHERE random() < 0.1": "allowed function",
    "SELECT now() FROM payments": "no clock",
    "SELECT 1 FROM payments WHERE paid_on < current_date": "no clock",
    "SELECT * FROM payments USING SAMPLE 10%": "TABLE SAMPLE",
    "SELECT * FROM payments TABLESAMPLE reservoir(5)": "TABLE SAMPLE",
    "SELECT * FROM range(1000000000000)": "generate_series",
    "SELECT unnest(range(1e12::BIGINT)) FROM payments": "generate_series",
    "SELECT unnest(generate_series(DATE '2000-01-01', DATE '2030-01-01', INTERVAL 1 SECOND))"
    " FROM payments": "INTERVAL n DAY or longer",
    "WITH RECURSIVE bomb AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM bomb) FROM bomb": "itself",
    "WITH RECURSIVE b AS (SELECT 1 AS n UNION ALL SELECT b.n FROM b, b AS c) FROM b": "recursion",
    "SELECT name FROM payments": "Column 'name'",
    "SELECT p.retracted_at FROM payments p": "retracted_at",
    "SELECT rowid FROM payments": "rowid",
    "SELECT p.nam FROM (SELECT * FROM payments) AS p": "nam",
    "SELECT payments FROM payments": "all of payments as one",
    "SELECT COLUMNS('.*') FROM payments": "allowed function",
    "SELECT person_id FROM payments JOIN deaths ON true": "Column 'person_id'",
    "SELECT $office FROM payments": "$moment",
    "SELECT ? FROM payments": "$moment",
    "WITH payments AS (SELECT 1 AS person_id) SELECT person_id FROM payments": "each name once",
    "SELECT * FROM payments POSITIONAL JOIN deaths": "POSITIONAL JOIN",
    "PIVOT payments ON person_id USING sum(amount_cents)": "one SELECT",
    "SELECT " + "(" * 3_000 + "1" + ")" * 3_000 + " FROM payments": "nesting",
    "SELECT " + "CASE WHEN true THEN " * 200 + "1" + " END" * 200 + " FROM payments": "nesting",
    "SELECT '" + "x" * 20_000 + "' FROM payments": "20,000",
    "SELECT 1 FROM payments WHERE " + " AND ".join(["true"] * 2_000): "chains",
    "SELECT " + "||".join(["person_id"] * 1_500) + " FROM payments": "chains",
    "SELECT " + ".".join(["person_id"] * 1_500) + " FROM payments": "chains",
    "SELECT person_id" + "[1]" * 5_000 + " FROM payments": "places in lists",
    "SELECT person_id" + "::TEXT" * 500 + " FROM payments": "chains",
    "SELECT 1 FROM payments" + " UNION ALL SELECT 1 FROM payments" * 300: "chains",
    "SELECT " + "NOT " * 4_500 + "true FROM payments": "SQL that parses",
    "SELECT 1 \x00 FROM payments": "control characters",
    "": "one SELECT",
}  # fmt: skip
# What an author needs.
HONEST = [
    "SELECT person_id FROM payments",
    "FROM payments",
    "SELECT * EXCLUDE (payment_no) FROM payments WHERE paid_on > $moment - INTERVAL 1 YEAR;",
    "SELECT p.*, d.died_on FROM payments p LEFT JOIN deaths d USING (person_id)",
    "SELECT person_id FROM payments ANTI JOIN deaths USING (person_id)",
    "SELECT sum(amount_cents) FILTER (amount_cents > 0), list(DISTINCT person_id) FROM payments",
    "SELECT person_id FROM payments QUALIFY row_number() OVER (ORDER BY paid_on, record_no) = 1",
    """WITH paid AS (SELECT person_id, max(paid_on) AS last_on FROM payments GROUP BY ALL)
    SELECT paid.person_id, date_diff('day', died_on, last_on) FROM paid JOIN deaths
    USING (person_id) WHERE last_on > died_on""",
    "SELECT unnest(generate_series(DATE '2024-01-01', $moment, INTERVAL 6 MONTH)) FROM deaths",
    """SELECT CASE WHEN person_id LIKE 'p%' THEN left(person_id, 4) END,
    coalesce(try_cast(person_id AS INTEGER), 0), regexp_extract(person_id, '[0-9]+')
    FROM payments UNION ALL SELECT person_id, 1, 'x' FROM deaths""",
    "SELECT person_id FROM payments p ASOF JOIN deaths d USING (person_id, happened_at)",
]


# Of listed functions, as DuckDB's catalogue has them.
OTHER_SPELLINGS = {
    *("argmax", "argmin", "array_cat", "array_reverse_sort", "char_length", "character_length"),
    *("countif", "dayofmonth", "editdist3", "lcase", "list_reverse_sort", "listagg", "ucase"),
    "weekofyear",
}


@pytest.mark.parametrize("sql", HOSTILE, ids=lambda sql: sql[:60])
def test_a_hostile_statement_is_refused_with_its_reason(sql: str) -> None:
    """Before anything runs, and the reason names what was meant."""
    with pytest.raises(Refused) as refusal:
        permit(sql, SHOWN, "hostile.sql")
    assert HOSTILE[sql] in str(refusal.value)
    assert all(fault.where == "hostile.sql" and fault.cure for fault in refusal.value.faults)


@pytest.mark.parametrize("sql", HONEST, ids=lambda sql: sql[:60])
def test_what_authors_need_is_permitted_and_runs_as_written_out_anew(sql: str) -> None:
    """The expression that was checked, written out, is what DuckDB takes."""
    written = permit(sql, SHOWN, "honest.sql").query.sql(dialect="duckdb", comments=False)
    with duckdb.connect() as connection:
        for name, columns in SHOWN.items():
            typed = [f"{c} {'DATE' if c.endswith('_on') else 'VARCHAR'}" for c in columns]
            typed += ["record_no BIGINT", "happened_at TIMESTAMP", "known_at TIMESTAMP"]
            typed = [each.replace("amount_cents VARCHAR", "amount_cents BIGINT") for each in typed]
            connection.execute(f"CREATE TABLE {name} ({', '.join(typed)})")
        given = {"moment": datetime(2024, 7, 1)} if "$moment" in written else {}
        assert connection.execute(written, given).description


def test_every_function_of_duckdb_that_is_not_listed_is_refused() -> None:
    """All of its catalogue, called on a column: what passes is on the list by the name it runs by.

    Operators stand in the catalogue too; those are no calls.
    """
    with duckdb.connect() as connection:
        names = [
            name
            for (name,) in connection.execute(
                "SELECT DISTINCT function_name FROM duckdb_functions() ORDER BY ALL"
            ).fetchall()
            if name.isidentifier()
        ]
    assert len(names) > 500
    passed = set()
    for name in names:
        try:
            permit(f"SELECT {name}(person_id) FROM payments", SHOWN, "x")
            passed.add(name)
        except Refused:
            continue
    assert passed - FUNCTIONS == OTHER_SPELLINGS
    assert len(FUNCTIONS & passed) > 60


def test_the_locked_sandbox_refuses_what_reaches_outside_all_the_same(tmp_path: Path) -> None:
    """A second wall: were the check to miss one, DuckDB itself would not do it."""
    canary = tmp_path / "canary.csv"
    canary.write_text("secret\n1\n", "utf-8")
    connection = connect(tmp_path / "scratch")
    lock_down(connection)
    for attempt in (
        f"SELECT * FROM '{canary}'",
        f"SELECT * FROM read_csv('{canary}')",
        f"SELECT * FROM read_text('{canary}')",
        f"SELECT * FROM glob('{tmp_path}/*')",
        f"COPY (SELECT 1) TO '{tmp_path}/out.csv'",
        f"ATTACH '{tmp_path}/other.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET memory_limit = '100GB'",
        "RESET lock_configuration",
    ):
        with pytest.raises(duckdb.Error):
            connection.execute(attempt)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["canary.csv", "scratch"]


def hamlet_model(folder: Path, sql: str) -> SupervisionModel:
    """The hamlet's supervision model with other SQL."""
    hamlet.write_hamlet(folder)
    head = hamlet.MODEL.partition("--- */")[0] + "--- */\n"
    (folder / "supervision" / "paid_after_death.sql").write_text(head + sql, "utf-8")
    [model] = load_supervision_models(load_jurisdiction(folder))
    return model


def payments(number: int) -> Records:
    """So many payments in memory."""
    rows = {
        "payment_no": [f"n{n}" for n in range(number)],
        "person_id": ["person of note"] * number,
        "agency_id": ["x"] * number,
        "office_id": ["A"] * number,
        "amount_cents": [1] * number,
        "paid_on": [datetime(2024, 1, 1).date()] * number,
        "happened_at": pa.array([datetime(2024, 1, 1)] * number, pa.timestamp("us")),
    }
    return Records.of_tables({"payments": pa.table(rows)})


def test_a_statement_that_does_not_end_is_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A join of all with all passes every check; its time does not."""
    monkeypatch.setenv("CLUES_SUPERVISION_SECONDS", "0.5")
    joins = ", ".join(f"payments p{n}" for n in range(2, 9))
    model = hamlet_model(
        tmp_path / "hamlet",
        "SELECT p1.person_id AS subject_id, '-' AS ground_key, count(*) AS amount_cents,"
        " any_value(p1.agency_id) AS agency_id, ['payments/1'] AS evidence"
        f" FROM payments p1, {joins}"
        " WHERE p1.payment_no || p8.payment_no <> p2.payment_no GROUP BY ALL",
    )
    with payments(1_000) as records:
        sandbox = Sandbox(records, model.columns)
        with pytest.raises(Refused, match=r"0\.5 seconds"):
            sandbox.run(model, datetime(2024, 7, 1))


def test_a_refusal_of_the_engine_tells_no_value_of_a_record(tmp_path: Path) -> None:
    """DuckDB quotes what it could not convert; that may be a name."""
    model = hamlet_model(
        tmp_path / "hamlet",
        "SELECT person_id AS subject_id, '-' AS ground_key, person_id::INTEGER AS amount_cents,"
        " agency_id, ['payments/1'] AS evidence FROM payments",
    )
    with payments(3) as records:
        sandbox = Sandbox(records, model.columns)
        with pytest.raises(Refused) as refusal:
            sandbox.run(model, datetime(2024, 7, 1))
    assert "person of note" not in str(refusal.value)
    assert "Conversion Error" in str(refusal.value)


def test_what_a_star_leaves_out_is_there_to_be_left_out(tmp_path: Path) -> None:
    """The sandbox lays out what is read; an excluded column is read for that."""
    model = hamlet_model(
        tmp_path / "hamlet",
        "SELECT * EXCLUDE (person_id, payment_no, paid_on, record_no, happened_at, known_at),"
        " person_id AS subject_id, '-' AS ground_key, ['payments/1'] AS evidence FROM payments",
    )
    with payments(2) as records:
        sandbox = Sandbox(records, model.columns)
        sandbox.run(model, datetime(2024, 7, 1))
        assert sandbox.run_many(model, [datetime(2024, 6, 1), datetime(2024, 7, 1)])


def test_the_sandbox_holds_the_columns_that_are_read_and_no_others(tmp_path: Path) -> None:
    """Less to lay out, and less that could be seen."""
    model = hamlet_model(tmp_path / "hamlet", hamlet.MODEL.partition("--- */")[2])
    assert model.columns == {
        "deaths": ("died_on", "person_id", "record_no"),
        "payments": ("agency_id", "amount_cents", "office_id", "paid_on", "person_id"),
    }
    with payments(1) as records:
        sandbox = Sandbox(records, {"payments": ["amount_cents"]})
        described = sandbox.connection.execute("FROM stored.payments").description
    assert [name for name, *_ in described or []] == [
        "record_no", "happened_at", "known_at", "amount_cents", "retracted_at",
    ]  # fmt: skip


def test_a_refusal_says_what_is_permitted_and_the_page_it_names_lists_it() -> None:
    """The kinds in the cure, every function of each in docs/declare.md."""
    with pytest.raises(Refused, match=r"aggregates, windows, .* listed in docs/declare\.md"):
        permit("SELECT repeat('x', 3) FROM payments", SHOWN, "model.sql")
    page = (Path(__file__).resolve().parents[2] / "docs" / "declare.md").read_text("utf-8")
    for kind, functions in KINDS.items():
        assert f"| {kind} | {' '.join(functions.split())} |" in page
