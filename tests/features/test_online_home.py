"""The online store over a home's own Delta tables, as batches, corrections and clues come in."""

from __future__ import annotations

import shutil
from datetime import date, datetime
from pathlib import Path

import hamlet
import pyarrow as pa
import pytest
from deltalake import DeltaTable

from base.errors import Refused
from base.moment import FixedClock
from clues.register import read_clues
from features.declared import declared_features
from features.definition import load_features
from features.online.plan import key_text
from features.online.store import OnlineStore
from features.table import build_features
from governance.home import Home
from governance.intake import admit_table
from governance.reading import Records

NEW_YEAR = datetime(2026, 1, 1)


@pytest.fixture
def home(tmp_path: Path, clock: FixedClock) -> Home:
    return hamlet.settled_hamlet(tmp_path, clock)


def asked_at(home: Home, moment: datetime = NEW_YEAR) -> pa.Table:
    """The home's clues, asked about at a moment."""
    clues = read_clues(home)
    at = clues.schema.get_field_index("raised_at")
    return clues.set_column(at, "raised_at", pa.array([moment] * len(clues), pa.timestamp("us")))


def require_equal(home: Home, store: OnlineStore, clues: pa.Table) -> pa.Table:
    """The store's table, found to be the batch engine's, of the same versions."""
    rows, versions = store.features(clues)
    with Records(home) as records:
        assert rows.equals(build_features(store.definitions, clues, records, threads=1))
        assert versions == {name: records.versions[name] for name in versions}
    return rows


def outcome(clue_id: str, became: int | None, reported: date) -> pa.Table:
    return pa.table(
        {
            "clue_id": [clue_id],
            "status": ["case_filed" if became else "unfounded"],
            "decided_at": [date(2024, 8, 1)],
            "reported_at": [reported],
            "became_case": pa.array([became], pa.int64()),
            "supervision_model": ["paid_after_death"],
            "function": ["public_interest"],
            "agency_id": ["x"],
        }
    )


def test_batches_corrections_and_doubles_are_taken_in_without_a_rebuild(
    home: Home, clock: FixedClock
) -> None:
    """A batch is a small segment more; a correction retracts; the same batch again adds nothing."""
    store = OnlineStore(home, declared_features(home))
    clues = asked_at(home)
    require_equal(home, store, clues)
    old = {path.name for path in store.folder.iterdir() if path.suffix == ".base"}
    first = clues["clue_id"][0].as_py()
    steps = [
        outcome(first, 0, date(2024, 8, 3)),
        outcome(first, 1, date(2024, 9, 9)),
        outcome(first, 1, date(2024, 9, 9)),
        outcome(clues["clue_id"][1].as_py(), 0, date(2024, 9, 10)),
    ]
    told = []
    for at, batch in enumerate(steps):
        admit_table(home, "outcomes", batch, clock, source=f"batch{at}")
        rows = require_equal(home, store, clues)
        told.append(rows["model_conversion__ratio_all"][0].as_py())
    assert told[0] < told[1] == told[2], "the correction is not in the store"
    between = require_equal(home, store, asked_at(home, datetime(2024, 8, 20)))
    assert between["model_conversion__ratio_all"][0].as_py() == told[0]
    kept = {path.name for path in store.folder.iterdir() if path.suffix == ".base"}
    assert old & kept, "payments did not change, and were written again"


def test_a_store_knows_every_record_admitted_before_it_is_asked(
    home: Home, clock: FixedClock
) -> None:
    """Two stores of one home: whichever is asked takes in what came, the other sees it."""
    one, other = (OnlineStore(home, declared_features(home)) for _ in range(2))
    clues = asked_at(home)
    before = one.features(clues)[0]["own_payments__count_all"].to_pylist()
    more = hamlet.payment("new", 0, date(2024, 12, 1))
    admit_table(home, "payments", more, clock, source="more")
    for store in (other, one):
        rows = require_equal(home, store, clues)["own_payments__count_all"].to_pylist()
        assert sum(rows) == sum(before) + 1
    assert one.view().manifest.generation == other.view().manifest.generation


def test_removed_records_make_the_store_anew(home: Home) -> None:
    """Where a table lost rows (retention), nothing of them is left in the store."""
    store = OnlineStore(home, declared_features(home))
    clues = asked_at(home)
    before = store.features(clues)[0]["own_payments__count_all"].to_pylist()
    DeltaTable(str(home.table("payments"))).delete("person_id = 'p0'")
    after = require_equal(home, store, clues)["own_payments__count_all"].to_pylist()
    assert sorted(after) == sorted([0.0, *before[1:]])


def test_a_store_that_was_deleted_is_made_again(home: Home) -> None:
    """The folder is a copy in another order, and nothing else."""
    store = OnlineStore(home, declared_features(home))
    clues = asked_at(home)
    first = require_equal(home, store, clues)
    shutil.rmtree(store.folder)
    assert require_equal(home, OnlineStore(home, store.definitions), clues).equals(first)


def test_the_whole_province_is_equal_for_every_feature(province: Home, tmp_path: Path) -> None:
    """Each feature of the shipped definitions, for clues of all supervision models."""
    definitions = declared_features(province)
    clues = read_clues(province)
    some = clues.take(list(range(0, clues.num_rows, 9)))
    rows = require_equal(province, OnlineStore(province, definitions, tmp_path), some)
    assert rows.num_rows > 100


def test_a_key_of_several_spellings_is_refused() -> None:
    """1.0 and 1 would be one number and two texts."""
    defined = load_features(
        {
            "history": [
                {
                    "group": "near",
                    "source": "places",
                    "key": {"height": "height"},
                    "windows": ["all"],
                    "features": [
                        {
                            "kind": "count",
                            "sentence": {"zh": "{window}{value}", "en": "{value} in {window}"},
                        }
                    ],
                }
            ]
        },
        sources={"places": {"height": "number"}},
        clue_columns={"height": "number"},
    )
    with pytest.raises(Refused, match="height"):
        key_text(defined.features[0].grouping, {"height": 1.0})
