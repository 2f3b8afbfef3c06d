"""The report stands alone, tells what is absent, and never shows a number that is none."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pyarrow as pa
import pytest
from report_worlds import HOSTILE, judged_splits, question, with_labels
from scipy.stats import spearmanr

from base.errors import Refused
from scoring.bundle import GoldenRow, Manifest, ScoredFeature, write_bundle
from scoring.matrix import to_matrix
from scoring.scorer import Scorer
from training.capacity import found_at_capacity
from training.contributions import contributions
from training.evaluate import Judged
from training.fit import margins
from training.inputs_told import counts_in_words
from training.label import Labels
from training.learning_curve import CurvePoint
from training.report import Findings, write_report
from training.since_champion import NO_CHAMPION, load_champion, since_champion

DIGEST = "0" * 64
LOADING = {"src", "href", "xlink:href", "data", "action", "srcset", "poster", "background"}


class Page(HTMLParser):
    """What a browser would load, the tags, the text, and which tags were never closed."""

    VOID = frozenset({"meta", "br", "rect", "circle", "line", "polyline", "path", "img", "link"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.tags: list[str] = []
        self.ids: set[str] = set()
        self.cells: list[str] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(html)
        self.text = " ".join(self.words)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "td":
            self.cells.append("")
        for name, value in attrs:
            assert not name.startswith("on"), f"{tag} {name}"
            if name == "id":
                self.ids.add(value or "")
            if name in LOADING:
                self.loaded.append(value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data.strip())
        if "td" in self.open:
            self.cells[-1] += data


@pytest.fixture(scope="module")
def judged() -> tuple[Judged, ...]:
    return judged_splits(question())


def told(folder: Path, judged: tuple[Judged, ...], **given: object) -> str:
    path = write_report(folder, "asked", question(), DIGEST, judged, **given)  # type: ignore[arg-type]
    return path.read_text("utf-8")


def test_nothing_is_loaded_from_anywhere(judged: tuple[Judged, ...], tmp_path: Path) -> None:
    """Only anchors of the page itself; no script, no style sheet, no url() in the style."""
    html = told(tmp_path, judged)
    page = Page(html)
    assert page.open == []
    assert page.loaded
    assert all(link.startswith("#") for link in page.loaded)
    assert {link[1:] for link in page.loaded} <= page.ids
    assert not {"script", "link", "img", "iframe", "object", "embed", "base"} & set(page.tags)
    style = html[html.index("<style>") : html.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style


def test_what_is_put_in_is_escaped(judged: tuple[Judged, ...], tmp_path: Path) -> None:
    """An office with markup for a name is shown as text, in the page and in the card."""
    html = told(tmp_path, judged)
    assert HOSTILE not in html
    assert HOSTILE.split("|")[0] in Page(html).text


def test_what_is_absent_is_said(judged: tuple[Judged, ...], tmp_path: Path) -> None:
    """Every section stands, with a sentence where nothing was found out."""
    text = Page(told(tmp_path, judged[-1:])).text
    for sentence in (
        "Intervals were not computed.",
        "Not weighted:",
        "No office capacity is declared",
        "there are no consecutive scorers",
        "The experiment declares no learning curve.",
        "There is no champion yet.",
    ):
        assert sentence in text


def test_what_was_found_out_is_told(judged: tuple[Judged, ...], tmp_path: Path) -> None:
    """Intervals, weighted figures, capacity and the learning curve reach the page as given."""
    last = judged[-1]
    label = np.asarray(last.scores["label"].to_numpy(), np.float64)
    score = np.asarray(last.scores["score_scorer"].to_numpy(), np.float64)
    clues = last.scores.append_column(
        "raised_at", [np.full(len(label), np.datetime64("2023-05-02", "us"))]
    )
    places = {"AH01": 9, "AH02": 9, HOSTILE: 9}
    capacity = found_at_capacity({"scorer": score}, label, clues, places)
    found = Findings(
        intervals={"scorer": {"auc": (0.1234, 0.9876)}},
        weighted={"scorer": {"auc": 0.4321, "effective_sample_size": 77.0}},
        capacity=capacity,
        learning_curve=(
            CurvePoint(0.25, 225, 30, {"auc": 0.6789, "cases_found": {"20": 0.5}}),
            CurvePoint(0.01, 9, 0, None, "one class only"),
        ),
    )
    html = told(tmp_path, judged, findings=[Findings(), found])
    cells = " ".join(Page(html).cells)
    best = capacity[0].best
    assert best is not None
    for figure in ("0.123 – 0.988", "0.432", "77", f"{best:.1%}", "0.679"):
        assert figure in cells
    assert "one class only" in Page(html).text


def test_the_figures_are_those_of_the_splits(judged: tuple[Judged, ...], tmp_path: Path) -> None:
    """The overview has the mean over splits, each split its own."""
    cells = Page(told(tmp_path, judged)).cells
    own = [each.figures["auc"] for each in judged]
    assert own[0] != pytest.approx(own[1], abs=0.0005)
    for auc in (*own, sum(own) / 2):
        assert f"{auc:.3f}" in cells


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_one_class_only_gives_dashes_and_reasons(
    judged: tuple[Judged, ...], tmp_path: Path, value: float
) -> None:
    """Neither NaN nor inf in any cell or picture where every test clue ended alike."""
    label = np.asarray(judged[-1].scores["label"].to_numpy(), np.float64)
    alike = with_labels(judged[-1], np.where(np.isnan(label), np.nan, value))
    html = told(tmp_path, (judged[0], alike))
    page = Page(html)
    assert not [cell for cell in page.cells if re.search(r"\b(nan|inf|None)\b", cell, re.I)]
    assert not re.search(r'="[^"]*\b(nan|inf)\b', html)
    assert any(cell.strip().startswith("–") for cell in page.cells)
    why = "No test clue became a case." if value == 0 else "Every test clue became a case."
    assert why in page.text


def test_a_split_without_a_label_is_refused(judged: tuple[Judged, ...], tmp_path: Path) -> None:
    """It says which test, and writes nothing."""
    nothing = np.full(judged[0].scores.num_rows, np.nan)
    column = judged[0].scores.column_names.index("label")
    bare = replace(judged[0], scores=judged[0].scores.set_column(column, "label", [nothing]))
    bare = replace(bare, scores=with_labels(bare, nothing).scores)
    with pytest.raises(Refused, match="2023-04-01"):
        told(tmp_path, (bare, judged[1]))
    assert list(tmp_path.iterdir()) == []


def test_a_report_is_the_same_whenever_it_is_written(
    judged: tuple[Judged, ...], tmp_path: Path
) -> None:
    """Drawn rows, jitter and shuffles come from seeds; no clock is asked."""
    assert told(tmp_path / "one", judged) == told(tmp_path / "two", judged)


def test_what_changed_since_the_champion(judged: tuple[Judged, ...], tmp_path: Path) -> None:
    """The first split's scorer serves, without x5 and knowing a feature that is gone."""
    before, now = judged
    names = ("x0", "x1", "x2", "x3", "x4", "gone")
    known = tuple(
        feature.model_copy(update={"name": name})
        for feature, name in zip(before.features, names, strict=True)
    )
    champion = _scorer(before, known, tmp_path / "scorers")
    moves = contributions(now.fitted.booster, now.features, now.test_rows, 7)
    since = since_champion(champion, now, DIGEST, moves, 7)
    assert (since.same, since.new, since.removed) == (False, ("x5",), ("gone",))
    rows = now.test_rows.append_column("gone", pa.nulls(now.test_rows.num_rows, pa.float64()))
    theirs = champion.booster.predict(to_matrix(known, rows), raw_score=True)
    ours = now.scores["score_scorer"].to_numpy()
    assert since.correlation == pytest.approx(spearmanr(ours, theirs).statistic)
    said = [words.en for words in since.cautions]
    assert any("this run lacks" in words and "gone" in words for words in said)
    assert any("learned up to 2024-01-01" in words for words in said)
    page = Page(told(tmp_path, judged, champion=champion))
    assert champion.digest in page.text
    assert "flattered" in page.text


