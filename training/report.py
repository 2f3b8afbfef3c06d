"""The report of a run: one HTML file that needs nothing else, to read on screen and to print.

Every split has its figures and plots; contributions, fairness and what changed since the champion
are told of the last one, whose scorer is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from base.bilingual import Bilingual
from base.errors import Refused
from scoring.scorer import Scorer
from training.by_model import by_group
from training.capacity import AtCapacity
from training.card import Figures, markdown, model_card, sentences
from training.contributions import Contributions, contributions
from training.evaluate import Judged
from training.experiment import Experiment
from training.fairness import TITLES as MEASURES
from training.fairness import GroupAudit, audit_groups
from training.figure_table import (
    Cell,
    Footnotes,
    Intervals,
    Line,
    Tested,
    cell,
    figure_lines,
    flatten,
    ranks_shown,
    title_of,
    why_undefined,
)
from training.group_table import (
    COLUMN_TITLES,
    NO_CASES,
    Groups,
    Titles,
    capacity_lines,
    group_tables,
)
from training.inputs_told import counts_in_words, input_warnings
from training.learning_curve import CurvePoint
from training.metrics import calibration_bins, hits_in_top, mean_figures
from training.plots import (
    calibration_plot,
    gain_plot,
    learning_plot,
    precision_plot,
    ranking_title,
    wilson,
)
from training.shap_plots import dependence_plot, summary_plot
from training.since_champion import NO_CHAMPION, SinceChampion, since_champion
from training.stability import consecutive_scorers
from training.timeline import timeline

Floats = npt.NDArray[np.float64]
PAGES = Path(__file__).parent / "pages"
DEPENDENCES, FEATURES_LISTED = 8, 20
LEARNED = ("auc", "average_precision", "cases_found/20")
AT_FIRST = "20"


@dataclass(frozen=True)
class Findings:
    """What else was found out about a split. Whatever is absent is left out, and said so.

    - `intervals`, `weighted_intervals`: ranking -> figure -> (low, high).
    - `weighted`: ranking -> figures, each clue by one over its chance of having been pursued.
    - `by_group`: column -> groups, as by_model.by_group tells them; None: it is asked here.
    - `capacity`: as capacity.found_at_capacity tells it; None: no offices are declared.
    - `learning_curve`: its points; `selected`: which test rows stand within capacity, (n,).
    """

    intervals: Intervals = field(default_factory=dict)
    weighted: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    weighted_intervals: Intervals = field(default_factory=dict)
    by_group: Groups | None = None
    capacity: tuple[AtCapacity, ...] | None = None
    learning_curve: tuple[CurvePoint, ...] = ()
    selected: npt.NDArray[np.bool_] | None = None


def write_report(
    reports: Path,
    stem: str,
    experiment: Experiment,
    digest: str,
    judged: Sequence[Judged],
    *,
    findings: Sequence[Findings] = (),
    champion: Scorer | Bilingual = NO_CHAMPION,
    titles: Titles | None = None,
) -> Path:
    """Write `report.html` and `card.md` in `reports/<experiment>-<digest>/`; returns the report.

    `findings`: one per split, or none. `champion`: see since_champion.load_champion. `titles`:
    clue column -> value -> title, for supervision models and groups. Raises Refused for a split
    without a labelled test clue.
    """
    _require_labels(judged)
    told = list(findings) or [Findings() for _ in judged]
    known = titles or {}
    last = judged[-1]
    moves = contributions(last.fitted.booster, last.features, last.test_rows, experiment.seed)
    overview = _overview(judged)
    audited = audits(experiment, last, told[-1], known)
    warnings = input_warnings(last.features, last.test_rows)
    card = model_card(experiment, digest, judged, overview, moves, audited, warnings)
    since: SinceChampion | Bilingual = (
        champion
        if isinstance(champion, Bilingual)
        else since_champion(champion, last, digest, moves, experiment.seed)
    )
    page = (
        pages()
        .get_template("report.html.j2")
        .render(
            title=experiment.title,
            stem=stem,
            digest=digest,
            features=len(last.features),
            headline=_headline(judged),
            overview=overview,
            ranking_title=ranking_title,
            survival=getattr(experiment.label, "survival", None) is not None,
            timeline=timeline([each.split for each in judged]),
            splits=[
                _split(number, each, found, known)
                for number, (each, found) in enumerate(zip(judged, told, strict=True), 1)
            ],
            stability=consecutive_scorers(judged),
            learning=_learning(told[-1].learning_curve, _tested(last)),
            moves=_moves(moves, last, experiment.seed),
            measures=MEASURES,
            audits=audited,
            warnings=warnings,
            card=card,
            since=since,
        )
    )
    return _written(reports / f"{stem}-{digest[:12]}", page, markdown(card))


def _written(folder: Path, page: str, card: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "card.md").write_text(card, "utf-8")
    path = folder / "report.html"
    path.write_text(page, "utf-8")
    return path


def audits(
    experiment: Experiment, judged: Judged, found: Findings, titles: Titles
) -> tuple[GroupAudit, ...]:
    """The fairness audit of the groups an experiment declares; none where it declares none."""
    return audit_groups(judged.scores, experiment.fairness, found.selected, titles, COLUMN_TITLES)


def pages() -> Environment:
    """Pages of this room: everything that is put in is escaped, what is not given fails."""
    return Environment(
        loader=FileSystemLoader(PAGES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _require_labels(judged: Sequence[Judged]) -> None:
    for each in judged:
        if each.scores["label"].null_count == each.scores.num_rows:
            raise Refused(
                wanted=f"a labelled clue in the test from {each.split.test_from:%Y-%m-%d}",
                got=f"{each.scores.num_rows} clues, none with a known label",
                cure="move the split to months whose outcomes were admitted",
                where="splits",
            )


def _tested(judged: Judged) -> Tested:
    label = judged.scores["label"].drop_null()
    return Tested(len(label), int(pc.sum(label).as_py() or 0))


def _overview(judged: Sequence[Judged]) -> Figures:
    """Each ranking's figures, the mean over splits; reasons of dashes are those of the split that
    tells least."""
    names = list(judged[0].baselines)
    figures = {"scorer": mean_figures([each.figures for each in judged])}
    figures |= {name: mean_figures([each.baselines[name] for each in judged]) for name in names}
    least = min(map(_tested, judged), key=lambda of: (0 < of.cases < of.rows, of.rows))
    notes = Footnotes()
    lines = figure_lines(figures, least, notes)
    return Figures(("scorer", *names), lines, notes.reasons)


def _headline(judged: Sequence[Judged]) -> Bilingual:
    """The first sentence: cases found early by the scorer and by the best of the others."""
    found = {
        name: mean_figures([each.baselines[name] for each in judged])["cases_found"][AT_FIRST]
        for name in judged[0].baselines
    }
    ours = mean_figures([each.figures for each in judged])["cases_found"][AT_FIRST]
    if ours is None:
        return Bilingual(zh="有的测试没有案件。", en="There is a test without a case.")
    zh = f"队列的前 {AT_FIRST}% 中，评分器找到 {ours:.1%} 的已知案件"
    en = f"In the first {AT_FIRST} % of the queue the scorer finds {ours:.1%} of the known cases"
    others = {name: share for name, share in found.items() if share is not None}
    if not others:
        return Bilingual(zh=f"{zh}。", en=f"{en}.")
    best = max(others, key=lambda name: others[name])
    title = ranking_title(best)
    return Bilingual(
        zh=f"{zh}；其余排序中最好的是{title.zh}，{others[best]:.1%}。",
        en=f"{en}; the best of the other orders, {title.en}, {others[best]:.1%}.",
    )


def _split(number: int, judged: Judged, found: Findings, titles: Titles) -> dict[str, Any]:
    split = judged.split
    scores = judged.scores.filter(pc.is_valid(judged.scores["label"]))
    label = np.asarray(scores["label"].to_numpy(), np.float64)
    probability = np.asarray(scores["probability"].to_numpy(), np.float64)
    names = ["scorer", *judged.baselines]
    curves = {name: np.asarray(scores[f"score_{name}"].to_numpy(), np.float64) for name in names}
    notes = Footnotes()
    figures = {"scorer": judged.figures, **judged.baselines}
    tested = _tested(judged)
    groups = by_group(judged.scores) if found.by_group is None else found.by_group
    return {
        "number": number,
        "from": f"{split.test_from:%Y-%m-%d}",
        "until": f"{split.test_until:%Y-%m-%d}",
        "counts": counts_in_words(judged.counts),
        "notes": [note.words for note in judged.fitted.notes],
        "rankings": names,
        "figures": figure_lines(figures, tested, notes, found.intervals),
        "intervals": bool(found.intervals),
        "weighted": figure_lines(found.weighted, tested, notes, found.weighted_intervals),
        "weighted_rankings": list(found.weighted),
        "capacity": capacity_lines(found.capacity or (), notes),
        "capacity_shares": [(each.share, each.short) for each in found.capacity or ()],
        "ranks": _ranks(judged, curves["scorer"], label, notes),
        "bins": _bins(probability, label),
        "groups": group_tables(groups, titles, notes),
        "footnotes": notes.reasons,
        "gain": gain_plot(curves, label),
        "precision": precision_plot(curves, label),
        "calibration": calibration_plot(probability, label),
    }


def _ranks(
    judged: Judged, score: Floats, label: Floats, notes: Footnotes
) -> list[tuple[Cell, ...]]:
    """Per k: of labelled rows the expected cases, precision, recall; labels in the whole queue."""
    whole = np.asarray(judged.scores["score_scorer"].to_numpy(), np.float64)
    known = np.asarray(judged.scores["label"].is_valid().to_numpy(), np.float64)
    cases = float(label.sum())
    lines: list[tuple[Cell, ...]] = []
    for k in ranks_shown(len(label)):
        hits = hits_in_top(score, label, k)
        labelled = hits_in_top(whole, known, k)
        recall = cell(hits / cases if cases else None, notes, NO_CASES)
        told = (Cell(f"{k:,}"), Cell(f"{hits:,.1f}"), Cell(f"{hits / k:.3f}"), recall)
        lines.append((*told, Cell(f"{labelled:,.0f}")))
    return lines


def _bins(probability: Floats, label: Floats) -> list[tuple[str, ...]]:
    lines: list[tuple[str, ...]] = []
    for said, came, rows in calibration_bins(probability, label):
        low, high = wilson(came, rows)
        lines.append(
            (
                f"{said:.3f}",
                f"{came:.3f}",
                f"{low:.3f} – {high:.3f}",
                f"{said - came:+.3f}",
                str(rows),
            )
        )
    return lines


def _learning(points: tuple[CurvePoint, ...], tested: Tested) -> dict[str, Any] | None:
    """The learning curve as a plot and a table; None where none was asked for."""
    if not points:
        return None
    notes = Footnotes()
    flat = [replaced(point) for point in points]
    lines = []
    for point in flat:
        cells = []
        for name in LEARNED:
            value = (point.figures or {}).get(name)
            why = Bilingual(zh=point.why, en=point.why) if point.why else None
            cells.append(cell(value, notes, why or why_undefined(name, tested)))
        counts = (Cell(f"{point.rows:,}"), Cell(f"{point.cases:,}"))
        part = f"{100 * point.share:.3g}%"
        share = Bilingual(zh=f"最近 {part}", en=f"the latest {part}")
        lines.append(Line(share, (*counts, *cells)))
    shown = {name: title_of(name) for name in LEARNED}
    return {
        "lines": lines,
        "footnotes": notes.reasons,
        "titles": list(shown.values()),
        "plot": learning_plot(flat, shown),
    }


def replaced(point: CurvePoint) -> CurvePoint:
    """A point with its figures flat."""
    figures = None if point.figures is None else flatten(point.figures)
    return CurvePoint(point.share, point.rows, point.cases, figures, point.why)


def _moves(told: Contributions, judged: Judged, seed: int) -> dict[str, Any]:
    shares = told.shares
    missing = np.isnan(told.matrix).mean(axis=0) if len(told.matrix) else np.zeros(len(shares))
    return {
        "rows": len(told.matrix),
        "of_rows": told.of_rows,
        "seed": seed,
        "summary": summary_plot(told),
        "dependence": [
            (told.features[at].name, sentences(told.features[at]), dependence_plot(told, at))
            for at in told.order[:DEPENDENCES]
        ],
        "listed": [
            (
                told.features[at].name,
                sentences(told.features[at]),
                f"{shares[told.features[at].name]:.1%}",
                f"{told.features[at].missing_share:.0%}",
                f"{missing[at]:.0%}",
            )
            for at in told.order[:FEATURES_LISTED]
        ],
        "unused": len(told.features) - len(told.order),
        "trees": judged.fitted.booster.num_trees(),
    }
