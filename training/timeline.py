"""The splits as a picture: per split what teaches, the gap in which labels ripen, the test."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from base.bilingual import Bilingual
from training.drawing import GREY, PALE, picture, text
from training.experiment import Split

WIDTH, LEFT, RIGHT, ROW, ABOVE = 860, 40, 20, 34, 30
TEACH, TEST = "#0b5cad", "#c2571a"
YEARS_WITH_QUARTERS = 4


def timeline(splits: Sequence[Split]) -> str:
    """SVG with a row per split, to one scale of time."""
    first = min(split.train_from for split in splits)
    last = max(split.test_until for split in splits)
    height = ABOVE + ROW * len(splits) + 42
    inside = [_ticks(first, last, height - 42)]
    for at, split in enumerate(splits):
        top = ABOVE + ROW * at
        inside.append(text(4, top + 17, str(at + 1), size=13))
        bars = (
            (split.train_from, split.train_until, TEACH, "学习 teaches"),
            (split.train_until, split.test_from, PALE, "等待标签成熟 gap"),
            (split.test_from, split.test_until, TEST, "测试 test"),
        )
        for start, until, colour, name in bars:
            inside.append(_bar(first, last, top, start, until, colour, name))
    legend = ((TEACH, "学习 teaches"), (PALE, "等待标签成熟 gap"), (TEST, "测试 test"))
    for at, (colour, name) in enumerate(legend):
        x, y = LEFT + 180 * at, height - 16
        inside.append(f'<rect x="{x}" y="{y}" width="12" height="12" fill="{colour}"/>')
        inside.append(text(x + 18, y + 10, name))
    title = Bilingual(zh="时间划分", en="splits in time")
    return picture(title, WIDTH, height, "".join(inside))


def _x(first: datetime, last: datetime, moment: datetime) -> float:
    return LEFT + (moment - first) / (last - first) * (WIDTH - LEFT - RIGHT)


def _bar(
    first: datetime,
    last: datetime,
    top: int,
    start: datetime,
    until: datetime,
    colour: str,
    name: str,
) -> str:
    """A bar that tells its days when pointed at; a gap of no days is not drawn."""
    if until <= start:
        return ""
    left, right = _x(first, last, start), _x(first, last, until)
    days = (until - start).days
    told = f"{name}: {start:%Y-%m-%d} – {until:%Y-%m-%d} ({days})"
    return (
        f'<rect x="{left:.1f}" y="{top}" width="{right - left:.1f}" height="24" fill="{colour}">'
        f"<title>{told}</title></rect>"
    )


def _ticks(first: datetime, last: datetime, bottom: int) -> str:
    months = (1,) if last.year - first.year > YEARS_WITH_QUARTERS else (1, 4, 7, 10)
    parts = []
    for year in range(first.year, last.year + 1):
        for month in months:
            moment = datetime(year, month, 1)
            if first <= moment <= last:
                x = _x(first, last, moment)
                parts.append(
                    f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{ABOVE - 8}" y2="{bottom}"'
                    f' stroke="{PALE}"/>'
                )
                told = str(year) if month == 1 else f"{year}-{month:02}"
                parts.append(text(x, ABOVE - 14, told, size=10, anchor="middle", colour=GREY))
    return "".join(parts)
