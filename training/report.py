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
from scoring.bundle import ScoredFeature
from scoring.scorer import Scorer
from scoring.sentences import show_window
from training.by_model import model_lines
from training.contributions import Contributions, contributions
from training.evaluate import Judged
from training.experiment import Experiment
from training.fairness import TITLES as MEASURES
from training.fairness import GroupAudit, audit_groups
from training.figure_table import (
    TITLES,
    Cell,
    Footnotes,
    Intervals,
    Line,
    Tested,
    figure_lines,
    flatten,
    ranks_shown,
    why_undefined,
)
from training.inputs_told import counts_in_words, input_warnings
from training.learning_curve import CurvePoint
from training.metrics import calibration_bins, hits_in_top
from training.plots import calibration_plot, gain_plot, learning_plot, precision_plot, wilson
from training.shap_plots import dependence_plot, summary_plot
from training.since_champion import NO_CHAMPION, since_champion
from training.timeline import timeline

Floats = npt.NDArray[np.float64]
Titles = Mapping[str, Mapping[str, Bilingual]]
PAGES = Path(__file__).parent / "pages"
DEPENDENCES, FEATURES_LISTED = 8, 20
LEARNED = ("auc", "average_precision", "cases_found/20")


@dataclass(frozen=True)
class Findings:
    """What else was found out about a split: intervals by ranking and figure, the learning curve,
    and which test rows stand within capacity (n,), parallel to its scores.
    """

    intervals: Intervals = field(default_factory=dict)
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
    """Write `reports/<experiment>-<digest>/report.html`; returns its path.

    `findings`: one per split, or none. `champion`: see since_champion.load_champion. `titles`:
    clue column -> value -> title, for supervision models and groups.
    """
    folder = reports / f"{stem}-{digest[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "report.html"
    told = list(findings) or [Findings() for _ in judged]
    known = titles or {}
    last = judged[-1]
    moves = contributions(last.fitted.booster, last.features, last.test_rows, experiment.seed)
    page = pages().get_template("report.html.j2")
    path.write_text(
        page.render(
            title=experiment.title,
            stem=stem,
            digest=digest,
            features=len(last.features),
            timeline=timeline([each.split for each in judged]),
            splits=[
                _split(number, each, found, known)
                for number, (each, found) in enumerate(zip(judged, told, strict=True), 1)
            ],
            learning=_learning(told[-1].learning_curve),
            moves=_moves(moves, last, experiment.seed),
            measures=MEASURES,
            audits=audits(experiment, last, told[-1], known),
            warnings=input_warnings(last.features, last.test_rows),
            since=champion
            if isinstance(champion, Bilingual)
            else since_champion(champion, last, digest, moves, experiment.seed),
        ),
        "utf-8",
    )
    return path


def audits(
    experiment: Experiment, judged: Judged, found: Findings, titles: Titles
) -> tuple[GroupAudit, ...]:
    """The fairness audit of the groups an experiment declares; none where it declares none."""
    return audit_groups(judged.scores, experiment.fairness, found.selected, titles)


def pages() -> Environment:
    """Pages of this room: everything that is put in is escaped, what is not given fails."""
    return Environment(
        loader=FileSystemLoader(PAGES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _split(number: int, judged: Judged, found: Findings, titles: Titles) -> dict[str, Any]:
    split = judged.split
    scores = judged.scores.filter(pc.is_valid(judged.scores["label"]))
    label = np.asarray(scores["label"].to_numpy(), np.float64)
    probability = np.asarray(scores["probability"].to_numpy(), np.float64)
    names = ["scorer", *judged.baselines]
    curves = {name: np.asarray(scores[f"score_{name}"].to_numpy()) for name in names}
    notes = Footnotes()
    figures = {"scorer": judged.figures, **judged.baselines}
    tested = Tested(len(label), int(label.sum()))
    return {
        "number": number,
        "from": f"{split.test_from:%Y-%m-%d}",
        "until": f"{split.test_until:%Y-%m-%d}",
        "counts": counts_in_words(judged.counts),
        "notes": judged.fitted.notes,
        "rankings": names,
        "figures": figure_lines(figures, tested, notes, found.intervals),
        "intervals": bool(found.intervals),
        "ranks": _ranks(judged, curves["scorer"], label),
        "bins": _bins(probability, label),
        "models": model_lines(judged.scores, titles.get("supervision_model", {}), notes),
        "footnotes": notes.reasons,
        "gain": gain_plot(curves, label),
        "precision": precision_plot(curves, label),
        "calibration": calibration_plot(probability, label),
    }


def _ranks(judged: Judged, score: Floats, label: Floats) -> list[tuple[str, ...]]:
    """Per k: of labelled rows the expected cases, precision, recall; labels in the whole queue."""
    whole = np.asarray(judged.scores["score_scorer"].to_numpy(), np.float64)
    known = np.asarray(judged.scores["label"].is_valid().to_numpy(), np.float64)
    cases = float(label.sum())
    lines = []
    for k in ranks_shown(len(label)):
        hits = hits_in_top(score, label, k)
        labelled = hits_in_top(whole, known, k)
        recall = f"{hits / cases:.3f}" if cases else "0"
        lines.append((f"{k:,}", f"{hits:,.1f}", f"{hits / k:.3f}", recall, f"{labelled:,.0f}"))
    return lines


def _bins(probability: Floats, label: Floats) -> list[tuple[str, ...]]:
    lines = []
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


def _learning(points: tuple[CurvePoint, ...]) -> dict[str, Any] | None:
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
            reason = why or why_undefined("", Tested(0, 0))
            cells.append(
                Cell("–", note=notes.mark(reason)) if value is None else Cell(f"{value:.3f}")
            )
        counts = (Cell(f"{point.rows:,}"), Cell(f"{point.cases:,}"))
        share = Bilingual(zh=f"最近 {point.share:.0%}", en=f"the latest {point.share:.0%}")
        lines.append(Line(share, (*counts, *cells)))
    shown = {name: TITLES[name] for name in LEARNED}
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
            (told.features[at].name, *sentences(told.features[at]), dependence_plot(told, at))
            for at in told.order[:DEPENDENCES]
        ],
        "listed": [
            (
                told.features[at].name,
                *sentences(told.features[at]),
                f"{shares[told.features[at].name]:.1%}",
                f"{told.features[at].missing_share:.0%}",
                f"{missing[at]:.0%}",
            )
            for at in told.order[:FEATURES_LISTED]
        ],
        "unused": len(told.features) - len(told.order),
        "trees": judged.fitted.booster.num_trees(),
    }


def sentences(feature: ScoredFeature) -> tuple[str, str]:
    """A feature's sentence without a value, zh-CN and English."""
    zh = feature.sentence.zh.replace("{window}", show_window(feature.window_days, "zh"))
    en = feature.sentence.en.replace("{window}", show_window(feature.window_days, "en"))
    return zh.replace("{value}", "…"), en.replace("{value}", "…")
