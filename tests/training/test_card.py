"""The model card tells what the scorer is, in Markdown that shows text as it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_worlds import judged_splits, question

from base.bilingual import Bilingual
from training.card import SPECIAL, ModelCard, Section, Table, markdown
from training.report import write_report

texts = st.text(alphabet=st.sampled_from(list(SPECIAL + "ab 线\n\t")), min_size=1, max_size=12)


def unescaped(line: str) -> str:
    return re.sub(r"\\(.)", r"\1", line)


@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=4))
def test_no_text_breaks_out_of_its_cell(rows: list[tuple[str, str]]) -> None:
    """Whatever stands in a cell: as many lines, as many cells, and the same text again."""
    head = (Bilingual(zh="a", en="a"), Bilingual(zh="b", en="b"))
    section = Section(head[0], (), Table(head, tuple(rows)))
    lines = markdown(ModelCard(head[0], (section,))).rstrip("\n").split("\n")
    table = [line for line in lines if line.startswith("| ")]
    assert len(table) == 2 + len(rows)
    for line, row in zip(table[2:], rows, strict=True):
        cells = re.split(r"(?<!\\)(?:\\\\)*\|", line)
        assert len(cells) == 4
        assert [unescaped(cell).split() for cell in cells[1:3]] == [cell.split() for cell in row]


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ({"kind": "outcome", "horizon_days": 30}, "raised less than 30 days before the cut are"),
        (
            {"kind": "outcome", "horizon_days": 30, "survival": {"step_days": 10}},
            "teach the steps of 10 days",
        ),
        (
            {"kind": "outcome", "horizon_days": 30, "withdrawn": "unknown"},
            "withdrawn later is unknown",
        ),
        (
            {
                "kind": "records",
                "record_set": "inspections",
                "key": {"subject_id": "license"},
                "within": {"months": 6},
                "positive": "failed",
            },
            "Within 6 months after the clue a record of inspections has failed",
        ),
    ],
)
def test_the_card_tells_the_declared_label(
    label: dict[str, object], said: str, tmp_path: Path
) -> None:
    """What counts as a case is what the experiment declares."""
    experiment = question(label=label)
    judged = judged_splits(experiment, tested=120, unlabelled=20)
    page = write_report(tmp_path, "asked", experiment, "0" * 64, judged)
    card = unescaped((page.parent / "card.md").read_text("utf-8"))
    assert said in card
    assert said in page.read_text("utf-8")


def test_the_card_tells_scorer_data_and_limits(tmp_path: Path) -> None:
    """Digest, training set, both splits, counted clues, figures, fairness."""
    experiment = question()
    judged = judged_splits(experiment, tested=300, unlabelled=90)
    page = write_report(tmp_path, "asked", experiment, "5" * 64, judged)
    card = unescaped((page.parent / "card.md").read_text("utf-8"))
    trees = judged[-1].fitted.booster.num_trees()
    auc = (judged[0].figures["auc"] + judged[1].figures["auc"]) / 2
    for told in (
        "5" * 64,
        "d" * 64,
        f"{trees} trees over 6 features",
        "| 2022-01-01 – 2023-03-01 | 2023-04-01 – 2023-06-01 | 900 |",
        "Of the 300 clues of the last test 90 have no label (30%)",
        f"| AUC | {auc:.3f} |",
        "By function",
        "x0",
    ):
        assert told in card