def test_without_a_champion_there_are_words_instead(tmp_path: Path) -> None:
    """A first report is written, too."""
    assert load_champion(tmp_path) == NO_CHAMPION


def _scorer(judged: Judged, features: tuple[ScoredFeature, ...], scorers: Path) -> Scorer:
    table = judged.test_rows.rename_columns([feature.name for feature in features]).slice(0, 1)
    margin = margins(judged.fitted.booster, to_matrix(features, table))
    values = tuple(table[feature.name][0].as_py() for feature in features)
    manifest = Manifest(
        jurisdiction="anhui",
        experiment="asked",
        label={},
        features=features,
        features_fingerprint="f",
        training_set="d",
        versions={},
        trained_until="2024-01-01T00:00:00",
        trees=judged.fitted.booster.num_trees(),
        lightgbm=lgb.__version__,
        golden=(GoldenRow(values=values, margin=float(margin[0])),),
    )
    digest = write_bundle(scorers, judged.fitted.booster, manifest, judged.fitted.calibrator)
    return Scorer.load(scorers / digest, digest)


def test_no_subject_is_named(judged: tuple[Judged, ...], tmp_path: Path) -> None:
    """Groups and features only: no clue, no subject."""
    html = told(tmp_path, judged)
    card = next(tmp_path.glob("*/card.md")).read_text("utf-8")
    for whose in ("subject-1-", "subject-2-", "c1-0", "c2-0"):
        assert whose not in html
        assert whose not in card


def test_every_count_of_a_label_has_words_in_both_languages() -> None:
    """A status that decides nothing is told by its name; no machine's word stands in a report."""
    undecided = dict.fromkeys(("returned", "withdrawn", "merged", "case_withdrawn"), 1)
    one = np.ones(1)
    counts = Labels(one, 1, 1, weight=one, standing=one > 0, undecided=undecided).counts
    told = counts_in_words({f"train_{name}": count for name, count in counts.items()})
    for words, _ in told[1:]:
        assert "train_" not in words.zh + words.en
        assert "train " not in words.en
