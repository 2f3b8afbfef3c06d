"""A feature table leaves the house without what is not open to those it goes to."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
import yaml

from features.declared import features_of
from features.leaving import feature_table_for
from governance.home import Home
from governance.jurisdiction import BUNDLED, load_jurisdiction
from governance.pseudonyms import pseudonym, pseudonym_key

HIDDEN = {"amount_cents": "confidential", "matched_by": "restricted"}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """anhui, but for two of its clue columns, which are not open here."""
    folder = tmp_path / "anhui"
    folder.mkdir()
    for each in (BUNDLED / "anhui").iterdir():
        if each.name != "jurisdiction.yaml":
            (folder / each.name).symlink_to(each)
    manifest = yaml.safe_load((BUNDLED / "anhui" / "jurisdiction.yaml").read_text("utf-8"))
    for name, classification in HIDDEN.items():
        manifest["clue_columns"][name]["classification"] = classification
    (folder / "jurisdiction.yaml").write_text(yaml.safe_dump(manifest), "utf-8")
    return Home.create(tmp_path / "home", load_jurisdiction(folder))


TABLE = pa.table(
    {
        "clue_id": ["c1", "c2"],
        "moment": pa.array([0, 1], pa.timestamp("us")),
        "amount_cents": [500.0, None],
        "lag_days": [3.0, 4.0],
        "matched_by": pa.array(["number", None]).dictionary_encode(),
        "supervision_model": pa.array(["m", "m"]).dictionary_encode(),
    }
)


def test_others_get_no_id_no_amount_and_no_category_that_is_not_open(home: Home) -> None:
    """Ids and hidden categories are under pseudonyms, hidden numbers missing; the rest stays."""
    told, hidden = feature_table_for(home, features_of(home.jurisdiction), TABLE, "export")
    key = pseudonym_key(home)
    assert hidden == sorted(HIDDEN)
    assert told["clue_id"].to_pylist() == [pseudonym(key, each) for each in ("c1", "c2")]
    assert told["matched_by"].to_pylist() == [pseudonym(key, "number"), None]
    assert told["amount_cents"].to_pylist() == [None, None]
    untouched = ["moment", "lag_days", "supervision_model"]
    assert told.select(untouched).equals(TABLE.select(untouched))
    assert told.column_names == TABLE.column_names


def test_a_data_scientist_gets_the_table_as_training_sets_have_it(home: Home) -> None:
    """Confidential amounts teach; what is restricted is under a pseudonym; ids join within."""
    told, hidden = feature_table_for(home, features_of(home.jurisdiction), TABLE, "training")
    assert hidden == []
    assert told["amount_cents"].equals(TABLE["amount_cents"])
    assert told["clue_id"].equals(TABLE["clue_id"])
    assert told["matched_by"].to_pylist() == [pseudonym(pseudonym_key(home), "number"), None]


def test_who_runs_the_platform_gets_it_as_it_is(home: Home) -> None:
    """No key is made, nothing is hidden."""
    told, hidden = feature_table_for(home, features_of(home.jurisdiction), TABLE, "handling")
    assert told is TABLE
    assert hidden == []
    assert not (home.path / "keys").exists()
