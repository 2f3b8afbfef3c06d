"""Figures as tables: every figure told or explained; documents filled between their marks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from base.errors import NotFound, Refused
from training.compared_table import fill_block
from training.figure_table import (
    DASH,
    Footnotes,
    figure_lines,
    flatten,
    ranks_shown,
    title_of,
)
from training.figure_table import (
    Tested as LabelledRows,
)
from training.metrics import evaluate_scores


def test_every_figure_of_the_metrics_has_a_title_in_both_languages() -> None:
    """No name of the code is shown to a reader."""
    draw = np.random.default_rng(1)
    label = (draw.random(200) < 0.3).astype(float)
    told = evaluate_scores(draw.random(200), label, draw.random(200), np.ones(200))
    for name in flatten(told):
        assert title_of(name).zh != name
    assert title_of("something_new").en == "something_new"


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 130), st.integers(0, 130), st.booleans())
def test_no_cell_is_a_nan_and_every_dash_says_why(rows: int, cases: int, said: bool) -> None:
    """Any number of rows and cases, with probabilities or without."""
    cases = min(rows, cases)
    label = np.array([1.0] * cases + [0.0] * (rows - cases))
    told = evaluate_scores(np.arange(float(rows)), label, np.full(rows, 0.4) if said else None)
    notes = Footnotes()
    lines = figure_lines({"scorer": told}, LabelledRows(rows, cases), notes)
    assert len(lines) == len(flatten(told))
    for line in lines:
        (cell,) = line.cells
        assert "nan" not in cell.text
        assert (cell.text == DASH) == (cell.note is not None)
        assert cell.note is None or 1 <= cell.note <= len(notes.reasons)


def test_counts_are_whole_and_intervals_stand_beside_their_figure() -> None:
    """84 labelled clues are not 84.000; an interval with an end missing is left out."""
    figures = {"scorer": {"auc": 0.71234, "labelled": {"all": 84.0}, "ece": 0.1}}
    spans = {"scorer": {"auc": (0.65, 0.77), "ece": (float("nan"), 0.2)}}
    auc, labelled, ece = figure_lines(figures, LabelledRows(84, 9), Footnotes(), spans)
    assert (auc.cells[0].text, auc.cells[0].interval) == ("0.712", "0.650 – 0.770")
    assert (labelled.cells[0].text, labelled.title.en) == ("84", "labelled clues")
    assert (ece.cells[0].text, ece.cells[0].interval) == ("0.100", "")


def test_rankings_without_a_figure_have_a_dash_with_its_reason() -> None:
    """A baseline that gives no probability; one reason has one number."""
    notes = Footnotes()
    figures = {"scorer": {"ece": 0.1, "brier": 0.2}, "severity": {"ece": None, "brier": None}}
    lines = figure_lines(figures, LabelledRows(50, 5), notes)
    assert [line.cells[1].text for line in lines] == [DASH, DASH]
    assert [line.cells[1].note for line in lines] == [1, 1]
    assert notes.reasons[0].en == "This order gives no probability."


@given(st.integers(0, 5_000))
def test_ranks_shown_are_places_of_the_queue(rows: int) -> None:
    """In order, each once, none beyond the last row."""
    ranks = ranks_shown(rows)
    assert ranks == sorted(set(ranks))
    assert all(0 < k <= rows for k in ranks)
    assert rows < 2 or ranks


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("no marks", NotFound, "write a line <!-- figures b -->"),
        ("<!-- figures b -->\n", Refused, "1 and 0"),
        ("<!-- end of figures b -->\n<!-- figures b -->\n", Refused, "leave one pair"),
        ("<!-- figures b -->\n<!-- end of figures b -->\n" * 2, Refused, "2 and 2"),
    ],
)
def test_a_document_whose_marks_are_no_pair_stays_as_it_is(
    tmp_path: Path, text: str, error: type[Exception], said: str
) -> None:
    """Refused with the cure; not one letter is changed."""
    document = tmp_path / "a.md"
    document.write_text(text, "utf-8")
    with pytest.raises(error, match=said):
        fill_block(document, "b", "figures")
    assert document.read_text("utf-8") == text
    with pytest.raises(NotFound, match=r"no file absent\.md"):
        fill_block(tmp_path / "absent.md", "b", "figures")
