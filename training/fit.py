"""Fit: LightGBM trees, then a calibrator on margins of rows those trees have not seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from base.errors import Fault, Refused, nearest
from scoring.bundle import ScoredFeature
from scoring.calibration import SigmoidCalibrator
from training.calibrate import calibrated
from training.experiment import Experiment, Teacher
from training.note import Note
from training.rows import Rows, has_both_classes
from training.teacher import staircases, taught_terms

Floats = npt.NDArray[np.float64]
Parameters = Mapping[str, float | int | bool | str]
ROWS_PER_THREAD = 20_000
NAMES_TOLD = 8
ONE_MOMENT = Note(
    "one training moment only: calibrated across subjects, not on later rows",
    "训练只有一个时点：按主体交叉校准，而非用较晚的样本",
)
NOT_STOPPED = Note(
    "not stopped early: no later rows with both cases and other clues",
    "未提前停止：较晚的样本中没有两类",
)
TAUGHT = Note(
    "each tree is one feature's term of a logistic regression",
    "每棵树为逻辑回归中一项特征的阶梯函数",
)
DEFAULTS: dict[str, float | int | bool | str] = {
    "num_leaves": 15,
    "learning_rate": 0.05,
    "n_estimators": 200,
    "min_child_samples": 40,
}
# With a teacher: stairs of a feature at most, rows of a stair at least.
OF_STAIRS: dict[str, float | int | bool | str] = {"num_leaves": 32, "min_child_samples": 5}
# Parameters that decide how values are put in bins: rows are binned once for each choice of them.
BIN_PARAMETERS = (
    "bin_construct_sample_cnt",
    "enable_bundle",
    "max_bin",
    "min_data_in_bin",
    "use_missing",
    "zero_as_missing",
)


@dataclass(frozen=True)
class Fitted:
    """Trees and calibrator. `notes` say where the calibrator's margins came from, where the trees
    were cut and which features are constant; `parameters` are those the trees grew with.
    """

    booster: lgb.Booster
    calibrator: SigmoidCalibrator
    notes: tuple[Note, ...]
    parameters: Parameters


@dataclass(frozen=True)
class Binned:
    """Rows as LightGBM holds them: those that grow trees, and later ones that tell when to stop."""

    growing: lgb.Dataset
    later: lgb.Dataset | None


def fit(
    experiment: Experiment,
    features: tuple[ScoredFeature, ...],
    rows: Rows,
    threads: int,
    parameters: Parameters | None = None,
) -> Fitted:
    """Fit one scorer; `parameters` (those that tuning chose) win over the declared ones.

    Raises Refused where the rows hold one class only, or monotone names no feature.
    """
    _require_both_classes(rows)
    used = used_parameters(experiment, parameters)

    def grow(chosen: npt.NDArray[np.bool_]) -> lgb.Booster:
        return grow_trees(experiment, features, rows.where(chosen), threads, parameters)

    def fitted(booster: lgb.Booster, calibrator: SigmoidCalibrator, *notes: Note) -> Fitted:
        taught = () if experiment.teacher is None else (TAUGHT,)
        told = (*taught, *notes, *_constant(features, rows.matrix))
        return Fitted(booster, calibrator, told, used)

    everything = np.ones(len(rows.label), bool)
    if experiment.calibration.share is not None:
        early = earlier_share(rows.moment, 1 - experiment.calibration.share)
        if has_both_classes(rows.label[early]) and not early.all():
            booster = grow(early)
            margin = margins(booster, rows.matrix[~early])
            calibrator = calibrated(experiment.calibration, features, margin, rows.where(~early))
            later = int((~early).sum())
            note = Note(f"calibrated on the later {later} rows", f"用较晚的 {later} 行校准")
            return fitted(booster, calibrator, note, *_stopped(experiment, booster, rows, early))
    margin, seen, note = _cross_fitted(experiment, rows, grow)
    calibrator = calibrated(experiment.calibration, features, margin[seen], rows.where(seen))
    booster = grow(everything)
    return fitted(booster, calibrator, note, *_stopped(experiment, booster, rows, everything))


def used_parameters(experiment: Experiment, chosen: Parameters | None = None) -> Parameters:
    """Defaults, the declared ones over them, the chosen ones over those."""
    if experiment.teacher is not None:
        return {**OF_STAIRS, **experiment.scorer}
    return {**DEFAULTS, **experiment.scorer, **(chosen or {})}


def grow_trees(
    experiment: Experiment,
    features: tuple[ScoredFeature, ...],
    rows: Rows,
    threads: int,
    parameters: Parameters | None = None,
) -> lgb.Booster:
    """LightGBM with fixed seeds, deterministic, and as many threads as the rows are worth; with a
    teacher they are its staircases."""
    worth = worthwhile_threads(threads, len(rows.label))
    binned = bin_rows(experiment, features, rows, worth, parameters)
    if experiment.teacher is not None:
        return _taught(experiment.teacher, experiment, features, rows, binned.growing, worth)
    return grow_binned(experiment, features, binned, worth, parameters)


def _taught(
    teacher: Teacher,
    experiment: Experiment,
    features: tuple[ScoredFeature, ...],
    rows: Rows,
    binned: lgb.Dataset,
    threads: int,
) -> lgb.Booster:
    directions = monotone_constraints(experiment, features)
    terms = taught_terms(teacher, features, rows, directions)
    options = {
        **used_parameters(experiment),
        "monotone_constraints": directions,
        "seed": experiment.seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": threads,
        "verbose": -1,
    }
    return staircases(terms, rows, binned, options)


def bin_rows(
    experiment: Experiment,
    features: tuple[ScoredFeature, ...],
    rows: Rows,
    threads: int,
    parameters: Parameters | None = None,
) -> Binned:
    """Put every value in its bin, once; trees of any other parameters can grow on the bins.

    LightGBM keeps one number of threads for the whole process and sizes its buffers by it: calls
    that run at once must all name the same `threads`, or one writes beyond a buffer and the process
    dies.

    With early_stopping the last share of the rows, by moment, is held back: it tells when to stop
    and grows nothing. Rows of one moment only, or without both classes on both sides, hold nothing
    back.
    """
    used = used_parameters(experiment, parameters)
    options = {
        "verbose": -1,
        "max_bin": 255,
        "num_threads": threads,
        # Or trees of a smaller min_child_samples could not grow on these bins.
        "feature_pre_filter": False,
        **{name: used[name] for name in BIN_PARAMETERS if name in used},
    }
    category = [i for i, feature in enumerate(features) if feature.type == "category"]

    def dataset(part: Rows, like: lgb.Dataset | None) -> lgb.Dataset:
        return lgb.Dataset(
            part.matrix,
            label=part.label,
            # A mean of one: else a regularisation would mean something else with weights.
            weight=None if part.weight is None else part.weight / part.weight.mean(),
            reference=like,
            feature_name=[f"f{i}" for i in range(len(features))],
            categorical_feature=category,
            params=options,
            free_raw_data=True,
        ).construct()

    early = _growing_share(experiment, rows)
    growing = dataset(rows if early is None else rows.where(early), None)
    later = None if early is None else dataset(rows.where(~early), growing)
    return Binned(growing, later)


def grow_binned(
    experiment: Experiment,
    features: tuple[ScoredFeature, ...],
    binned: Binned,
    threads: int,
    parameters: Parameters | None = None,
) -> lgb.Booster:
    """Trees on binned rows, cut after the best one where later rows told when to stop; exactly
    `threads` threads, for the reason that bin_rows gives."""
    options: dict[str, Any] = {**used_parameters(experiment, parameters)}
    rounds = int(options.pop("n_estimators"))
    constraints = monotone_constraints(experiment, features)
    if any(constraints):
        options["monotone_constraints"] = constraints
    stopping = experiment.early_stopping
    if stopping is not None and "dart" in options.values():
        raise Refused(
            wanted="trees that can be cut after the best one",
            got="early_stopping with dart, whose later trees change the earlier ones",
            cure="leave early_stopping out, or dart",
        )
    told: dict[str, Any] = {}
    if stopping is not None and binned.later is not None:
        stop = lgb.early_stopping(stopping.rounds, verbose=False)
        told = {"valid_sets": [binned.later], "callbacks": [stop]}
    booster = _trained(
        {
            **options,
            "objective": "binary",
            "metric": "binary_logloss" if told else "none",
            "seed": experiment.seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": threads,
            "verbose": -1,
        },
        binned.growing,
        rounds,
        told,
    )
    if not told:
        return booster
    return lgb.Booster(model_str=booster.model_to_string(num_iteration=booster.best_iteration))


def _trained(
    options: Mapping[str, Any], rows: lgb.Dataset, rounds: int, told: Mapping[str, Any]
) -> lgb.Booster:
    """LightGBM's own training; what it refuses of parameters together is told as a refusal."""
    try:
        return lgb.train({**options}, rows, num_boost_round=rounds, **told)
    except lgb.basic.LightGBMError as error:
        raise Refused(
            wanted="parameters that LightGBM takes together",
            got=" ".join(str(error).split())[:200],
            cure="mend scorer (a random forest, rf, needs bagging_freq and bagging_fraction)",
            where="scorer",
        ) from None


