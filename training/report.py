"""The report of a run: one HTML file that needs nothing else, with gain and calibration plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from training.evaluate import Judged
from training.experiment import Experiment
from training.metrics import calibration_bins

Floats = npt.NDArray[np.float64]
SIDE, EDGE = 320, 34
COLOURS = ("#0b5cad", "#c2571a", "#3c8d40", "#7b4fa3", "#8a8f94", "#b8860b")
FIGURES = ("auc", "average_precision", "precision@10%", "precision@100")


def write_report(
    reports: Path, stem: str, experiment: Experiment, digest: str, judged: Sequence[Judged]
) -> Path:
    """Write `reports/<experiment>-<digest>/report.html`; returns its path."""
    folder = reports / f"{stem}-{digest[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    loader = FileSystemLoader(Path(__file__).parent / "pages")
    page = Environment(loader=loader, autoescape=True, undefined=StrictUndefined).get_template(
        "report.html.j2"
    )
    path = folder / "report.html"
    path.write_text(
        page.render(
            title=experiment.title,
            digest=digest,
            features=len(judged[0].features),
            splits=[_split(each) for each in judged],
        ),
        "utf-8",
    )
    return path


def _split(judged: Judged) -> dict[str, Any]:
    split = judged.split
    scores = judged.scores.filter(pc.is_valid(judged.scores["label"]))
    label = scores["label"].to_numpy()
    names = ["scorer", *judged.baselines]
    curves = {name: scores[f"score_{name}"].to_numpy() for name in names}
    rows = [("scorer", judged.figures), *judged.baselines.items()]
    return {
        "heading": f"{split.test_from:%Y-%m-%d} – {split.test_until:%Y-%m-%d}",
        "counts": ", ".join(f"{name} {count:,}" for name, count in judged.counts.items())
        + "; "
        + "; ".join(judged.fitted.notes),
        "rows": [_row(name, figures) for name, figures in rows],
        "gain": gain_plot(curves, label),
        "calibration": calibration_plot(scores["probability"].to_numpy(), label),
    }


def _row(name: str, figures: Mapping[str, Any]) -> list[str]:
    values = [figures[each] for each in FIGURES]
    values += [*figures["cases_found"].values(), figures["tail_recall_loss"], figures["ece"]]
    return [name, *("–" if value is None else f"{value:.3f}" for value in values)]


def gain_plot(scores: Mapping[str, Floats], label: Floats) -> str:
    """SVG: share of all cases (up) found in the first share of the queue (across)."""
    lines = []
    for (name, score), colour in zip(scores.items(), COLOURS, strict=False):
        across, up = gain_curve(score, label)
        lines.append(_line(across, up, colour, name))
    return _svg("找到的案件份额 cases found", "".join(lines))


def gain_curve(score: Floats, label: Floats) -> tuple[Floats, Floats]:
    """Points of the gain curve; tied rows are one straight step, their expectation."""
    order = np.argsort(-score, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(score[order])), len(order) - 1)
    up = np.cumsum(label[order])[ends] / max(1.0, label.sum())
    return np.append(0.0, (ends + 1) / len(order)), np.append(0.0, up)


def calibration_plot(probability: Floats, label: Floats) -> str:
    """SVG: share of cases (up) at each mean probability (across), ten equal bins."""
    bins = calibration_bins(probability, label)
    top = max(1e-9, *(value for said, came, _ in bins for value in (said, came)))
    dots = "".join(
        f'<circle cx="{_x(said / top):.1f}" cy="{_y(came / top):.1f}" r="4" fill="{COLOURS[0]}">'
        f"<title>{said:.3f} → {came:.3f} ({rows})</title></circle>"
        for said, came, rows in bins
    )
    ideal = _line(np.array([0.0, 1.0]), np.array([0.0, 1.0]), "#8a8f94", "perfect")
    return _svg(f"校准 calibration (0–{top:.2f})", ideal + dots)


def _x(share: float) -> float:
    return EDGE + share * (SIDE - 2 * EDGE)


def _y(share: float) -> float:
    return SIDE - EDGE - share * (SIDE - 2 * EDGE)


def _line(across: Floats, up: Floats, colour: str, name: str) -> str:
    """At most 200 points of a curve."""
    chosen = np.unique(np.linspace(0, len(across) - 1, min(200, len(across))).astype(int))
    points = " ".join(f"{_x(across[i]):.1f},{_y(up[i]):.1f}" for i in chosen)
    return (
        f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.6">'
        f"<title>{name}</title></polyline>"
    )


def _svg(title: str, inside: str) -> str:
    frame = f'<rect x="{EDGE}" y="{EDGE}" width="{SIDE - 2 * EDGE}" height="{SIDE - 2 * EDGE}"'
    return (
        f'<svg width="{SIDE}" height="{SIDE}" role="img" aria-label="{title}">'
        f'{frame} fill="none" stroke="#d8dee4"/>'
        f'<text x="{EDGE}" y="{EDGE - 12}" font-size="13">{title}</text>{inside}</svg>'
    )
