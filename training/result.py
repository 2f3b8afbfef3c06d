"""A finished run, and what of it is told as plain values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.evaluate import Judged
from training.intervals import Redrawn
from training.learning_curve import CurvePoint
from training.metrics import mean_figures
from training.report import Findings
from training.stability import ScorerStep, consecutive_scorers


@dataclass(frozen=True)
class TrainResult:
    """A finished run: its id, the scorer's digest, the report, and what was found out.

    `findings` are parallel to `judged`; `redrawn` has the intervals of the means over splits;
    `warnings` are those of the run, each split has its own among its notes.
    """

    run: str
    scorer: str
    report: Path
    judged: tuple[Judged, ...]
    findings: tuple[Findings, ...]
    redrawn: Redrawn
    warnings: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values: means over splits, then the same per split."""
        names = self.judged[0].rankings
        weighted = [each.weighted for each in self.judged if each.weighted is not None]
        return {
            "run": self.run,
            "scorer": self.scorer,
            "report": str(self.report),
            "training_set": self.judged[-1].training_set.digest,
            **_figures_of(self.judged),
            "weighted": {name: _mean_weighted(each[name] for each in weighted) for name in names}
            if weighted
            else None,
            "intervals": {name: self.redrawn.intervals(name) for name in names},
            "splits": [
                _split_json(each, found)
                for each, found in zip(self.judged, self.findings, strict=True)
            ],
            "stability": [_step_json(each) for each in consecutive_scorers(self.judged)],
            "learning_curve": [_point_json(each) for each in self.findings[-1].learning_curve],
            "warnings": list(self.warnings),
        }


def _figures_of(judged: Iterable[Judged]) -> dict[str, Any]:
    """`metrics` of the scorer and `baselines` (rivals too) by name, means over the given splits."""
    told = list(judged)
    return {
        "metrics": mean_figures([each.figures for each in told]),
        "baselines": {
            name: mean_figures([each.baselines[name] for each in told])
            for name in told[0].baselines
        },
    }


def _mean_weighted(figures: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Means over splits; intervals belong to a split."""
    return mean_figures(
        [{name: v for name, v in each.items() if name != "intervals"} for each in figures]
    )


def _split_json(judged: Judged, found: Findings) -> dict[str, Any]:
    tuned = judged.tuned
    return {
        **{key: str(value) for key, value in judged.split.model_dump().items()},
        **judged.counts,
        "training_set": judged.training_set.digest,
        "metrics": judged.figures,
        "baselines": judged.baselines,
        "weighted": judged.weighted,
        "intervals": {name: dict(each) for name, each in found.intervals.items()},
        "by_group": dict(found.by_group or {}),
        "capacity": None if found.capacity is None else [each.as_json() for each in found.capacity],
        "tuned": None
        if tuned is None
        else {
            "parameters": dict(tuned.parameters),
            "value": tuned.value,
            "declared": tuned.declared,
            "trials": tuned.trials,
            "given_up": tuned.given_up,
        },
        "notes": list(judged.fitted.notes),
    }


def _step_json(step: ScorerStep) -> dict[str, Any]:
    return {
        "earlier": step.earlier,
        "later": step.later,
        "rows": step.rows,
        "overlap": {f"{each.share:.0%}": each.overlap for each in step.overlaps},
        "correlation": step.correlation,
    }


def _point_json(point: CurvePoint) -> dict[str, Any]:
    return {
        "share": point.share,
        "rows": point.rows,
        "cases": point.cases,
        "metrics": None if point.figures is None else dict(point.figures),
        "why": point.why,
    }
