"""A comparison as Markdown tables, and the block of a document that such tables fill.

What a document says of figures is written between two marks by a command, never by hand:

    <!-- figures NAME -->
    ...
    <!-- end of figures NAME -->
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from base.errors import NotFound, Refused, nearest
from training.compare import Comparison
from training.figure_table import DASH, title_of

SHOWN = (
    "auc",
    "average_precision",
    "precision@10%",
    "precision@100",
    "cases_found/20",
    "cases_found_at_capacity",
    "tail_recall_loss",
    "ece",
)


def comparison_tables(found: Comparison, shown: Sequence[str] = SHOWN) -> str:
    """Figures with their intervals, then differences with theirs; a line per ranking.

    A difference whose interval does not hold 0 is bold. Figures that no ranking has are left out.
    Raises NotFound for a figure that is not known.
    """
    told = found.as_json()
    known = {figure for figures in told["figures"].values() for figure in figures}
    for name in shown:
        if name not in known | set(SHOWN):
            raise NotFound(wanted="a figure", got=repr(name), cure=nearest(name, known))
    parts = [_counted(found), *_both_tables(told, found.reference, shown)]
    if "weighted" in told:
        parts.append("Weighted by one over the chance of having been pursued:")
        parts += _both_tables(told["weighted"], found.reference, shown)
    parts += [f"{note[0].upper()}{note[1:]}." for note in found.notes]
    return "\n\n".join(parts) + "\n"


def fill_block(document: Path, name: str, text: str) -> None:
    """Put `text` between the marks of block `name` in a document.

    Raises NotFound where there is no such file or block, Refused where its marks are not a pair.
    """
    begin, end = f"<!-- figures {name} -->", f"<!-- end of figures {name} -->"
    if not document.is_file():
        raise NotFound(
            wanted="a document", got=f"no file {document.name}", cure="name one that is there"
        )
    whole = document.read_text("utf-8")
    if begin not in whole and end not in whole:
        raise NotFound(
            wanted=f"the block {name!r}",
            got=f"no such marks in {document.name}",
            cure=f"write a line {begin} and a line {end} where the figures belong",
        )
    if (whole.count(begin), whole.count(end)) != (1, 1) or whole.index(end) < whole.index(begin):
        raise Refused(
            wanted=f"one line {begin} and after it one line {end}",
            got=f"{whole.count(begin)} and {whole.count(end)}",
            cure="leave one pair",
            where=document.name,
        )
    before, after = whole[: whole.index(begin) + len(begin)], whole[whole.index(end) :]
    document.write_text(f"{before}\n{text.strip()}\n{after}", "utf-8")


def _counted(found: Comparison) -> str:
    """What was compared, over how many rows."""
    counts = found.counts
    runs = " and ".join(f"{run.experiment} (scorer {run.scorer[:12]})" for run in found.runs)
    splits = "the split" if counts["splits"] == 1 else f"mean over {counts['splits']} splits"
    text = (
        f"{runs}: {splits}, {counts['labelled']:,} labelled of {counts['common']:,} test clues"
        f"{' that all runs have' if len(found.runs) > 1 else ''}, {counts['cases']:,} cases,"
        f" {counts['subjects']:,} subjects; 95 % intervals from {found.found.redraws:,} resamples"
        " of the subjects."
    )
    for key, words in (
        ("labels_differ", "clues have another label in another run"),
        ("labelled_in_some", "clues have a label in some runs only"),
    ):
        if counts[key]:
            text += f" Left out: {counts[key]:,} {words}."
    return text


def _both_tables(told: Mapping[str, Any], reference: str, shown: Sequence[str]) -> list[str]:
    figures, differences = told["figures"], told["differences"]
    there = [name for name in shown if any(each.get(name) for each in figures.values())]
    titles = [title_of(name).en for name in there]
    seen = [
        [_name(ranking), *(_figure(each.get(name)) for name in there)]
        for ranking, each in figures.items()
    ]
    tables = [_table(["order", *titles], seen)]
    if differences:
        told_apart = [name for name in there if any(name in each for each in differences.values())]
        rows = [
            [_name(ranking), *(_difference(each.get(name)) for name in told_apart)]
            for ranking, each in differences.items()
        ]
        head = [f"{_name(reference)} minus", *(title_of(name).en for name in told_apart)]
        tables += ["Paired differences over the same rows (bold: the interval does not hold 0):"]
        tables += [_table(head, rows)]
    return tables


def _name(ranking: str) -> str:
    return ranking.replace("_", " ")


def _figure(told: Mapping[str, float] | None) -> str:
    if told is None:
        return DASH
    if "low" not in told:
        return f"{told['value']:.3f}"
    return f"{told['value']:.3f} ({told['low']:.3f} to {told['high']:.3f})"


def _difference(told: Mapping[str, Any] | None) -> str:
    if told is None:
        return DASH
    text = f"{told['difference']:+.3f}"
    text = text if told["better"] == "open" else f"**{text}**"
    return f"{text} ({told['low']:+.3f} to {told['high']:+.3f})"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
