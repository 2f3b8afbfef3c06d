"""Fit: LightGBM trees, then a calibrator on margins of rows those trees have not seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from base.errors import Refused
from scoring.bundle import ScoredFeature
from scoring.calibration import SigmoidCalibrator
from training.experiment import Experiment

Floats = npt.NDArray[np.float64]
ROWS_PER_THREAD = 20_000
DEFAULTS: dict[str, float | int | bool | str] = {
    "num_leaves": 15,
    "learning_rate": 0.05,
    "n_estimators": 200,
    "min_child_samples": 40,
}


@dataclass(frozen=True)
class Fitted:
    """Trees and calibrator; `notes` say where the calibrator's margins came from."""

    booster: lgb.Booster
    calibrator: SigmoidCalibrator
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Rows:
    """Training rows: matrix (n, features), label (n,), moment in microseconds and subject (n,)."""

    matrix: Floats
    label: Floats
    moment: npt.NDArray[np.int64]
    subject: npt.NDArray[np.str_]

    def where(self, chosen: npt.NDArray[np.bool_]) -> Rows:
        return Rows(
            self.matrix[chosen], self.label[chosen], self.moment[chosen], self.subject[chosen]
        )


def fit(
    experiment: Experiment, features: tuple[ScoredFeature, ...], rows: Rows, threads: int
) -> Fitted:
    """Fit one scorer. Raises Refused where the rows hold one class only."""
    cases = int(rows.label.sum())
    if cases == 0 or cases == len(rows.label):
        raise Refused(
            wanted="cases and other clues among the labelled training rows",
            got=f"{cases} cases among {len(rows.label)} rows",
            cure="widen train_from..train_until, or check that outcomes were admitted",
        )

    def grow(chosen: npt.NDArray[np.bool_]) -> lgb.Booster:
        return grow_trees(experiment, features, rows.where(chosen), threads)

    everything = np.ones(len(rows.label), bool)
    if experiment.calibration.share is not None:
        early = _earlier_share(rows.moment, 1 - experiment.calibration.share)
        if early.any() and not early.all():
            booster = grow(early)
            calibrator = SigmoidCalibrator.fit(
                margins(booster, rows.matrix[~early]), rows.label[~early]
            )
            return Fitted(booster, calibrator, (f"calibrated on the later {(~early).sum()} rows",))
    margin, seen, note = _cross_fitted(experiment, rows, grow)
    calibrator = SigmoidCalibrator.fit(margin[seen], rows.label[seen])
    return Fitted(grow(everything), calibrator, (note,))


def grow_trees(
    experiment: Experiment, features: tuple[ScoredFeature, ...], rows: Rows, threads: int
) -> lgb.Booster:
    """LightGBM with fixed seeds, deterministic, and as many threads as the rows are worth."""
    parameters = {**DEFAULTS, **experiment.scorer}
    rounds = int(parameters.pop("n_estimators"))
    data = lgb.Dataset(
        rows.matrix,
        label=rows.label,
        feature_name=[f"f{i}" for i in range(len(features))],
        categorical_feature=[i for i, f in enumerate(features) if f.type == "category"],
        params={"verbose": -1, "max_bin": parameters.get("max_bin", 255)},
        free_raw_data=True,
    )
    return lgb.train(
        {
            **parameters,
            "objective": "binary",
            "seed": experiment.seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": max(1, min(threads, len(rows.label) // ROWS_PER_THREAD + 1)),
            "verbose": -1,
        },
        data,
        num_boost_round=rounds,
    )


def margins(booster: lgb.Booster, matrix: Floats) -> Floats:
    """Log-odds (n,)."""
    return np.asarray(booster.predict(matrix, raw_score=True, num_threads=1), np.float64)


def _earlier_share(moment: npt.NDArray[np.int64], share: float) -> npt.NDArray[np.bool_]:
    """Rows before the moment that cuts off `share` of them; one moment is never cut in two."""
    return moment < np.quantile(moment, share, method="higher")


def _cross_fitted(
    experiment: Experiment, rows: Rows, grow: Callable[[npt.NDArray[np.bool_]], lgb.Booster]
) -> tuple[Floats, npt.NDArray[np.bool_], str]:
    """Margins from trees that saw only earlier rows; from other subjects where there is one moment.

    Forward chaining (Bergmeir and Benitez, 2012). Returns margins, which rows have one, a note.
    """
    folds = experiment.calibration.cross_fit or 5
    margin = np.full(len(rows.label), np.nan)
    moments = np.unique(rows.moment)
    if len(moments) > 1:
        for part in np.array_split(moments[1:], min(folds, len(moments) - 1)):
            later = (rows.moment >= part[0]) & (rows.moment <= part[-1])
            earlier = rows.moment < part[0]
            if 0 < rows.label[earlier].sum() < earlier.sum():
                margin[later] = margins(grow(earlier), rows.matrix[later])
        note = f"calibrated forward over {len(moments)} moments"
    else:
        drawn = np.random.default_rng(experiment.seed).permutation(np.unique(rows.subject))
        for part in np.array_split(drawn, folds):
            out = np.isin(rows.subject, part)
            margin[out] = margins(grow(~out), rows.matrix[out])
        note = "one training moment only: calibrated across subjects, not on later rows"
    return margin, ~np.isnan(margin), note
