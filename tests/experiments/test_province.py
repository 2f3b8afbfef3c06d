"""The simulated province: the same seed, the same bytes; the platform finds what was planned."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from base.errors import Refused
from base.progress import silent
from clues.register import read_clues
from experiments.demo import run_demo
from experiments.province.chance import FULL_PERCENT
from experiments.province.kinds import LATE_DAYS
from experiments.province.names import check_character
from experiments.province.simulate import simulate
from experiments.province.world import make_world
from governance.home import Home
from governance.quality import measured
from governance.quarantine import read as read_quarantine
from governance.reading import Records
from training.selection import noted_chances

TRUTH = "simulated/truth"


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    """Every file, the truth included; another seed gives others."""
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        simulate(tmp_path / name, clues=200, seed=seed, months=30, stages=silent())
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    assert digests(tmp_path / "a") != digests(tmp_path / "c")


def test_identity_numbers_are_well_formed_and_of_no_region(tmp_path: Path) -> None:
    """99 is no province; the check character is that of ISO 7064 (MOD 11-2, on a known number),
    the birthday is a day, men are odd, and no two blocks share a number."""
    assert check_character("11010519491231002") == "X"
    draw = np.random.default_rng(1)
    blocks = [make_world(2_000, draw, block=block) for block in range(2)]
    ids = np.concatenate([world.person_id for world in blocks])
    sex = np.concatenate([world.sex for world in blocks])
    assert all(re.fullmatch(r"99\d{4}(19|20)\d{9}[\dX]", each) for each in ids)
    assert all(check_character(each[:17]) == each[17] for each in ids[::97])
    assert np.isfinite(pd.to_datetime([each[6:14] for each in ids]).astype("int64")).all()
    assert np.array_equal(np.array([int(each[16]) % 2 == 1 for each in ids]), sex == "M")
    assert len(set(ids.tolist())) == len(ids)


def test_a_world_too_small_to_learn_from_is_refused(tmp_path: Path) -> None:
    """With the least that would do."""
    with pytest.raises(Refused, match="100 to"):
        simulate(tmp_path, clues=5, stages=silent())


def test_a_large_province_is_its_blocks_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written block by block: files of each, one truth, no key twice in two blocks."""
    monkeypatch.setattr("experiments.province.simulate.BLOCK_CLUES", 150)
    made = simulate(tmp_path, clues=400, seed=4, months=30, stages=silent())
    truth = pd.read_parquet(tmp_path / "truth" / "clues.parquet")
    assert len(truth) == truth["clue_id"].nunique() == made["clues"] == 400
    assert truth["became_case"].sum() == made["cases"]
    assert {len(files) for files in made["files"].values()} == {3}
    for name, key in (("persons", "person_id"), ("companies", "company_id")):
        first, *rest = (set(pd.read_parquet(file)[key]) for file in made["files"][name])
        assert not first & set.union(*rest)
    assert pd.read_parquet(tmp_path / "truth" / "faults.parquet")["file"].nunique() > 12


def test_a_fresh_province_keeps_the_rules_of_its_own_contracts(province: Home) -> None:
    """What is dirt on purpose is known to who declares a rule: January's double payments, too."""
    told = {name: measured(province, name) for name in province.jurisdiction.contracts}
    assert [rule for rules in told.values() for rule in rules if not rule.ok] == []
    twice, back = told["benefit_payments"]
    assert twice.value > 3
    assert back.value > twice.value


def test_the_platform_raises_exactly_the_clues_of_the_truth(province: Home) -> None:
    """All of them, each in its month and for its office, and no other; wrong matches, late news and
    money paid back too, for the platform cannot know."""
    truth = pd.read_parquet(province.path / TRUTH / "clues.parquet")
    raised = read_clues(province).to_pandas()[["clue_id", "raised_at", "office_id"]]
    both = truth.merge(raised, on="clue_id", suffixes=("", "_raised"))
    assert len(both) == len(truth) == len(raised)
    assert (both["moment"] == both["raised_at"]).all()
    assert (both["office_id"] == both["office_id_raised"]).all()
    assert (both["benign"].value_counts()[["wrong match", "late feed", "repaid"]] > 50).all()


