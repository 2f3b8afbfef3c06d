"""Two scorers beside each other: the rows they are judged on, and what cannot be judged."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import hamlet
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hamlet_scorer import write_hamlet_bundle

from base.errors import Refused
from base.moment import FixedClock
from clues.register import read_clues
from features.declared import declared_features
from features.table import build_features
from governance.home import Home
from governance.reading import Records
from scoring.bundle import Manifest, read_manifest
from scoring.champion import write_champion
from scoring.scorer import Scorer
from training.metrics import evaluate_scores, hits_in_top
from training.promotion_rule import PromotionRule
from training.side_by_side import (
    JudgedRows,
    Marks,
    gaps_beyond_chance,
    paired_intervals,
    weigh,
)

NOON = datetime(2026, 1, 2, 12)
PERSONS = 40


class Pair:
    """A hamlet with a champion, a challenger and the challenger's kept test rows."""

    def __init__(self, folder: Path) -> None:
        self.home: Home = hamlet.settled_hamlet(folder, FixedClock(NOON), PERSONS)
        self.champion, self.challenger = (write_hamlet_bundle(self.home, s) for s in (1, 2))
        write_champion(self.home.scorers, self.champion, by="Li", approved_by="Wang", at=NOON)
        self.clues = read_clues(self.home)
        self.ids: list[str] = self.clues["clue_id"].to_pylist()
        self.label = (np.arange(len(self.ids)) % 3 == 0).astype(float)
        self.label[4] = np.nan
        self.keep_scores(self.challenger, self.ids)

    def keep_scores(self, digest: str, ids: list[str], **columns: Any) -> Path:
        """What training keeps: a first split that must not be judged, then the last."""
        folder = self.home.reports / f"drawn-{digest[:12]}"
        folder.mkdir(parents=True, exist_ok=True)
        by_id = dict(zip(self.ids, self.label.tolist(), strict=True))
        rows = {
            "split": [1] * len(ids) + [2] * len(ids),
            "clue_id": ids * 2,
            "label": pa.array([1.0] * len(ids) + [by_id[i] for i in ids], from_pandas=True),
            **{name: list(values) * 2 for name, values in columns.items()},
        }
        pq.write_table(pa.table(rows), folder / "test_scores.parquet")
        return folder / "test_scores.parquet"

    def learned(self, ids: list[str]) -> Path:
        """The training set that both manifests name."""
        path = self.home.training_sets / f"{'0' * 64}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({"clue_id": pa.array(ids, pa.string())}), path)
        return path

    def marks(self, digest: str) -> Marks:
        with Records(self.home) as records:
            table = build_features(declared_features(self.home), self.clues, records, threads=1)
        scores = Scorer.load(self.home.scorers / digest, digest, 1).score(table)
        return Marks(scores.margin, scores.probability)

    def figures(self, digest: str, rows: np.ndarray) -> dict[str, Any]:
        """By one scorer alone, on chosen labelled rows."""
        marks, chosen = self.marks(digest), rows & ~np.isnan(self.label)
        return evaluate_scores(marks.margin[chosen], self.label[chosen], marks.probability[chosen])


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path)


def test_both_are_judged_on_the_last_split_alone(pair: Pair) -> None:
    """Figures of both, and the paired difference, are those of each scorer by itself."""
    pair.learned([])
    weighed = weigh(pair.home, pair.challenger)
    everyone = np.ones(PERSONS, bool)
    assert weighed.champion == pair.champion
    assert weighed.figures["challenger"] == pair.figures(pair.challenger, everyone)
    assert weighed.figures["champion"] == pair.figures(pair.champion, everyone)
    counted = weighed.figures["rows"]
    assert (counted["clues"], counted["labelled"], counted["left_out"]) == (40, 39, 0)
    assert counted["cases"] == np.nansum(pair.label) == 14
    known = ~np.isnan(pair.label)
    found = [
        hits_in_top(pair.marks(each).margin[known], pair.label[known], 8) / 14
        for each in (pair.challenger, pair.champion)
    ]
    assert weighed.paired["cases_found"].difference == pytest.approx(found[0] - found[1])
    json.dumps(weighed.as_json(), allow_nan=False)


def test_rows_the_champion_has_learned_from_are_left_out(pair: Pair) -> None:
    """Both are judged on the others, and the proposal says how many were left out."""
    pair.learned([*pair.ids[:10], "somebody else"])
    weighed = weigh(pair.home, pair.challenger)
    others = np.arange(PERSONS) >= 10
    assert weighed.figures["rows"]["left_out"] == 10
    assert weighed.figures["champion"] == pair.figures(pair.champion, others)
    assert weighed.figures["challenger"] == pair.figures(pair.challenger, others)


