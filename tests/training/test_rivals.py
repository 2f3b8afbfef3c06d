"""Rivals: scores from a file land on the rows they belong to, or are refused by name."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from base.errors import NotFound, Refused
from training.experiment import Rival
from training.metrics import evaluate_scores
from training.rivals import present_rivals, rank_rivals, rival_ranking

CLUES = pa.table(
    {
        "clue_id": ["007", "8", "9", "10"],
        "subject_id": ["1", "2", "1", "3"],
        "raised_at": pa.array(
            [
                datetime(2024, 1, 1),
                datetime(2024, 1, 1),
                datetime(2024, 7, 1),
                datetime(2024, 7, 1),
            ],
            pa.timestamp("us"),
        ),
    }
)
LABEL = np.array([1.0, 0.0, np.nan, 0.0])
SCORES: dict[str, list[Any]] = {"clue_id": ["10", "8", "007", "x"], "score": [0.1, 0.2, 0.9, 0.5]}


def rival(file: str, **declared: str) -> Rival:
    return Rival.model_validate({"name": "vendor", "file": file, **declared})


def written(folder: Path, columns: dict[str, Any], name: str = "scores.parquet") -> Rival:
    """A rival with this file."""
    table = pa.table(columns)
    if name.endswith(".parquet"):
        pq.write_table(table, folder / name)
    else:
        pa_csv.write_csv(table, folder / name)
    return rival(name)


@pytest.mark.parametrize("name", ["scores.parquet", "scores.csv"])
def test_scores_are_aligned_by_clue(tmp_path: Path, name: str) -> None:
    """In any order, strangers ignored, 007 not taken for 7; who is not judged may lack one."""
    compared = rank_rivals([written(tmp_path, SCORES, name)], tmp_path, CLUES, LABEL, 1)
    score = compared.rankings["vendor"].score
    assert score[[0, 1, 3]].tolist() == [0.9, 0.2, 0.1]
    assert np.isnan(score[2])
    assert compared.rankings["vendor"].probability is None
    assert compared.notes == ("rival vendor has no score for 1 unlabelled clues",)


@pytest.mark.parametrize("name", ["scores.parquet", "scores.csv"])
@pytest.mark.parametrize(
    ("subject", "moment"), [("subject_id", "raised_at"), ("entity_id", "as_of_date")]
)
def test_scores_are_aligned_by_subject_and_moment(
    tmp_path: Path, name: str, subject: str, moment: str
) -> None:
    """A subject with two clues has two scores; numbers and days are read as names and moments."""
    days = [datetime(2024, 7, 1), datetime(2024, 1, 1), datetime(2024, 1, 1), datetime(2024, 7, 1)]
    columns = {
        subject: [1, 1, 2, 3],
        moment: pa.array(days, pa.timestamp("ns" if name.endswith("parquet") else "s")),
        "score": [0.4, 0.3, 0.2, 0.1],
    }
    ranking = rival_ranking(written(tmp_path, columns, name), tmp_path, CLUES, LABEL, 1)
    assert ranking.score.tolist() == [0.3, 0.2, 0.4, 0.1]


def test_a_long_file_is_read_by_model_and_split(tmp_path: Path) -> None:
    """`score` names a model; {split} in the file's name is the split's number."""
    columns = {
        "model": ["a", "a", "a", "b", "b", "b"],
        "clue_id": ["007", "8", "10"] * 2,
        "score": [3.0, 2.0, 1.0, 1.0, 2.0, 3.0],
    }
    pq.write_table(pa.table(columns), tmp_path / "of_2.parquet")
    asked = rival("of_{split}.parquet", score="b")
    score = rival_ranking(asked, tmp_path, CLUES, LABEL, 2).score
    assert score[[0, 1, 3]].tolist() == [1.0, 2.0, 3.0]
    with pytest.raises(NotFound, match=r"of_1\.parquet"):
        rival_ranking(asked, tmp_path, CLUES, LABEL, 1)
    with pytest.raises(Refused, match="use one of a, b"):
        rival_ranking(rival("of_2.parquet", score="none"), tmp_path, CLUES, LABEL, 2)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"clue_id": ["10", "8", "008", "x"]}, "none for 1 of them, such as 007"),
        ({"score": [0.1, 0.2, float("nan"), 0.5]}, "none for 1 of them, such as 007"),
        ({"score": [0.1, 0.2, None, 0.5]}, "none for 1 of them, such as 007"),
        ({"score": [0.1, 0.2, float("inf"), 0.5]}, "none for 1 of them, such as 007"),
        ({"clue_id": ["10", "8", "007", "8"]}, "1 clues scored twice, such as 8"),
        ({"score": ["high", "low", "high", "low"]}, "scores that are numbers"),
    ],
)
def test_a_score_that_is_missing_doubled_or_none_is_refused(
    tmp_path: Path, changed: dict[str, list[Any]], told: str
) -> None:
    """With the clues' names, so that they can be found in the file."""
    asked = written(tmp_path, {**SCORES, **changed})
    with pytest.raises(Refused, match=r"rivals\.vendor: wanted .*; got .*; cure: ") as refusal:
        rival_ranking(asked, tmp_path, CLUES, LABEL, 1)
    assert told in str(refusal.value)


