"""Drawing in SVG, inline and without a script: axes, lines, dots. Texts are escaped here.

Shares are drawn as given; what has no number is not drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from math import ceil

import numpy as np
import numpy.typing as npt

from base.bilingual import Bilingual

Floats = npt.NDArray[np.float64]
COLOURS = (
    "#0b5cad",
    "#c2571a",
    "#3c8d40",
    "#7b4fa3",
    "#8a8f94",
    "#b8860b",
    "#a8324a",
    "#2a8c8c",
    "#5b4636",
    "#d17fb0",
)
GREY, PALE, INK = "#8a8f94", "#d8dee4", "#1b2733"
POINTS_OF_A_LINE = 200
LEFT, RIGHT, ABOVE, BELOW = 46, 24, 26, 40
LEGEND_LINE = 15
STEPS = (0.01, 0.02, 0.05, 0.1, 0.2)


@dataclass(frozen=True)
class Axis:
    """From `low` to `high`, with ticks (value, text) and a label below or beside."""

    low: float
    high: float
    label: str = ""
    ticks: tuple[tuple[float, str], ...] = ()

    def share(self, value: float) -> float:
        """Where a value lies, 0 at `low` and 1 at `high`; outside it stays at the edge."""
        span = self.high - self.low
        return min(1.0, max(0.0, (value - self.low) / span)) if span else 0.5


def share_axis(label: str, high: float = 1.0) -> Axis:
    """0 % to `high`, rounded up to a whole number of steps that read well."""
    step = next((step for step in STEPS if high / step <= 5.001), STEPS[-1])
    count = max(1, ceil(high / step - 1e-9))
    ticks = tuple((step * part, f"{step * part:.0%}") for part in range(count + 1))
    return Axis(0.0, step * count, label, ticks)


@dataclass(frozen=True)
class Chart:
    """A frame with two axes. `marks` (SVG texts) are drawn inside it, `legend` below."""

    title: Bilingual
    across: Axis
    up: Axis
    width: int = 400
    height: int = 330
    marks: list[str] = field(default_factory=list)
    legend: list[tuple[str, str]] = field(default_factory=list)

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Pixels of a point, from the upper left corner."""
        inner_w, inner_h = self.width - LEFT - RIGHT, self.height - ABOVE - BELOW
        return LEFT + self.across.share(x) * inner_w, ABOVE + (1 - self.up.share(y)) * inner_h

    def line(self, x: Floats, y: Floats, colour: str, name: str, dashed: bool = False) -> None:
        """A line through at most POINTS_OF_A_LINE of the points, named in the legend."""
        chosen = np.unique(np.linspace(0, len(x) - 1, min(POINTS_OF_A_LINE, len(x))).astype(int))
        placed = [self.place(float(x[i]), float(y[i])) for i in chosen]
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in placed)
        dash = ' stroke-dasharray="4 3"' if dashed else ""
        self.marks.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.6"{dash}>'
            f"<title>{escape(name)}</title></polyline>"
        )
        self.legend.append((colour, name))

    def dot(self, x: float, y: float, colour: str, told: str, radius: float = 4) -> None:
        """One dot that tells its figures when pointed at."""
        a, b = self.place(x, y)
        self.marks.append(
            f'<circle cx="{a:.1f}" cy="{b:.1f}" r="{radius}" fill="{colour}">'
            f"<title>{escape(told)}</title></circle>"
        )

    def span(self, x: float, low: float, high: float, colour: str) -> None:
        """An upright line from `low` to `high`, for an interval."""
        (a, bottom), (_, top) = self.place(x, low), self.place(x, high)
        self.marks.append(
            f'<line x1="{a:.1f}" x2="{a:.1f}" y1="{bottom:.1f}" y2="{top:.1f}" stroke="{colour}"/>'
        )

    def cloud(self, x: Floats, y: Floats, colour: str, size: float = 3) -> None:
        """Many dots of one colour as one path."""
        self.marks.append(
            dots([self.place(float(a), float(b)) for a, b in zip(x, y, strict=True)], colour, size)
        )

    def svg(self) -> str:
        """The whole picture."""
        legend = "".join(
            f'<rect x="{LEFT}" y="{self.height + LEGEND_LINE * i}" width="10" height="10"'
            f' fill="{colour}"/>'
            + text(LEFT + 16, self.height + 9 + LEGEND_LINE * i, name, size=11)
            for i, (colour, name) in enumerate(self.legend)
        )
        height = self.height + LEGEND_LINE * len(self.legend) + 4
        return picture(self.title, self.width, height, self._frame() + "".join(self.marks) + legend)

    def _frame(self) -> str:
        inner_w, inner_h = self.width - LEFT - RIGHT, self.height - ABOVE - BELOW
        box = f'<rect x="{LEFT}" y="{ABOVE}" width="{inner_w}" height="{inner_h}"'
        parts = [f'{box} fill="none" stroke="{PALE}"/>']
        for value, told in self.across.ticks:
            a, _ = self.place(value, self.up.low)
            parts.append(text(a, self.height - BELOW + 14, told, size=10, anchor="middle"))
        for value, told in self.up.ticks:
            _, b = self.place(self.across.low, value)
            parts.append(
                f'<line x1="{LEFT}" x2="{LEFT + inner_w}" y1="{b:.1f}" y2="{b:.1f}"'
                f' stroke="{PALE}" stroke-width=".5"/>'
            )
            parts.append(text(LEFT - 5, b + 3, told, size=10, anchor="end"))
        parts.append(
            text(LEFT + inner_w / 2, self.height - 8, self.across.label, size=11, anchor="middle")
        )
        if self.up.label:
            parts.append(text(LEFT, ABOVE - 4, f"↑ {self.up.label}", size=10, colour=GREY))
        return "".join(parts)


def picture(title: Bilingual, width: float, height: float, inside: str) -> str:
    """An SVG element with its title for those who cannot see it; `inside` is SVG already."""
    told = escape(f"{title.zh} {title.en}")
    return (
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}"'
        f' role="img" aria-label="{told}">{inside}</svg>'
    )


def text(
    x: float, y: float, told: str, *, size: float = 11, anchor: str = "start", colour: str = INK
) -> str:
    """A line of text, escaped."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}"'
        f' fill="{colour}">{escape(told)}</text>'
    )


def dots(places: Sequence[tuple[float, float]], colour: str, size: float) -> str:
    """Dots as one path of points without length: a tenth of the size of circles."""
    if not places:
        return ""
    path = "".join(f"M{a:.1f} {b:.1f}h0" for a, b in places)
    return (
        f'<path d="{path}" stroke="{colour}" stroke-width="{size}" stroke-linecap="round"'
        ' stroke-opacity=".7" fill="none"/>'
    )