def test_what_a_clue_shows_is_what_the_truth_goes_by(province: Home) -> None:
    """The platform reads a harmless explanation off the records, or the truth has none."""
    truth = pd.read_parquet(province.path / TRUTH / "clues.parquet").set_index("clue_id")
    shown = read_clues(province).to_pandas().set_index("clue_id").loc[truth.index]
    repaid, late = shown["repaid_percent"] >= FULL_PERCENT, shown["lag_days"] >= LATE_DAYS
    by_name = shown["matched_by"] == "name"
    explained = np.select([repaid, by_name, late], ["repaid", "wrong match", "late feed"], "")
    assert (explained == truth["benign"]).mean() >= 0.99
    plain = truth["benign"] == ""
    assert truth.loc[plain, "became_case"].mean() > 10 * truth.loc[~plain, "became_case"].mean()


def test_models_differ_as_much_as_real_ones_do(tmp_path: Path) -> None:
    """About one pursued clue in ten is a case; by supervision model from 1 in 1,000 to 4 in 10;
    the model of month 20 has none before, the ring of month 36 none either."""
    simulate(tmp_path, clues=12_000, seed=5, stages=silent())
    truth = pd.read_parquet(tmp_path / "truth" / "clues.parquet")
    assert 0.55 <= truth["pursued"].mean() <= 0.65
    assert 0.08 <= truth.loc[truth["pursued"], "became_case"].mean() <= 0.12
    rates = truth.groupby("supervision_model")["probability"].mean()
    assert len(rates) == 12
    assert rates.min() < 0.003
    assert 0.35 < rates.max() < 0.45
    first = truth.groupby("supervision_model")["month"].min()
    assert first.pop("serial_plaintiff") == 20
    assert first.max() < 6
    assert truth.loc[truth["pattern"], "month"].min() >= 36


def test_every_chance_of_being_taken_up_is_written_beside_the_order(province: Home) -> None:
    """The truth's propensity, of every clue that was taken up in time; by lot where marked."""
    folder = province.path / "simulated"
    truth = pd.read_parquet(folder / "truth" / "clues.parquet").set_index("clue_id")
    ordered = pd.read_csv(folder / "orders.csv").set_index("clue_id")
    true = truth.loc[ordered.index]
    assert np.allclose(ordered["drawing_probability"], true["propensity"])
    assert (ordered["exploration"] == true["explored"]).all()
    assert true["pursued"].all()
    assert noted_chances(province).keys() == set(ordered.index)
    outcomes = pd.read_csv(folder / "outcomes.csv")
    assert set(outcomes["clue_id"]) <= set(ordered.index)


def test_the_quarantine_holds_exactly_the_planted_faults(province: Home) -> None:
    """Row by row: what the truth calls quarantined is, and nothing else is."""
    faults = pd.read_parquet(province.path / TRUTH / "faults.parquet")
    for record_set, planted in faults.groupby("record_set"):
        wanted = set(planted.loc[planted["expected"] == "quarantined", "row"])
        found = {row["row"] for row in read_quarantine(province, str(record_set))}
        assert found == wanted, record_set


def test_rows_sent_twice_are_stored_once(province: Home) -> None:
    """Every primary key has one row in force, and every planted double was a double."""
    with Records(province) as records:
        for name, contract in province.jurisdiction.contracts.items():
            key = ", ".join(f'"{column}"' for column in contract.primary_key)
            query = (
                f'SELECT count(*) - count(DISTINCT ({key})) FROM "{name}"'
                " WHERE retracted_at IS NULL"
            )
            assert records.connection().execute(query).fetchone() == (0,), name


def test_an_unfinished_or_other_demo_is_not_overwritten(province: Home) -> None:
    """The same question is answered from what is there; another one is refused."""
    again = run_demo(province.path, clues=1_200, seed=3, stages=silent())
    assert again["scorer"]
    with pytest.raises(Exception, match="make clean"):
        run_demo(province.path, clues=1_300, seed=3, stages=silent())