def test_a_champion_that_has_learned_them_all_leaves_nothing_to_judge(pair: Pair) -> None:
    """An unlabelled row left is no row to judge by."""
    pair.learned([each for at, each in enumerate(pair.ids) if at != 4])
    weighed = weigh(pair.home, pair.challenger)
    assert [reason.rule for reason in weighed.verdict.failed] == ["tested"]
    assert "later clues" in weighed.verdict.failed[0].got.en
    assert weighed.figures == {}


@pytest.mark.parametrize(("until", "judged"), [("2024-07-01", True), ("2024-07-02", False)])
def test_without_its_training_set_the_day_it_was_trained_decides(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, until: str, judged: bool
) -> None:
    """Clues raised before that day might have taught it."""

    def trained(folder: Path) -> Manifest:
        return read_manifest(folder).model_copy(update={"trained_until": f"{until}T00:00:00"})

    monkeypatch.setattr("training.side_by_side.read_manifest", trained)
    weighed = weigh(pair.home, pair.challenger)
    assert bool(weighed.figures) is judged


def test_the_first_champion_is_judged_on_every_row(pair: Pair) -> None:
    """Nobody beside it: nothing is left out, nothing is paired."""
    pair.learned(pair.ids)
    (pair.home.scorers / "champion.json").unlink()
    weighed = weigh(pair.home, pair.challenger)
    assert weighed.champion is None
    assert weighed.figures["rows"]["left_out"] == 0
    assert (weighed.paired, "champion" in weighed.figures) == ({}, False)


def test_a_champion_of_other_features_is_taken_at_its_word(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If it was tested on these very rows; else there is nothing to compare with."""
    pair.learned([])
    load = Scorer.load

    def other(folder: Path, digest: str, *rest: int) -> Scorer:
        scorer = load(folder, digest, *rest)
        if digest == pair.champion:
            object.__setattr__(
                scorer,
                "manifest",
                scorer.manifest.model_copy(update={"features_fingerprint": "e" * 64}),
            )
        return scorer

    monkeypatch.setattr("training.side_by_side.Scorer.load", other)
    untested = weigh(pair.home, pair.challenger)
    assert [reason.rule for reason in untested.verdict.failed] == ["tested"]
    said = [float(at) for at in range(PERSONS)]
    pair.keep_scores(pair.champion, pair.ids, score_scorer=said, probability=[0.3] * PERSONS)
    known = ~np.isnan(pair.label)
    weighed = weigh(pair.home, pair.challenger)
    wanted = evaluate_scores(
        np.array(said)[known], pair.label[known], np.full(int(known.sum()), 0.3)
    )
    assert weighed.figures["champion"] == wanted


@pytest.mark.parametrize("gone", ["rows", "a clue"])
def test_rows_that_are_gone_judge_nobody(pair: Pair, gone: str) -> None:
    """The kept scores, or a clue of theirs that the register does not know."""
    path = pair.keep_scores(pair.challenger, pair.ids)
    if gone == "rows":
        path.unlink()
    else:
        pair.ids = [*pair.ids[:-1], "no such clue"]
        pair.keep_scores(pair.challenger, pair.ids)
    weighed = weigh(pair.home, pair.challenger)
    assert not weighed.verdict.passed
    assert weighed.verdict.failed[0].got.en == "its test rows were not kept here"


def test_a_column_that_no_clue_has_is_refused(pair: Pair) -> None:
    """With the nearest one that there is."""
    rows = JudgedRows(pair.clues, pair.label)
    marks = Marks(np.arange(40.0), np.full(40, 0.3))
    with pytest.raises(Refused, match="write 'agency_id'"):
        gaps_beyond_chance(PromotionRule(), marks, rows, ("agencyid",))


def test_an_order_turned_round_loses_what_the_other_found(pair: Pair) -> None:
    """Against the oracle's order: surely worse, by the whole of it."""
    rows = JudgedRows(pair.clues, pair.label)
    truth = np.nan_to_num(pair.label) + np.linspace(0, 0.5, PERSONS)
    best, worst = Marks(truth, truth), Marks(-truth, truth)
    interval = paired_intervals(PromotionRule(), worst, best, rows)["cases_found"]
    assert interval.difference == pytest.approx(-8 / 14)
    assert interval.high < 0
    tail = paired_intervals(PromotionRule(), worst, best, rows)["tail_recall_loss"]
    assert tail.difference == 1.0