def worthwhile_threads(threads: int, rows: int) -> int:
    """Threads that gain more than they wait for each other, at most `threads`."""
    return max(1, min(threads, rows // ROWS_PER_THREAD + 1))


def monotone_constraints(experiment: Experiment, features: tuple[ScoredFeature, ...]) -> list[int]:
    """Per feature 1, -1 or 0 (free), as `monotone` names them; a pattern passes categories by.

    Raises Refused where a name or pattern has no numeric feature, or two disagree.
    """
    numeric = [feature.name for feature in features if feature.type == "numeric"]
    told: dict[str, int] = {}
    faults = []
    for pattern, direction in experiment.monotone.items():
        named = [name for name in numeric if fnmatchcase(name, pattern)]
        if not named:
            wanted = "a numeric feature of the experiment, or a pattern that one has"
            faults.append(Fault(wanted, repr(pattern), nearest(pattern, numeric), "monotone"))
        for name in named:
            if told.setdefault(name, direction) != direction:
                cure = "make one pattern narrower"
                faults.append(
                    Fault("one direction per feature", f"two for {name}", cure, "monotone")
                )
    if faults:
        raise Refused.gather(faults)
    return [told.get(feature.name, 0) for feature in features]


def margins(booster: lgb.Booster, matrix: Floats) -> Floats:
    """Log-odds (n,)."""
    return np.asarray(booster.predict(matrix, raw_score=True, num_threads=1), np.float64)


def earlier_share(moment: npt.NDArray[np.int64], share: float) -> npt.NDArray[np.bool_]:
    """Rows before the moment that cuts off `share` of them; one moment is never cut in two."""
    return moment < np.quantile(moment, share, method="higher")


def _require_both_classes(rows: Rows) -> None:
    if not has_both_classes(rows.label):
        raise Refused(
            wanted="cases and other clues among the labelled training rows",
            got=f"{int(rows.label.sum())} cases among {len(rows.label)} rows",
            cure="widen train_from..train_until, or check that outcomes were admitted",
        )


def _growing_share(experiment: Experiment, rows: Rows) -> npt.NDArray[np.bool_] | None:
    """Rows that grow trees while the later ones tell when to stop; None where all grow."""
    if experiment.early_stopping is None:
        return None
    early = earlier_share(rows.moment, 1 - experiment.early_stopping.share)
    sound = has_both_classes(rows.label[early]) and has_both_classes(rows.label[~early])
    return early if sound else None


def _constant(features: tuple[ScoredFeature, ...], matrix: Floats) -> tuple[Note, ...]:
    """A warning that names features with one value, or none, in every training row."""
    missing = np.isnan(matrix)
    least = np.where(missing, np.inf, matrix).min(axis=0)
    most = np.where(missing, -np.inf, matrix).max(axis=0)
    one_value = (least == most) & ~missing.any(axis=0)
    names = [features[i].name for i in np.flatnonzero(one_value | missing.all(axis=0))]
    if not names:
        return ()
    told, rest = ", ".join(names[:NAMES_TOLD]), len(names) - NAMES_TOLD
    more, zh = (f" and {rest} more", f" 等 {len(names)} 项") if rest > 0 else ("", "")
    en = f"constant in training, so never used: {told}{more}"
    return (Note(en, f"训练中取值不变、未被使用：{told}{zh}"),)


def _stopped(
    experiment: Experiment, booster: lgb.Booster, rows: Rows, grew: npt.NDArray[np.bool_]
) -> tuple[Note, ...]:
    if experiment.early_stopping is None:
        return ()
    early = _growing_share(experiment, rows.where(grew))
    if early is None:
        return (NOT_STOPPED,)
    trees, later = booster.num_trees(), int((~early).sum())
    return (
        Note(
            f"stopped at {trees} trees by {later} later rows",
            f"由较晚的 {later} 行停在第 {trees} 棵树",
        ),
    )


def _cross_fitted(
    experiment: Experiment, rows: Rows, grow: Callable[[npt.NDArray[np.bool_]], lgb.Booster]
) -> tuple[Floats, npt.NDArray[np.bool_], Note]:
    """Margins from trees that saw only earlier rows; from other subjects where there is one moment.

    Forward chaining (Bergmeir and Benitez, 2012). Returns margins, which rows have one, a note.
    """
    folds = experiment.calibration.cross_fit or 5
    margin = np.full(len(rows.label), np.nan)
    moments = np.unique(rows.moment)
    if len(moments) > 1:
        # The first part only teaches: margins of trees that saw next to nothing say nothing.
        for part in np.array_split(moments, min(folds + 1, len(moments)))[1:]:
            later = (rows.moment >= part[0]) & (rows.moment <= part[-1])
            earlier = rows.moment < part[0]
            if has_both_classes(rows.label[earlier]):
                margin[later] = margins(grow(earlier), rows.matrix[later])
        count = len(moments)
        note = Note(f"calibrated forward over {count} moments", f"沿 {count} 个时点向前校准")
    else:
        drawn = np.random.default_rng(experiment.seed).permutation(np.unique(rows.subject))
        for part in np.array_split(drawn, folds):
            out = np.isin(rows.subject, part)
            margin[out] = margins(grow(~out), rows.matrix[out])
        note = ONE_MOMENT
    return margin, ~np.isnan(margin), note
