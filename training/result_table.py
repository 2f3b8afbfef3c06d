"""What a finished run found, as a person at the terminal reads it: one line per ranking."""

from __future__ import annotations

from training.evaluate import SCORER
from training.figure_table import DASH
from training.metrics import mean_figures
from training.result import TrainResult

COLUMNS = {
    "auc": "AUC",
    "average_precision": "av. prec.",
    "precision@10%": "prec. 10 %",
    "precision@100": "prec. 100",
    "cases_found/20": "found 20 %",
    "tail_recall_loss": "in 2nd half",
    "ece": "cal. error",
}
WIDTH = 12


def result_table(result: TrainResult) -> list[str]:
    """A table of means over splits, the scorer first; then what must be known beside it."""
    judged = result.judged
    figures = {SCORER: mean_figures([each.figures for each in judged])}
    for name in judged[0].baselines:
        figures[name] = mean_figures([each.baselines[name] for each in judged])
    wide = max(map(len, figures)) + 2
    lines = [" " * wide + "".join(title.rjust(WIDTH) for title in COLUMNS.values())]
    for name, told in figures.items():
        lines.append(name.ljust(wide) + "".join(_cell(told, each) for each in COLUMNS))
    clues = sum(each.counts["test_clues"] for each in judged)
    cases = sum(each.counts["test_cases"] for each in judged)
    splits = f"{len(judged)} split" + ("s" if len(judged) > 1 else "")
    lines += ["", f"mean over {splits}: {clues} labelled test clues, {cases} of them cases"]
    notes = dict.fromkeys([*result.warnings, *judged[-1].fitted.notes])
    return [*lines, *(f"- {note}" for note in notes)]


def _cell(figures: dict[str, object], name: str) -> str:
    group, _, part = name.partition("/")
    value = figures.get(group)
    if part and isinstance(value, dict):
        value = value.get(part)
    return (f"{value:.3f}" if isinstance(value, float) else DASH).rjust(WIDTH)
