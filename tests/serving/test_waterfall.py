"""The waterfall as it is shown: base and parts add up to the probability, to the tenth."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment, FileSystemLoader
from served_hamlet import Served

import serving.console as console
from serving.console.waterfall import by_group, by_reason, in_tenths

WORDS = {"base": "Base", "others": "Others", "probability": "Probability", "why": "", "course": "",
         "points": ""}  # fmt: skip


@given(
    base=st.floats(0, 100),
    parts=st.lists(st.floats(-60, 60), min_size=1, max_size=30),
)
def test_what_is_shown_adds_up_and_each_part_lies_within_a_tenth_of_its_own(
    base: float, parts: list[float]
) -> None:
    """Law, in exact decimals: the ends as '%.1f' writes them, the parts of their sum; a part moves
    by less than a tenth, or by one where the rounded ends want it of whole tenths."""
    end = base + sum(parts)
    first, *shown, last = [Decimal(f"{each:.1f}") for each in in_tenths(base, parts, end)]
    assert (first, last) == (Decimal(f"{base:.1f}"), Decimal(f"{end:.1f}"))
    assert first + sum(shown) == last
    for part, told in zip(parts, shown, strict=True):
        assert abs(float(told) - part) <= 0.1 + 1e-9


def test_the_remainders_decide_who_is_rounded_up() -> None:
    """10.04 + 3 x 1.36 + 0.07 = 14.19: by itself each part would be 1.4 and the sum 14.3."""
    assert in_tenths(10.04, [1.36, 1.36, 1.36, 0.07], 14.19) == [10.0, 1.4, 1.4, 1.3, 0.1, 14.2]
    assert in_tenths(10.0, [-0.04, 0.04], 10.0) == [10.0, 0.0, 0.0, 10.0]
    assert in_tenths(10.0, [], 10.0) == [10.0, 10.0]


def told_figures(steps: list[Any]) -> list[Decimal]:
    """The figures in the drawing's last column, as a reader has them."""
    pages = FileSystemLoader(next(iter(console.__path__)) + "/pages")
    macro = Environment(loader=pages, autoescape=True).get_template("parts.html").module.waterfall  # type: ignore[attr-defined]
    cells = str(macro(steps, "c", "en", WORDS)).split('<td class="number">')[1:]
    texts = [cell.partition("</td>")[0].replace("−", "-") for cell in cells]
    return [Decimal("".join(sign for sign in text if sign in "-.0123456789")) for text in texts]


def test_a_clue_of_the_console_adds_up_by_reason_and_by_group(standing: Served) -> None:
    """Of every clue of the hamlet, read from what the page writes."""
    headers = standing.kept_key("reviewer", "P")
    queue = standing.client.get("/v1/queue", headers=headers).json()["clues"]
    assert len(queue) > 5
    for entry in queue:
        path = f"/v1/clues/{entry['clue_id']}/reasons?reasons=2"
        told = standing.client.get(path, headers=headers).json()
        for steps in (by_reason(told, WORDS), by_group(told, WORDS)):
            if steps:
                *parts, whole = told_figures(steps)
                assert sum(parts) == whole == Decimal(f"{100 * told['probability']:.1f}")
