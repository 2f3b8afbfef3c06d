"""Plots of contributions: a summary of the features that move most, and dependence of one each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from base.bilingual import Bilingual
from scoring.bundle import ScoredFeature
from training.contributions import Contributions, strongest_partner
from training.drawing import GREY, PALE, Axis, Chart, dots, picture, text

Floats = npt.NDArray[np.float64]
# A category has neither low nor high.
CATEGORY = "#3c8d40"
# From low to high, apart for readers who do not tell red from green.
LOW_TO_HIGH = ("#1f4e9c", "#5b7fc0", "#a58bb0", "#cf7a6a", "#c2361a")
ROWS_SHOWN, NAME_LENGTH = 15, 40
WIDTH, NAMES, ROW, ABOVE, BELOW = 860, 280, 24, 26, 44
BINS, STACKED = 90, 9
CATEGORIES_SHOWN = 8
# A column of this many times its median at the 99th percentile is drawn on a log scale.
SKEWED = 40
UNITS = {"cents": "元 yuan", "days": "天 days", "share": "", "number": "", "date": "", "text": ""}


def summary_plot(told: Contributions) -> str | None:
    """SVG, beeswarm: per feature a dot for each row, right where it raises the score, coloured
    from low to high values (grey: missing); the bar behind is the mean size. None without any.
    """
    shown = told.order[:ROWS_SHOWN]
    if not shown:
        return None
    reach = float(np.quantile(np.abs(told.values[:, shown]), 0.999)) or 1.0
    height = ABOVE + ROW * len(shown) + BELOW
    inside = [_scale(reach, height)]
    size = told.size
    for row, at in enumerate(shown):
        middle = ABOVE + ROW * row + ROW / 2
        name = told.features[at].name
        short = name if len(name) <= NAME_LENGTH else name[: NAME_LENGTH - 1] + "…"
        inside.append(text(NAMES - 8, middle + 4, short, size=11, anchor="end"))
        bar = float(size[at]) / reach * (WIDTH - NAMES - 20) / 2
        inside.append(
            f'<rect x="{_across(0, reach):.1f}" y="{middle - 8:.1f}" width="{bar:.1f}"'
            f' height="16" fill="{PALE}"/>'
        )
        plain = told.features[at].type == "category"
        inside.append(_swarm(told.values[:, at], told.matrix[:, at], middle, reach, plain))
    inside.append(_colour_legend(height - 10))
    title = Bilingual(zh="特征贡献一览", en="what moves the score")
    return picture(title, WIDTH, height, "".join(inside))


def dependence_plot(told: Contributions, at: int) -> str:
    """SVG: contribution (up) at each value (across) of feature `at`, missing values at the left.

    Coloured by the feature that most decides how this one counts, named in the legend.
    """
    feature = told.features[at]
    value, moved = told.matrix[:, at], told.values[:, at]
    known = ~np.isnan(value)
    axis, placed = _value_axis(feature, value)
    if not known.all():  # room of their own for missing values
        placed = np.maximum(placed, axis.low)
        axis = replace(axis, low=axis.low - 0.1 * (axis.high - axis.low))
    reach = max(float(np.abs(moved).max()), 1e-6)
    title = Bilingual(zh=f"{feature.name} 的影响", en=f"dependence on {feature.name}")
    up = Axis(-reach, reach, "贡献 contribution", tuple((x, f"{x:+.2f}") for x in (-reach, reach)))
    chart = Chart(title, axis, up, width=410, height=280)
    chart.line(np.array([axis.low, axis.high]), np.zeros(2), GREY, "0")
    chart.legend.clear()
    jitter = np.random.default_rng(0).uniform(-0.5, 0.5, len(value))
    spread = 0.5 if feature.type == "category" else 0.0
    missing_at = axis.low + 0.03 * (axis.high - axis.low)
    across = np.where(known, placed + spread * jitter, missing_at)
    partner = strongest_partner(told, at)
    levels = _levels(np.full(len(value), np.nan) if partner is None else told.matrix[:, partner])
    for level, colour in _palette():
        here = levels == level
        chart.cloud(across[here], moved[here], colour, 3)
    if partner is not None:
        chart.legend.append((LOW_TO_HIGH[-1], f"颜色 colour: {told.features[partner].name}"))
    if (~known).any():
        chart.legend.append((PALE, f"左侧为缺失 missing at the left: {int((~known).sum())}"))
    return chart.svg()


def _swarm(moved: Floats, value: Floats, middle: float, reach: float, plain: bool) -> str:
    """Dots stacked where many lie close; a stack higher than STACKED starts anew.

    `plain`: values have no order, so that known ones have one colour.
    """
    place = np.clip((moved / reach + 1) / 2 * BINS, 0, BINS - 1).astype(int)
    turn = np.zeros(len(moved), int)
    seen = np.zeros(BINS, int)
    for i in np.argsort(value, kind="stable"):
        turn[i] = seen[place[i]]
        seen[place[i]] += 1
    turn %= STACKED
    up = (turn + 1) // 2 * np.where(turn % 2, -1, 1)
    levels = np.where(np.isnan(value), -1, 0) if plain else _levels(value)
    parts = []
    for level, colour in [(-1, GREY), (0, CATEGORY)] if plain else _palette():
        here = np.flatnonzero(levels == level)
        places = [(_across(float(moved[i]), reach), middle + 2.2 * float(up[i])) for i in here]
        parts.append(dots(places, colour, 2.6))
    return "".join(parts)


def _levels(value: Floats) -> npt.NDArray[np.int64]:
    """0 (lowest fifth) to 4 (highest), -1 where missing; a value never falls in two levels."""
    known = ~np.isnan(value)
    level = np.full(len(value), -1, np.int64)
    if known.any():
        ordered = np.sort(value[known])
        share = np.searchsorted(ordered, value[known], side="left") / max(1, len(ordered) - 1)
        highest = len(LOW_TO_HIGH) - 1
        level[known] = np.minimum((share * (highest + 1)).astype(np.int64), highest)
    return level


def _palette() -> list[tuple[int, str]]:
    return [(-1, GREY), *enumerate(LOW_TO_HIGH)]


def _across(moved: float, reach: float) -> float:
    share = min(1.0, max(-1.0, moved / reach))
    return NAMES + (share + 1) / 2 * (WIDTH - NAMES - 20)


def _scale(reach: float, height: float) -> str:
    parts = [text(NAMES, ABOVE - 12, "← 降低 lowers · 提高 raises →", size=11, colour=GREY)]
    for share in (-1.0, -0.5, 0.0, 0.5, 1.0):
        x = _across(share * reach, reach)
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{ABOVE}" y2="{height - BELOW}"'
            f' stroke="{PALE if share else GREY}"/>'
        )
        parts.append(
            text(x, height - BELOW + 13, f"{share * reach:+.2f}", size=10, anchor="middle")
        )
    return "".join(parts)


def _colour_legend(y: float) -> str:
    parts = [text(NAMES, y, "数值 value: 低 low")]
    x = NAMES + 110.0
    for colour in LOW_TO_HIGH:
        parts.append(f'<rect x="{x}" y="{y - 9}" width="16" height="10" fill="{colour}"/>')
        x += 16
    parts.append(text(x + 6, y, "高 high"))
    parts.append(f'<rect x="{x + 70}" y="{y - 9}" width="16" height="10" fill="{GREY}"/>')
    parts.append(text(x + 92, y, "缺失 missing"))
    parts.append(f'<rect x="{x + 180}" y="{y - 9}" width="16" height="10" fill="{CATEGORY}"/>')
    parts.append(text(x + 202, y, "类别 category"))
    return "".join(parts)


def _value_axis(feature: ScoredFeature, value: Floats) -> tuple[Axis, Floats]:
    """The axis of a feature's values, and where each value lies on it (NaN: missing)."""
    if feature.type == "category":
        return _category_axis(feature, value)
    known = value[~np.isnan(value)]
    if not len(known):
        return Axis(0.0, 1.0, "全部缺失 all missing"), value
    scale = 100.0 if feature.show in ("cents", "share") else 1.0
    shown = value / 100.0 if feature.show == "cents" else value
    told = known / 100.0 if feature.show == "cents" else known
    low, middle, high = (float(x) for x in np.quantile(told, [0.01, 0.5, 0.99]))
    if low == high:
        low, high = low - 0.5, high + 0.5
    unit = UNITS[feature.show]
    if feature.type == "numeric" and low >= 0 and high > SKEWED * max(middle, 1.0):
        ends = np.log10(1 + np.array([max(low, 0.0), high]))
        powers = [0.0, *(10.0**p for p in range(10) if low < 10.0**p <= high)]
        ticks = tuple((float(np.log10(1 + p)), _short(p)) for p in powers if p >= low)
        placed = np.log10(1 + np.clip(shown, 0.0, None))
        return Axis(float(ends[0]), float(ends[1]), f"{unit} (log)".strip(), ticks), placed
    steps = round_steps(low, high)
    percent = feature.show == "share"
    ticks = tuple(
        (float(x), f"{x * scale:.0f}%" if percent else _short(float(x), float(steps[1] - steps[0])))
        for x in steps
    )
    room = 0.06 * (high - low)
    return Axis(low - room, high + room, unit, ticks), shown


