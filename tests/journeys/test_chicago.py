"""The real input: every file admitted, and reading 2 exactly the public peer's splits."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from base.moment import FixedClock
from base.progress import silent
from clues.raising import raise_until
from clues.register import read_clues
from governance.home import Home
from governance.intake import admit
from governance.jurisdiction import load_jurisdiction
from governance.reading import Records
from training.experiment import find_experiment
from training.label import label_clues
from training.metrics import evaluate_scores
from training.train import TrainResult, train

SPLITS = (1, 2, 3, 4)
TRIAGE_AUC = {"LR(C=0.01)": 0.620, "RF(1000,d10)": 0.616, "Rank:past_fails": 0.565}


@pytest.fixture(scope="module")
def chicago(chicago_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with every file admitted and all clues raised."""
    folder = tmp_path_factory.mktemp("chicago") / "home"
    home = Home.create(folder, load_jurisdiction("chicago"))
    clock = FixedClock(datetime(2026, 1, 2))
    for record_set in home.jurisdiction.contracts:
        path = chicago_data / f"{record_set}.parquet"
        receipt = admit(home, record_set, [path], clock)
        parts = receipt.admitted + receipt.quarantined + receipt.already_admitted
        assert receipt.rows == parts == len(pd.read_parquet(path))
        assert receipt.quarantined == 0
        assert receipt.quality
        assert all(rule.ok for rule in receipt.quality)
    raise_until(home, datetime(2014, 7, 1))
    return home


@pytest.fixture(scope="module")
def half_years(chicago: Home) -> TrainResult:
    """Reading 2 trained."""
    clock = FixedClock(datetime(2026, 1, 2))
    return train(chicago, "facility_fails_in_six_months", clock, silent())


def test_cohort_and_labels_are_those_of_the_split_files(chicago: Home, chicago_data: Path) -> None:
    """Every facility and as-of date of the peer's test files, with the same label."""
    folder = chicago.jurisdiction.folder / "experiments"
    _, experiment = find_experiment(folder, "facility_fails_in_six_months")
    clues = read_clues(chicago).filter(_model("facility_due"))
    with Records(chicago) as records:
        label = label_clues(experiment.label, clues, records, datetime(2014, 7, 1)).values
    ours = pd.DataFrame(
        {
            "entity_id": clues["subject_id"].to_numpy().astype(int),
            "as_of_date": clues["raised_at"].to_numpy(),
            "label_ours": label,
        }
    )
    for split in SPLITS:
        theirs = pd.read_parquet(chicago_data / "splits" / f"split{split}_test.parquet")
        theirs["as_of_date"] = pd.to_datetime(theirs["as_of_date"])
        theirs["entity_id"] = theirs["entity_id"].astype(int)
        same_day = ours[ours["as_of_date"].isin(theirs["as_of_date"].unique())]
        both = theirs.merge(same_day, on=["entity_id", "as_of_date"], how="outer", indicator=True)
        assert (both["_merge"] == "both").all()
        wanted, got = both["label"].astype(float), both["label_ours"]
        assert ((wanted == got) | (wanted.isna() & got.isna())).all()


def _model(name: str) -> object:
    import pyarrow.compute as pc

    return pc.field("supervision_model") == name


def test_our_figures_on_the_peers_scores_are_the_peers(chicago_data: Path) -> None:
    """The same rows and rules: AUC on labelled test rows as triage_quality.csv tells it."""
    quality = pd.read_csv(chicago_data / "triage_quality.csv")
    for split in SPLITS:
        scores = pd.read_parquet(
            chicago_data / "splits" / f"split{split}_triage_test_scores.parquet"
        ).dropna(subset=["label"])
        told = quality[quality["split"] == split].set_index("model")["auc_labelled"]
        for model, auc in told.items():
            rows = scores[scores["model"] == model]
            ours = evaluate_scores(rows["score"].to_numpy(float), rows["label"].to_numpy(float))
            assert ours["auc"] == pytest.approx(float(auc), abs=1e-3), model


@pytest.mark.slow
def test_reading_two_ranks_better_than_every_peer_by_auc(half_years: TrainResult) -> None:
    """Mean AUC over splits 2-4 on labelled test rows, above triage's best."""
    aucs = [judged.figures["auc"] for judged in half_years.judged[1:]]
    assert np.mean(aucs) > max(TRIAGE_AUC.values())
    counts = [judged.counts["test_clues"] for judged in half_years.judged]
    assert counts == [845, 3087, 2472, 4161]


@pytest.mark.slow
def test_reading_one_beats_past_cases(chicago: Home) -> None:
    """The last three months held out: better than ranking by past critical violations."""
    clock = FixedClock(datetime(2026, 1, 2))
    told = train(chicago, "inspection_finds_critical", clock, silent()).as_json()
    assert told["metrics"]["auc"] > told["baselines"]["past_cases"]["auc"] + 0.05
    assert told["metrics"]["ece"] < 0.1
