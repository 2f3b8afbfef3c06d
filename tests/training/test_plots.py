"""Pictures show the figures they stand for."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from base.bilingual import Bilingual
from training.drawing import Axis, Chart, dots, share_axis, text
from training.experiment import Split
from training.learning_curve import CurvePoint
from training.metrics import hits_in_top
from training.plots import calibration_plot, gain_curve, hits_by_rank, learning_plot, wilson
from training.timeline import LEFT, RIGHT, WIDTH, timeline

ranked = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 1)), min_size=1, max_size=40)


@given(ranked)
def test_every_point_of_the_curves_is_the_figure(rows: list[tuple[int, int]]) -> None:
    """Cases by rank are hits_in_top at every k, ties by expectation; the gain ends at all cases."""
    score, label = np.array(rows, float).T
    drawn = hits_by_rank(score, label)
    told = [hits_in_top(score, label, k) for k in range(1, len(rows) + 1)]
    assert drawn == pytest.approx(told)
    across, up = gain_curve(score, label)
    assert (across[0], up[0], across[-1]) == (0, 0, 1)
    assert up[-1] == (1.0 if label.sum() else 0.0)
    assert (np.diff(up) >= 0).all()


@given(st.integers(1, 500), st.data())
def test_wilson_holds_the_share_and_stays_within(rows: int, data: st.DataObject) -> None:
    """And its ends solve |p - share| = z * sqrt(p (1 - p) / n), which defines it."""
    share = data.draw(st.integers(0, rows)) / rows
    low, high = wilson(share, rows)
    assert 0 <= low <= share + 1e-12
    assert share - 1e-12 <= high <= 1
    for end in (low, high):
        if 1e-9 < end < 1 - 1e-9:
            reach = 1.959964 * np.sqrt(end * (1 - end) / rows)
            assert abs(end - share) == pytest.approx(reach, abs=1e-6)


@given(st.floats(0.0005, 1.0))
def test_a_share_axis_holds_what_is_drawn(high: float) -> None:
    """At least as high as asked, never more than one step above, ticks from 0 to the top."""
    axis = share_axis("", high)
    step = axis.ticks[1][0]
    assert axis.high >= high - 1e-9
    assert axis.high < high + step + 1e-9
    assert (axis.ticks[0][0], axis.ticks[-1][0]) == (0.0, pytest.approx(axis.high))


def test_calibration_draws_a_dot_per_bin() -> None:
    """Ten bins, ten dots with their counts, ten intervals."""
    draw = np.random.default_rng(1)
    said = draw.random(500)
    drawn = calibration_plot(said, (draw.random(500) < said) * 1.0)
    assert drawn.count("<circle") == 10
    assert drawn.count("(50)") == 10
    assert "nan" not in drawn


def test_splits_are_drawn_to_one_scale_of_time() -> None:
    """Widths of the bars are proportional to their days; a gap of no days is not drawn."""
    start = datetime(2022, 1, 1)
    days = ((300, 60, 90), (400, 0, 50))
    splits = [
        Split(
            train_from=start,
            train_until=start + timedelta(days=teach),
            test_from=start + timedelta(days=teach + gap),
            test_until=start + timedelta(days=teach + gap + test),
        )
        for teach, gap, test in days
    ]
    drawn = timeline(splits)
    found = re.findall(r'width="([\d.]+)" height="24" fill="[^"]+"><title>[^<]*\((\d+)\)', drawn)
    assert [int(told) for _, told in found] == [300, 60, 90, 400, 50]
    scale = (WIDTH - LEFT - RIGHT) / 450
    for width, told in found:
        assert float(width) == pytest.approx(int(told) * scale, abs=0.11)


def test_a_learning_curve_without_figures_is_not_drawn() -> None:
    """Points without figures leave a gap; none at all, no picture."""
    titles = {"auc": Bilingual(zh="AUC", en="AUC")}
    bare = CurvePoint(0.1, 10, 0, None, "one class")
    assert learning_plot([bare], titles) is None
    drawn = learning_plot([bare, CurvePoint(0.5, 50, 9, {"auc": 0.7})], titles)
    assert drawn is not None
    assert drawn.count("<circle") == 1


def test_text_is_text_and_points_stay_in_the_frame() -> None:
    """Markup is escaped, Chinese stays text; what lies outside is drawn at the edge."""
    assert "<b>" not in text(0, 0, "<b>线索")
    assert "线索" in text(0, 0, "<b>线索")
    chart = Chart(Bilingual(zh="图", en="<i>"), Axis(0, 1), Axis(0, 1))
    assert chart.place(9.0, -9.0) == chart.place(1.0, 0.0)
    assert "<i>" not in chart.svg()
    assert dots([], "#000", 1) == ""