@pytest.mark.parametrize(
    ("columns", "score", "told"),
    [
        ({"clue": ["8"], "score": [1.0]}, "score", "a column clue_id"),
        ({"clue_id": ["8"], "points": [1.0]}, "score", "use one of points"),
        ({"subject_id": [1.5], "raised_at": ["2024-01-01"], "score": [1.0]}, "score", "whole"),
        ({"subject_id": [1], "raised_at": ["soon"], "score": [1.0]}, "score", "ISO 8601"),
    ],
)
def test_a_file_that_names_no_clue_or_score_is_refused(
    tmp_path: Path, columns: dict[str, Any], score: str, told: str
) -> None:
    """What is there is told, with the nearest cure."""
    written(tmp_path, columns)
    with pytest.raises(Refused, match="cure: ") as refusal:
        rival_ranking(rival("scores.parquet", score=score), tmp_path, CLUES, LABEL, 1)
    assert told in str(refusal.value)


@pytest.mark.parametrize("name", ["scores.parquet", "scores.csv"])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, name: str) -> None:
    """Bytes that are no table."""
    (tmp_path / name).write_bytes(b'clue_id,score\n1,2,3\n"' + bytes(range(256)))
    with pytest.raises(Refused, match="cannot be read"):
        rival_ranking(rival(name), tmp_path, CLUES, LABEL, 1)


def test_all_faults_of_all_rivals_are_told_together(tmp_path: Path) -> None:
    """Two faults in one refusal."""
    good = written(tmp_path, SCORES)
    absent = Rival(name="absent", file="no.parquet")
    worse = Rival(name="worse", file="scores.parquet", score="points")
    with pytest.raises(Refused) as refusal:
        rank_rivals([good, absent, worse], tmp_path, CLUES, LABEL, 1)
    assert [fault.where for fault in refusal.value.faults] == ["rivals.absent", "rivals.worse"]


def test_a_rival_without_a_file_for_every_split_is_left_out_or_refused(tmp_path: Path) -> None:
    """Optional ones with a note that names the file; each absent file of the others at once."""
    written(tmp_path, SCORES, "ours_1.parquet")
    written(tmp_path, SCORES, "ours_2.parquet")
    whole = Rival(name="whole", file="ours_{split}.parquet")
    some = Rival(name="some", file="ours_{split}.parquet", optional=True)
    present, notes = present_rivals([whole, some], tmp_path, 2)
    assert (present, notes) == ((whole, some), ())
    present, notes = present_rivals([some], tmp_path, 3)
    assert present == ()
    assert "rival some is not compared: no file ours_3.parquet" in notes[0]
    with pytest.raises(NotFound) as refusal:
        present_rivals([whole, some], tmp_path, 4)
    got = [(fault.where, fault.got) for fault in refusal.value.faults]
    assert got == [("rivals.whole", f"no file ours_{at}.parquet") for at in (3, 4)]


@pytest.mark.parametrize("split", [1, 2, 3, 4])
def test_the_public_peers_scores_give_its_published_auc(chicago_data: Path, split: int) -> None:
    """Aligned to its own test rows, triage's scores give the AUC of its quality table."""
    test = pq.read_table(chicago_data / "splits" / f"split{split}_test.parquet")
    ids = [str(each) for each in test["entity_id"].to_pylist()]
    clues = pa.table(
        {"clue_id": ids, "subject_id": ids, "raised_at": test["as_of_date"].cast("timestamp[us]")}
    )
    label = test["label"].to_numpy().astype(np.float64)
    quality = pa_csv.read_csv(chicago_data / "triage_quality.csv").to_pylist()
    published = {row["model"]: row["auc_labelled"] for row in quality if row["split"] == split}
    known = ~np.isnan(label)
    file = "split{split}_triage_test_scores.parquet"
    for model in ("LR(C=0.01)", "RF(1000,d10)", "LightGBM(300)"):
        asked = Rival(name="peer", file=file, score=model)
        score = rival_ranking(asked, chicago_data / "splits", clues, label, split).score
        auc = evaluate_scores(score[known], label[known])["auc"]
        assert auc == pytest.approx(published[model], abs=6e-5)