def round_steps(low: float, high: float) -> Floats:
    """Two to six multiples of 1, 2 or 5 times a power of ten, from `low` to `high` (above low),
    so that a tick's text is its place.
    """
    power = 10.0 ** np.floor(np.log10((high - low) / 5))
    step = next(power * size for size in (1, 2, 5, 10) if (high - low) / (power * size) <= 5)
    return (
        np.arange(np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9) + 1) * step + 0.0
    )  # no -0


def _category_axis(feature: ScoredFeature, value: Floats) -> tuple[Axis, Floats]:
    count = max(1, len(feature.categories))
    every = -(-count // CATEGORIES_SHOWN)
    ticks = tuple(
        (float(i), _category(feature, name))
        for i, name in enumerate(feature.categories)
        if i % every == 0
    )
    return Axis(-0.9, count - 0.5, "", ticks), value


def _category(feature: ScoredFeature, name: str) -> str:
    title = feature.labels[name].zh if name in feature.labels else name
    room = max(4, 44 // max(1, min(len(feature.categories), CATEGORIES_SHOWN)))
    return title if len(title) <= room else title[: room - 1] + "…"


def _short(value: float, step: float = 1.0) -> str:
    """A tick: as many digits as its neighbour's distance asks for, thousands by letter."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            unit = 1e3 if letter == "k" else size
            return f"{value / unit:.0f}{letter}"
    return f"{value:.0f}" if step >= 1 else f"{value:.2g}"
