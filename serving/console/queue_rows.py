"""The rows of the queue's table, fifty to a page: put together here, not by a template.

A template looks up every word and escapes every value for each row anew, which was a third of what
the page cost. Here what repeats is looked up and escaped once for a page. Every text is escaped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache

from markupsafe import Markup, escape

from base.bilingual import Language
from dispatch.in_hand import InHand
from dispatch.queue_reading import Shown
from serving.console.page import DAY, said_in
from serving.service import Service

NONE = "—"
Absent = Mapping[str | None, str]


class Titles(dict[str | None, str]):
    """Name -> its title in one language, else what stands for it, else the name itself; escaped."""

    def __init__(
        self, titles: Mapping[str, Mapping[str, str]], language: Language, absent: Absent
    ) -> None:
        super().__init__()
        self._titles, self._language, self._absent = titles, language, absent

    def __missing__(self, name: str | None) -> str:
        title = self._titles.get(str(name))
        told = str(escape(title[self._language] if title else self._absent.get(name, name)))
        self[name] = told
        return told


@lru_cache
def states_titled(language: Language) -> dict[str, dict[str, str]]:
    """The words of states, in the form of titles."""
    return {name: {language: word} for name, word in said_in(language)["states"].items()}


def titles_of(service: Service, language: Language) -> tuple[Titles, Titles, Titles]:
    """Of supervision models, offices and states."""
    return (
        Titles(service.model_titles, language, {}),
        Titles(service.office_titles, language, {None: NONE, "": NONE}),
        Titles(states_titled(language), language, {}),
    )


def waiting_rows(
    service: Service, rows: Sequence[Shown], language: Language, after_within: bool
) -> Markup:
    """Rows of the ranking, with the line where this week's capacity ends. `after_within`: whether
    nothing before them was below it."""
    words = said_in(language)["words"]
    models, offices, states = titles_of(service, language)
    line = f'<tr class="line"><td colspan="7">{escape(words["line"])}</td></tr>\n'
    within, floor, drawn = (
        f'<span class="badge{lot}">{escape(words[name])}</span>'
        for name, lot in (("within", ""), ("floor", " lot"), ("exploration", " lot"))
    )
    parts, above = [], after_within
    for (
        clue_id,
        below,
        _,
        rank,
        office,
        model,
        raised,
        probability,
        by_lot,
        of_floor,
        state,
    ) in rows:
        if below and above:
            parts.append(line)
        above = not below
        badge = floor if of_floor else drawn if by_lot else within if above else ""
        parts.append(
            f'<tr class="{"within" if above else "below"}">\n<td class="number">{rank}</td>'
            f"{_clue(clue_id, language)}<td>{models[model]}</td>\n<td>{offices[office]}</td>\n"
            f'<td class="day">{_day(raised)}</td>\n<td>{states[state]}\n{badge}</td>\n'
            f'<td class="number">{_share(probability)}</td>\n</tr>\n'
        )
    return Markup("".join(parts))  # noqa: S704 - every text in it was escaped


def in_hand_rows(
    service: Service, rows: Sequence[InHand], language: Language, now: datetime
) -> Markup:
    """Rows of clues in hand or ended, with their deadlines."""
    overdue = escape(said_in(language)["words"]["overdue"])
    late = f' <span class="badge late">{overdue}</span>'
    models, offices, states = titles_of(service, language)
    return Markup(  # noqa: S704 - every text in it was escaped
        "".join(
            f'<tr class="below">\n{_clue(row.clue_id, language)}<td>{models[row.supervision_model]}'
            f"</td>\n<td>{offices[row.office_id]}</td>\n"
            f'<td class="day">{_day(row.raised_at)}</td>\n<td>{states[row.state]}\n</td>\n'
            f'<td class="day">{_day(row.due) or NONE}{late if row.due and row.due < now else ""}'
            f'</td><td class="number">{_share(row.probability)}</td>\n</tr>\n'
            for row in rows
        )
    )


def _clue(clue_id: str, language: Language) -> str:
    told = clue_id if clue_id.isalnum() else escape(clue_id)
    return f'<td><a class="id" href="/console/clues/{told}?language={language}">{told}</a></td>\n'


def _day(moment: datetime | None) -> str:
    return str(moment)[:DAY] if moment else ""


def _share(probability: float | None) -> str:
    return NONE if probability is None else f"{probability * 100:.1f} %"
