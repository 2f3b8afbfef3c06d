"""A scorer beside the champion on the same test rows, and what the promotion rule says of it.

Both are scored anew from their bundles, on features of the versions the challenger learned from.
The rows are those of the challenger's last split: what is kept is the scorer of that split, and
rows of earlier splits would be rows it has learned from. Rows that the champion has learned from
are left out for the same reason: it would be asked what it was told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from base.bilingual import Bilingual
from base.errors import CluesError, NotFound, NotReady, Refused, nearest
from base.settings import Settings
from clues.register import read_clues
from features.declared import declared_features
from features.table import build_features
from governance.home import Home
from governance.reading import Records
from scoring.bundle import Manifest, read_manifest
from scoring.champion import find_champion
from scoring.scorer import Scorer
from training.baselines import Ranking
from training.experiment import find_experiment
from training.fairness import audit_groups, first_share
from training.intervals import Rows, redraw
from training.metrics import calibration_error, evaluate_scores, hits_in_top
from training.promotion_rule import (
    PairedInterval,
    PromotionRule,
    RuleFigures,
    Verdict,
    judge,
    load_promotion_rule,
    untested,
)

Floats = npt.NDArray[np.float64]
CHANCE_REDRAWS, SEED = 200, 20_260_101


@dataclass(frozen=True)
class JudgedRows:
    """The rows of the last test: `clues` is parallel to `label` (1, 0, NaN: unknown)."""

    clues: pa.Table
    label: Floats

    @property
    def known(self) -> npt.NDArray[np.bool_]:
        return ~np.isnan(self.label)


@dataclass(frozen=True)
class Marks:
    """What one scorer said of the test rows: margin and probability, both (n,)."""

    margin: Floats
    probability: Floats


@dataclass(frozen=True)
class SideBySide:
    """The verdict, and the figures it rests on (None where a scorer could not be judged)."""

    scorer: str
    champion: str | None
    rule: PromotionRule
    verdict: Verdict
    figures: Mapping[str, Any]
    paired: Mapping[str, PairedInterval]

    def as_json(self) -> dict[str, Any]:
        """Plain values, for a proposal and for the command line."""
        return {
            "scorer": self.scorer,
            "champion": self.champion,
            "passed": self.verdict.passed,
            "reasons": [reason.as_json() for reason in self.verdict.reasons],
            "rule": self.rule.model_dump(),
            "figures": dict(self.figures),
            "paired": {name: vars(interval) for name, interval in self.paired.items()},
        }


def weigh(home: Home, digest: str) -> SideBySide:
    """Judge a scorer by the jurisdiction's rule. What cannot be judged fails, and says why.

    Reads the scorer's kept test rows (`reports/<experiment>-<digest>/test_scores.parquet`).
    """
    rule = load_promotion_rule(home.jurisdiction.folder)
    champion = find_champion(home.scorers)
    serving = champion.scorer if champion and champion.scorer != digest else None
    manifest = read_manifest(home.scorers / digest)
    rows = _test_rows(home, manifest, digest)
    if rows is None:
        why = Bilingual(zh="没有保存其测试线索", en="its test rows were not kept here")
        return SideBySide(digest, serving, rule, untested(why), {}, {})
    asked = len(rows.label)
    try:
        rows = rows if serving is None else _not_learned(home, serving, rows)
        digests = [digest] if serving is None else [digest, serving]
        ours, theirs = _marks(home, manifest, rows, digests)
    except CluesError as error:
        why = Bilingual(zh=f"无法重新评分：{error.got}", en=f"cannot be scored anew: {error.got}")
        return SideBySide(digest, serving, rule, untested(why), {}, {})
    audited = _audited_columns(home, manifest.experiment)
    challenger = rule_figures(rule, ours, rows, audited)
    beaten = None if theirs is None else rule_figures(rule, theirs, rows)
    paired = {} if theirs is None else paired_intervals(rule, ours, theirs, rows)
    counted = {**_counted(rows), "left_out": asked - len(rows.label)}
    figures: dict[str, Any] = {"rows": counted, "challenger": _told(ours, rows)}
    if theirs is not None:
        figures["champion"] = _told(theirs, rows)
    return SideBySide(
        digest, serving, rule, judge(rule, challenger, beaten, paired), figures, paired
    )


def rule_figures(
    rule: PromotionRule, marks: Marks, rows: JudgedRows, columns: tuple[str, ...] = ()
) -> RuleFigures:
    """What the rule needs to know of one scorer; None where one class only is there.

    `columns` of the clue whose groups are audited; none: not audited.
    """
    known = rows.known
    label, margin = rows.label[known], marks.margin[known]
    probability = marks.probability[known]
    gaps = gaps_beyond_chance(rule, marks, rows, columns) if columns else None
    cases = float(label.sum())
    if not 0 < cases < len(label):
        return RuleFigures(None, None, None, fairness_gaps=gaps)
    return RuleFigures(
        cases_found=_found_at_capacity(rule, margin, label),
        tail_recall_loss=_lost_in_tail(margin, label),
        ece=calibration_error(probability, label),
        ece_by_chance=error_by_chance(probability),
        fairness_gaps=gaps,
    )


def error_by_chance(probability: Floats) -> float:
    """The calibration error to expect of these very probabilities if they were all true.

    Mean over labels drawn from them (consistency resampling: Bröcker and Smith, "Increasing the
    Reliability of Reliability Diagrams", 2007). On few rows the error of a perfect scorer is far
    from 0, and a bound on the bare error would measure the number of rows.
    """
    draw = np.random.default_rng(SEED)
    drawn = (draw.random((CHANCE_REDRAWS, len(probability))) < probability).astype(np.float64)
    return float(np.mean([calibration_error(probability, label) for label in drawn]))


def paired_intervals(
    rule: PromotionRule, ours: Marks, theirs: Marks, rows: JudgedRows
) -> dict[str, PairedInterval]:
    """Ours minus theirs in `cases_found` (at the rule's capacity) and `tail_recall_loss`, 95 %.

    Subjects are redrawn (intervals.py). Undefined where one class only is there.
    """
    known = rows.known
    label = rows.label[known]
    if not 0 < label.sum() < len(label):
        return {}
    subjects = np.array(rows.clues["subject_id"].to_pylist(), dtype=str)[known]
    rankings = {"ours": Ranking(ours.margin[known]), "theirs": Ranking(theirs.margin[known])}
    part = rule.capacity.rstrip("%")
    drawn = redraw([Rows(label, subjects, rankings)], capacities=(part,))
    found = drawn.differences("ours", "theirs")
    names = {"cases_found": f"cases_found/{part}", "tail_recall_loss": "tail_recall_loss"}
    return {
        name: PairedInterval(found[figure].difference, found[figure].low, found[figure].high)
        for name, figure in names.items()
        if figure in found
    }


def gaps_beyond_chance(
    rule: PromotionRule, marks: Marks, rows: JudgedRows, columns: tuple[str, ...]
) -> dict[str, float]:
    """Per column the largest differences between its groups in selection rate and in recall.

    Only those that shuffled groups of the same sizes hardly show (fairness.Gap.by_chance): among
    many small groups the largest difference is far from 0 for any scorer. Raises Refused for a
    column that no clue has.
    """
    for name in columns:
        if name not in rows.clues.column_names:
            cure = nearest(name, rows.clues.column_names)
            raise Refused(wanted="a column of the clue", got=repr(name), cure=cure)
    scores = rows.clues.select(["clue_id", *columns]).append_column(
        "score_scorer", pa.array(marks.margin)
    )
    scores = scores.append_column("probability", pa.array(marks.probability))
    scores = scores.append_column("label", pa.array(rows.label, from_pandas=True))
    gaps = {}
    for audit in audit_groups(scores, columns, first_share(scores, rule.share)):
        for measure in ("selection_rate", "recall"):
            gap = audit.gaps.get(measure)
            if gap is not None:
                beyond = gap.difference > gap.by_chance
                gaps[f"{audit.column}/{measure}"] = gap.difference if beyond else 0.0
    return gaps


def _test_rows(home: Home, manifest: Manifest, digest: str) -> JudgedRows | None:
    path = _kept_scores(home, manifest, digest)
    if not path.is_file():
        return None
    kept = pq.read_table(path, columns=["split", "clue_id", "label"])
    kept = kept.filter(pc.equal(kept["split"], pc.max(kept["split"])))
    label = dict(zip(kept["clue_id"].to_pylist(), kept["label"].to_pylist(), strict=True))
    clues = read_clues(home, list(label))
    if clues.num_rows != kept.num_rows:
        return None
    values = [label[clue_id] for clue_id in clues["clue_id"].to_pylist()]
    return JudgedRows(clues, np.array(values, np.float64))


def _not_learned(home: Home, champion: str, rows: JudgedRows) -> JudgedRows:
    """The rows the champion has not learned from: those outside its kept training set; where that
    is gone, those raised after it was trained. Raises NotReady where no label is left.
    """
    manifest = read_manifest(home.scorers / champion)
    kept = home.training_sets / f"{manifest.training_set}.parquet"
    if kept.is_file():
        ids = pq.read_table(kept, columns=["clue_id"])["clue_id"].combine_chunks()
        learned = pc.is_in(rows.clues["clue_id"], value_set=ids)
    else:
        until = pa.scalar(datetime.fromisoformat(manifest.trained_until), pa.timestamp("us"))
        learned = pc.less(rows.clues["raised_at"], until)
    unseen = ~np.asarray(learned.to_numpy(), bool)
    if not (unseen & rows.known).any():
        raise NotReady(
            wanted="test rows that the champion has not learned from",
            got="none: it was trained on later clues than the challenger",
            cure="move the splits of the experiment on and train again",
        )
    return JudgedRows(rows.clues.filter(pa.array(unseen)), rows.label[unseen])


def _marks(
    home: Home, manifest: Manifest, rows: JudgedRows, digests: list[str]
) -> tuple[Marks, Marks | None]:
    """What each scorer says of the rows; one table of features serves both.

    A champion that learned from other definitions of features is taken at what it said when it
    was tested itself, if it was on these very rows. Raises CluesError where it was not.
    """
    definitions = declared_features(home)
    with Records(home, manifest.versions) as records:
        table = build_features(definitions, rows.clues, records, threads=Settings().threads)
    found: list[Marks] = []
    for digest in digests:
        scorer = Scorer.load(home.scorers / digest, digest, Settings().threads)
        if scorer.manifest.features_fingerprint == definitions.fingerprint:
            scores = scorer.score(table)
            found.append(Marks(scores.margin, scores.probability))
        else:
            found.append(_kept_marks(home, scorer.manifest, digest, rows))
    return found[0], found[1] if len(found) > 1 else None


def _kept_marks(home: Home, manifest: Manifest, digest: str, rows: JudgedRows) -> Marks:
    path = _kept_scores(home, manifest, digest)
    names = ["clue_id", "score_scorer", "probability"]
    kept = pq.read_table(path, columns=names).to_pylist() if path.is_file() else []
    said = {row["clue_id"]: (row["score_scorer"], row["probability"]) for row in kept}
    asked = rows.clues["clue_id"].to_pylist()
    if not set(asked) <= set(said):
        raise NotFound(
            wanted="one definition of the features for both scorers, or scores kept of these rows",
            got=f"scorer {digest[:12]} of other features, not tested on these rows",
            cure="restore features.yaml, or say why: --despite REASON",
        )
    margin, probability = np.array([said[clue_id] for clue_id in asked], np.float64).T
    return Marks(margin, probability)


def _kept_scores(home: Home, manifest: Manifest, digest: str) -> Path:
    return home.reports / f"{manifest.experiment}-{digest[:12]}" / "test_scores.parquet"


def _audited_columns(home: Home, experiment: str) -> tuple[str, ...]:
    try:
        _, found = find_experiment(home.jurisdiction.folder / "experiments", experiment)
    except CluesError:
        return ()  # taken out of the jurisdiction since
    return found.fairness


def _found_at_capacity(rule: PromotionRule, margin: Floats, label: Floats) -> float:
    return hits_in_top(margin, label, round(len(label) * rule.share)) / float(label.sum())


def _lost_in_tail(margin: Floats, label: Floats) -> float:
    """Share of the cases in the bottom half."""
    return 1 - hits_in_top(margin, label, len(label) - len(label) // 2) / float(label.sum())


def _told(marks: Marks, rows: JudgedRows) -> dict[str, Any]:
    known = rows.known
    return evaluate_scores(marks.margin[known], rows.label[known], marks.probability[known])


def _counted(rows: JudgedRows) -> dict[str, Any]:
    moments = rows.clues["raised_at"].to_pylist()
    known: dict[str, datetime] = {"from": min(moments), "until": max(moments)}
    return {
        "clues": len(rows.label),
        "labelled": int(rows.known.sum()),
        "cases": int(np.nansum(rows.label)),
        **{name: moment.isoformat() for name, moment in known.items()},
    }
