"""The ledger gives back what was given, on both databases."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from ledgers import new_url

import scoring.migrations
import scoring.promotions  # its table is of the ledger too
from base.errors import NotFound, NotReady
from scoring.ledger import (
    GivenScore,
    ShadowScore,
    clue_states,
    durability,
    latest_score,
    metadata,
    newest_scores,
    newest_shadow,
    open_ledger,
    record_scores,
    record_shadow,
    shadow_counts,
)
from scoring.ledger.opening import CONNECTIONS

MIGRATIONS = Path(scoring.migrations.__path__[0])


def given(clue: str, margin: float, at: int = 1) -> GivenScore:
    return GivenScore(
        clue_id=clue,
        office_id="AH01",
        moment=datetime(2026, 1, at),
        scorer="d" * 64,
        features_fingerprint="f" * 64,
        versions={"payments": 3},
        margin=margin,
        probability=0.123456,
        base=-2.1,
        feature_values=[0.1 + 0.2, None, "民事"],
        contributions=np.array([1 / 3, -1e-17, np.pi]),
        flags=["missing:x"],
        given_at=datetime(2026, 1, at, 9, 30, 0, 123456),
    )


@pytest.fixture
def ledger(either_ledger: sa.Engine) -> sa.Engine:
    return either_ledger


def test_a_score_comes_back_bit_for_bit(ledger: sa.Engine) -> None:
    """Contributions, values, times to the microsecond, text in Chinese."""
    record_scores(ledger, [given("a", 1 / 3)])
    back = latest_score(ledger, "a")
    wanted = given("a", 1 / 3)
    assert back.contributions.tobytes() == wanted.contributions.tobytes()
    for name in vars(wanted):
        if name != "contributions":
            assert getattr(back, name) == getattr(wanted, name), name


def test_the_newest_score_of_each_clue_counts(ledger: sa.Engine) -> None:
    """A clue scored twice has one place, with its later margin."""
    record_scores(ledger, [given("a", 1.0), given("b", 2.0)])
    record_scores(ledger, [given("a", 3.0, at=2)])
    assert latest_score(ledger, "a").margin == 3.0
    margins = {row["clue_id"]: row["margin"] for row in newest_scores(ledger)}
    assert margins == {"a": 3.0, "b": 2.0}
    with pytest.raises(NotFound):
        latest_score(ledger, "c")


def test_a_shadow_score_comes_back_bit_for_bit(ledger: sa.Engine) -> None:
    """The newest of each clue, for one pair of scorers; what was left out adds up."""
    day = datetime(2026, 1, 2, 9, 30, 0, 123456)
    first = ShadowScore("线索" * 100, day, "a" * 64, 1 / 3, "b" * 64, -1e-17, 4, day)
    again = replace(first, challenger_margin=0.1 + 0.2, dropped_before=3)
    other = replace(first, champion="c" * 64)
    assert record_shadow(ledger, [first, other, again]) == 3
    (row,) = newest_shadow(ledger, "a" * 64, "b" * 64)
    wanted = vars(again)
    assert row == {name: wanted[name] for name in row}
    assert shadow_counts(ledger, "b" * 64) == {"scored": 3, "dropped": 11}
    assert shadow_counts(ledger, "d" * 64) == {"scored": 0, "dropped": 0}


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_an_earlier_ledger_is_brought_up_with_all_it_holds(
    database: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """One of the first migration gets every newer table and keeps its scores; down and up again."""
    server = request.getfixturevalue("postgres") if database == "postgres" else ""
    url = new_url(database, tmp_path, server)
    engine = sa.create_engine(url)
    migrate(engine, command.upgrade, "0001")
    assert "shadow_scores" not in sa.inspect(engine).get_table_names()
    insert_as_it_was(engine, given("a", 1 / 3))
    ledger = open_ledger(url)
    assert latest_score(ledger, "a").margin == 1 / 3
    with ledger.connect() as connection:
        (stands,) = connection.execute(sa.select(clue_states)).mappings()
    assert (stands["clue_id"], stands["state"], stands["margin"]) == ("a", "scored", 1 / 3)
    assert newest_shadow(ledger, "a", "b") == []
    assert differences(engine) == []
    migrate(engine, command.downgrade, "0001")
    migrate(engine, command.upgrade, "head")
    assert latest_score(ledger, "a").margin == 1 / 3
    assert differences(engine) == []


def insert_as_it_was(engine: sa.Engine, score: GivenScore) -> None:
    """A score in the table that the first migration made."""
    table = sa.Table("scores_given", sa.MetaData(), autoload_with=engine)
    row = {name: value for name, value in score.row().items() if name in table.c}
    with engine.begin() as connection:
        connection.execute(sa.insert(table), row)


def migrate(engine: sa.Engine, how: Callable[[Config, str], None], revision: str) -> None:
    """Bring a ledger to one revision, by Alembic alone."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        how(config, revision)


def differences(engine: sa.Engine) -> list[Any]:
    """Between the tables there are and those that the code believes to be there."""
    with engine.connect() as connection:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))


def _open(url: str) -> None:
    open_ledger(url)


def test_workers_that_start_at_once_make_one_ledger(tmp_path: Path) -> None:
    """Only one of them makes the tables; none fails."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_open, args=(url,)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0] * 4
    assert newest_scores(open_ledger(url)) == []


def test_sqlite_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    """P-1: write-ahead log, synchronous FULL (2)."""
    told = durability(open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}"))
    assert told == {"database": "sqlite", "journal": "wal", "synchronous": "2"}


@pytest.mark.parametrize(
    "change",
    [
        "ALTER DATABASE {name} SET synchronous_commit = off",
        "ALTER ROLE CURRENT_USER IN DATABASE {name} SET synchronous_commit = off",
    ],
)
def test_postgres_that_acknowledges_too_early_is_refused(
    change: str, postgres: str, tmp_path: Path
) -> None:
    """P-1: whoever changed the default; a session that was opened before keeps its own."""
    url = new_url("postgres", tmp_path, postgres)
    ledger = open_ledger(url)
    with ledger.connect() as earlier:
        name = sa.make_url(url).database
        with sa.create_engine(postgres, poolclass=sa.NullPool).begin() as connection:
            connection.execute(sa.text(change.format(name=name)))
        assert earlier.execute(sa.text("SHOW synchronous_commit")).scalar_one() == "on"
    ledger.dispose()
    open_ledger.cache_clear()
    with pytest.raises(NotReady, match="synchronous_commit"):
        open_ledger(url)
    with pytest.raises(NotReady, match="synchronous_commit"):
        durability(ledger)


def test_postgres_that_is_asked_to_acknowledge_too_early_is_refused(
    postgres: str, tmp_path: Path
) -> None:
    """P-1: by the connection's own options."""
    url = sa.make_url(new_url("postgres", tmp_path, postgres))
    early = url.update_query_dict({"options": "-c synchronous_commit=off"})
    with pytest.raises(NotReady, match="synchronous_commit"):
        open_ledger(early.render_as_string(False))


def test_connections_are_kept_when_many_asked_at_once(either_ledger: sa.Engine) -> None:
    """As many as there may be, opened once: the second crowd opens none, and none may be more."""
    opened: list[object] = []
    sa.event.listen(either_ledger, "connect", lambda *_: opened.append(1))
    for _ in range(2):
        held = [either_ledger.connect() for _ in range(CONNECTIONS)]
        assert {each.execute(sa.text("SELECT 1")).scalar_one() for each in held} == {1}
        for each in held:
            each.close()
        assert len(opened) <= CONNECTIONS
