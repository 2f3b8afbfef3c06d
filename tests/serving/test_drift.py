"""Drift: rows of one kind of moment on both sides, an alarm where a feature moved and none else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from steady_hamlet import END, steady_hamlet

from base.moment import FixedClock
from clues.register import read_clues
from features.declared import declared_features
from features.table import build_features
from governance.home import Home
from governance.reading import Records
from scoring.at_raising import rows_at_raising
from scoring.ledger.tables import clue_states
from serving.alarms import monitor_home
from serving.drift import raised_rows
from serving.monitoring import monitor
from serving.principal import Principal
from serving.service import Service

AUDITOR = Principal("k", "auditor", None)


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return steady_hamlet(tmp_path_factory.mktemp("steady"))


def watched(home: Home) -> Service:
    """A service on the day after the last month."""
    service = Service(home)
    service.clock = FixedClock(END + timedelta(days=1))
    return service


def named(told: dict[str, Any]) -> list[str]:
    """Its alarms about inputs and scores."""
    return [each["alarm"] for each in told["alarms"] if each["alarm"].endswith("_drift")]


@pytest.mark.parametrize(("months", "clues"), [(12, 120), (24, 240)])
def test_a_queue_scored_as_of_one_moment_is_no_alarm_where_nothing_changed(
    steady: Home, months: int, clues: int
) -> None:
    """Every clue is scored at the end, when payments of the first two years are older than a year:
    a count of 365 days says 0 then, and said 1 to 5 when the scorer learned."""
    told = monitor(watched(steady), AUDITOR, months)
    lines = {line["feature"]: line for line in told["drift"]["features"]}
    assert told["drift"]["scores"] == clues
    assert lines["own_payments__count_365d"]["state"] == "steady"
    assert told["scores"]["state"] == "steady"
    assert named(told) == []


def test_clues_are_looked_at_as_of_their_raising(steady: Home) -> None:
    """Whatever day it is: the moments are those of the register."""
    rows = raised_rows(watched(steady), AUDITOR, END - timedelta(days=700))
    raised = {row["clue_id"]: row["raised_at"] for row in read_clues(steady).to_pylist()}
    told = dict(zip(rows["clue_id"].to_pylist(), rows["moment"].to_pylist(), strict=True))
    assert len(told) > 200
    assert told.items() <= raised.items()


def test_a_feature_that_moved_is_an_alarm_and_no_other_feature_is(tmp_path: Path) -> None:
    """Amounts of the third year are five times those of the others; counts of payments are not."""
    told = monitor(watched(steady_hamlet(tmp_path, third_year=5.0)), AUDITOR, 12)
    assert "feature_drift" in named(told)
    (alarm,) = [each for each in told["alarms"] if each["alarm"] == "feature_drift"]
    assert alarm["at"] == "amount_cents"
    assert alarm["got"] > 1


def test_an_office_is_told_of_clues_that_stand_there(steady: Home) -> None:
    """Half of them are of A; one that was handed to A counts there and no longer at B."""
    service = watched(steady)
    own = Principal("k", "auditor", frozenset({"A"}))
    since = END - timedelta(days=100)
    before = raised_rows(service, own, since).num_rows
    assert 0 < before < raised_rows(service, AUDITOR, since).num_rows
    clue = read_clues(steady).filter(pa.compute.field("office_id") == "B")["clue_id"][-1].as_py()
    moving = clue_states.update().where(clue_states.c.clue_id == clue)
    with service.ledger.begin() as connection:
        connection.execute(moving.values(office_id="A"))
    try:
        assert clue in raised_rows(service, own, since)["clue_id"].to_pylist()
        assert raised_rows(service, own, since).num_rows == before + 1
    finally:
        with service.ledger.begin() as connection:
            connection.execute(moving.values(office_id="B"))


def counted(home: Home, asked: list[int]) -> Callable[[pa.Table], pa.Table]:
    """The batch engine; how many clues it was asked about goes into `asked`."""

    def rows(clues: pa.Table) -> pa.Table:
        asked.append(clues.num_rows)
        with Records(home) as records:
            return build_features(declared_features(home), clues, records, threads=1)

    return rows


def test_rows_at_the_raising_are_those_of_the_engine_and_computed_once(steady: Home) -> None:
    """Law: bit for bit what training would see; a clue that is kept is not asked about again,
    unless everything is wanted anew; a file that is gone is made again."""
    clues, asked = read_clues(steady), list[int]()
    engine = counted(steady, asked)
    for anew, part, wanted in (
        (False, slice(0, 30), 30), (False, slice(10, 40), 10), (False, slice(0, 40), 0),
        (True, slice(0, 20), 20), (False, slice(0, 0), 0),
    ):  # fmt: skip
        chosen = clues.slice(part.start, part.stop - part.start)
        before = sum(asked)
        got = rows_at_raising(steady, "f" * 64, chosen, engine, anew=anew)
        assert sum(asked) - before == wanted
        told = engine(chosen).to_pylist() if chosen.num_rows else []
        asked.pop() if chosen.num_rows else None
        assert sorted(got.to_pylist(), key=by_id) == sorted(told, key=by_id)
    (steady.path / "at_raising" / f"{'f' * 16}.parquet").unlink()
    assert rows_at_raising(steady, "f" * 64, clues.slice(0, 5), engine).num_rows == 5


def by_id(row: dict[str, Any]) -> str:
    return str(row["clue_id"])


def test_a_home_is_watched_anew_every_night(steady: Home) -> None:
    """What is kept may lack records that were admitted late: `clues monitor` asks again."""
    service = watched(steady)
    told = monitor_home(steady, 12)["drift"]
    (path,) = [
        each
        for each in (steady.path / "at_raising").glob("*.parquet")
        if each.stem == service.definitions.fingerprint[:16]
    ]
    kept = pq.read_table(path)
    spoilt = kept.set_column(
        kept.schema.get_field_index("amount_cents"), "amount_cents", pa.array([1.0] * len(kept))
    )
    pq.write_table(spoilt, path)
    assert monitor(service, AUDITOR, 12)["drift"] != told
    assert monitor_home(steady, 12)["drift"] == told
