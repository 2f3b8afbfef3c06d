"""What changed since the champion: which clues are on top, which features count, which are new."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from base.bilingual import Bilingual
from base.errors import CluesError
from scoring.champion import find_champion
from scoring.matrix import to_matrix
from scoring.scorer import Scorer
from training.contributions import Contributions, contributions
from training.evaluate import Judged
from training.fit import margins
from training.stability import TopOverlap, overlap_of_top, rank_correlation

NO_CHAMPION = Bilingual(zh="尚无现行评分器。", en="There is no champion yet.")
MOVED_AT_LEAST, MOVED_SHOWN = 0.002, 8
NAMES_TOLD = 8


@dataclass(frozen=True)
class Moved:
    """A feature's share of all movement of the score, the champion's and this scorer's."""

    name: str
    before: float
    now: float


@dataclass(frozen=True)
class SinceChampion:
    """This scorer beside the champion on the same test rows; `one` in `overlaps` is this scorer."""

    champion: str
    same: bool
    overlaps: tuple[TopOverlap, ...]
    correlation: float | None
    gained: tuple[Moved, ...]
    lost: tuple[Moved, ...]
    new: tuple[str, ...]
    removed: tuple[str, ...]
    cautions: tuple[Bilingual, ...]


def load_champion(scorers: Path) -> Scorer | Bilingual:
    """The champion of a home, or why there is none to compare with: a report is written anyway."""
    try:
        champion = find_champion(scorers)
        if champion is None:
            return NO_CHAMPION
        return Scorer.load(scorers / champion.scorer, champion.scorer)
    except CluesError as error:
        return Bilingual(
            zh=f"现行评分器无法载入：{error.got}", en=f"The champion cannot be loaded: {error.got}"
        )


def since_champion(
    champion: Scorer, judged: Judged, digest: str, told: Contributions, seed: int
) -> SinceChampion:
    """Both scorers on the test rows of `judged`; `told`: this scorer's contributions there.

    The champion gets the features of this run by name; those it needs and the run lacks are
    missing to it, which `cautions` says.
    """
    rows = _fed(champion, judged)
    theirs = margins(champion.booster, to_matrix(champion.manifest.features, rows))
    ours = np.asarray(judged.scores["score_scorer"].to_numpy(), np.float64)
    label = np.asarray(judged.scores["label"].to_numpy(), np.float64)
    before = contributions(champion.booster, champion.manifest.features, rows, seed).shares
    gained, lost = _moved(before, told.shares)
    return SinceChampion(
        champion=champion.digest,
        same=champion.digest == digest,
        overlaps=overlap_of_top(ours, theirs, label=label),
        correlation=rank_correlation(ours, theirs),
        gained=gained,
        lost=lost,
        new=tuple(name for name in told.shares if name not in before),
        removed=tuple(name for name in before if name not in told.shares),
        cautions=_cautions(champion, judged),
    )


def _fed(champion: Scorer, judged: Judged) -> pa.Table:
    """The test rows without columns whose kind has changed: they are missing to the champion."""
    kinds = {feature.name: feature.type for feature in judged.features}
    changed = [
        each.name
        for each in champion.manifest.features
        if kinds.get(each.name, each.type) != each.type
    ]
    return judged.test_rows.drop_columns(changed)


def _moved(
    before: Mapping[str, float], now: Mapping[str, float]
) -> tuple[tuple[Moved, ...], tuple[Moved, ...]]:
    """Features that count for more, and for less, the largest change first."""
    names = dict.fromkeys([*now, *before])
    all_moved = [Moved(name, before.get(name, 0.0), now.get(name, 0.0)) for name in names]
    all_moved.sort(key=lambda each: (-abs(each.now - each.before), each.name))
    told = [each for each in all_moved if abs(each.now - each.before) >= MOVED_AT_LEAST]
    gained = [each for each in told if each.now > each.before]
    lost = [each for each in told if each.now < each.before]
    return tuple(gained[:MOVED_SHOWN]), tuple(lost[:MOVED_SHOWN])


def _cautions(champion: Scorer, judged: Judged) -> tuple[Bilingual, ...]:
    manifest = champion.manifest
    found = []
    absent = [f.name for f in manifest.features if f.name not in judged.test_rows.column_names]
    if absent:
        names = ", ".join(absent[:NAMES_TOLD]) + (" …" if len(absent) > NAMES_TOLD else "")
        found.append(
            Bilingual(
                zh=f"现行评分器所需特征本次没有，按缺失处理：{names}",
                en=f"The champion needs features that this run lacks; missing to it: {names}",
            )
        )
    known = {feature.name: feature for feature in manifest.features}
    redefined = [
        each.name
        for each in judged.features
        if each.name in known
        and (each.sentence, each.window_days, each.type)
        != (known[each.name].sentence, known[each.name].window_days, known[each.name].type)
    ]
    if redefined:
        names = ", ".join(redefined[:NAMES_TOLD]) + (" …" if len(redefined) > NAMES_TOLD else "")
        found.append(
            Bilingual(
                zh=f"同名特征的定义已改，现行评分器按新定义取值：{names}",
                en=f"Defined otherwise since; the champion is given today's values: {names}",
            )
        )
    taught_until = datetime.fromisoformat(manifest.trained_until)
    if taught_until > judged.split.test_from:
        found.append(
            Bilingual(
                zh=f"现行评分器学到 {taught_until:%Y-%m-%d}，可能已知部分测试线索的结果，"
                "其找到的案件数偏高。",
                en=f"The champion learned up to {taught_until:%Y-%m-%d} and may know outcomes of"
                " these test clues: its cases found are flattered.",
            )
        )
    return tuple(found)
