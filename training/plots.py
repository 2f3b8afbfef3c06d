"""Plots of a test: gain, precision at k, calibration, learning curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from base.bilingual import Bilingual
from training.drawing import COLOURS, INK, Axis, Chart, share_axis
from training.learning_curve import CurvePoint
from training.metrics import calibration_bins

Floats = npt.NDArray[np.float64]
NORMAL_95 = 1.959964
QUEUE = "队列的前一部分 first share of the queue"
# Precision of the first few rows is noise.
FIRST_ROWS_DRAWN = 10
RANKINGS = {
    "scorer": Bilingual(zh="评分器", en="scorer"),
    "base_rate": Bilingual(zh="总体成案率", en="base rate"),
    "past_cases": Bilingual(zh="以往成案", en="past cases"),
    "severity": Bilingual(zh="严重程度", en="severity"),
    "first_come": Bilingual(zh="先到先办", en="first come, first served"),
    "logistic_regression": Bilingual(zh="逻辑回归", en="logistic regression"),
    "random_forest": Bilingual(zh="随机森林", en="random forest"),
}


def ranking_title(name: str) -> Bilingual:
    """The title of a ranking; a rival, which has none, keeps its name."""
    return RANKINGS.get(name, Bilingual(zh=name, en=name))


def legend_of(name: str) -> str:
    """A ranking's title in one line."""
    return in_one_line(ranking_title(name))


def in_one_line(title: Bilingual) -> str:
    """Both languages, once where they say the same."""
    return title.en if title.zh == title.en else f"{title.zh} {title.en}"


def gain_plot(scores: Mapping[str, Floats], label: Floats) -> str:
    """SVG: share of all cases (up) found in the first share of the queue (across)."""
    title = Bilingual(zh="找到的案件份额", en="cases found")
    chart = Chart(title, share_axis(QUEUE), share_axis("找到的案件 cases found"))
    for (name, score), colour in zip(scores.items(), _colours(len(scores)), strict=True):
        chart.line(*gain_curve(score, label), colour, legend_of(name))
    best = gain_curve(label, label)
    chart.line(*best, INK, "完美排序 perfect order", dashed=True)
    return chart.svg()


def gain_curve(score: Floats, label: Floats) -> tuple[Floats, Floats]:
    """Points of the gain curve; tied rows are one straight step, their expectation."""
    order = np.argsort(-score, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(score[order])), len(order) - 1)
    up = np.cumsum(label[order])[ends] / max(1.0, label.sum())
    return np.append(0.0, (ends + 1) / len(order)), np.append(0.0, up)


def hits_by_rank(score: Floats, label: Floats) -> Floats:
    """Expected cases among the first 1, 2, ... n rows, tied rows in random order; (n,)."""
    across, up = gain_curve(score, label)
    places = np.arange(1, len(score) + 1) / len(score)
    return np.asarray(np.interp(places, across, up) * label.sum(), np.float64)


def precision_plot(scores: Mapping[str, Floats], label: Floats) -> str:
    """SVG: share of cases (up) among the first k labelled rows (across)."""
    title = Bilingual(zh="前 k 条的查准率", en="precision at k")
    ranks = np.arange(1, len(label) + 1)
    drawn = ranks >= min(FIRST_ROWS_DRAWN, len(label))
    curves = {name: hits_by_rank(score, label) / ranks for name, score in scores.items()}
    top = max(float(curve[drawn].max()) for curve in curves.values())
    up = share_axis("其中成案 of them cases", max(top, 0.05))
    chart = Chart(title, share_axis(QUEUE), up)
    for (name, curve), colour in zip(curves.items(), _colours(len(scores)), strict=True):
        chart.line((ranks / len(label))[drawn], curve[drawn], colour, legend_of(name))
    return chart.svg()


def calibration_plot(probability: Floats, label: Floats) -> str:
    """SVG: share of cases (up) at each mean probability (across), bins of equal size, 95 %."""
    bins = calibration_bins(probability, label)
    spans = [wilson(came, rows) for _, came, rows in bins]
    top = max([said for said, _, _ in bins] + [high for _, high in spans])
    across = share_axis("给出的概率 probability said", max(top, 0.05))
    up = share_axis("实际成案 became cases", max(top, 0.05))
    chart = Chart(Bilingual(zh="校准", en="calibration"), across, up)
    ends = np.array([0.0, across.high])
    chart.line(ends, ends, INK, "完美 perfect", dashed=True)
    for (said, came, rows), (low, upper) in zip(bins, spans, strict=True):
        chart.span(said, low, upper, COLOURS[0])
        chart.dot(said, came, COLOURS[0], f"{said:.3f} → {came:.3f} ({rows})")
    return chart.svg()


def wilson(share: float, rows: int) -> tuple[float, float]:
    """95 % interval of a share of `rows` (Wilson, 1927), which stays within 0 and 1."""
    square = NORMAL_95**2
    middle = (share + square / (2 * rows)) / (1 + square / rows)
    half = NORMAL_95 / (1 + square / rows)
    half *= float(np.sqrt(share * (1 - share) / rows + square / (4 * rows**2)))
    return max(0.0, middle - half), min(1.0, middle + half)


def learning_plot(points: Sequence[CurvePoint], figures: Mapping[str, Bilingual]) -> str | None:
    """SVG: figures (up) by training rows (across); None where no point has any of them."""
    lines: dict[str, list[tuple[float, float]]] = {}
    for point in points:
        for name in figures:
            value = (point.figures or {}).get(name)
            if value is not None:
                lines.setdefault(name, []).append((float(point.rows), float(value)))
    if not lines:
        return None
    most = max(x for line in lines.values() for x, _ in line)
    ticks = tuple((float(point.rows), f"{point.rows:,}") for point in points)
    chart = Chart(
        Bilingual(zh="学习曲线", en="learning curve"),
        Axis(0.0, most, "用于训练的线索 clues that teach", ticks),
        share_axis(""),
    )
    for (name, line), colour in zip(lines.items(), _colours(len(lines)), strict=True):
        across, up = np.array(line, np.float64).T
        chart.line(across, up, colour, in_one_line(figures[name]))
        for x, y in line:
            chart.dot(x, y, colour, f"{x:,.0f}: {y:.3f}", 3)
    return chart.svg()


def _colours(count: int) -> list[str]:
    """As many colours as asked, again from the first where there are more lines than colours."""
    return [COLOURS[i % len(COLOURS)] for i in range(count)]
