"""What a reader must know of a scorer's inputs: constant, mostly missing, changed since training,
and what became of the clues that have no label.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from base.bilingual import Bilingual
from scoring.bundle import ScoredFeature
from scoring.matrix import to_matrix

MOSTLY_MISSING, MISSING_MOVED, OUTSIDE = 0.5, 0.2, 0.05
COUNTS = {
    "train_clues": Bilingual(zh="用于学习的有标签线索", en="labelled clues that teach"),
    "train_cases": Bilingual(zh="其中成案", en="of them cases"),
    "train_unripe": Bilingual(
        zh="学习期内标签未成熟，不作负例", en="unripe in training: unknown, not negative"
    ),
    "train_unpursued": Bilingual(
        zh="学习期内无人核查，不作负例", en="in training, nobody pursued: unknown, not negative"
    ),
    "train_taught_early": Bilingual(
        zh="未成熟但已参与学习", en="unripe, and teach as far as known"
    ),
    "train_cases_withdrawn": Bilingual(
        zh="学习期内立案后撤回", en="in training, cases withdrawn later"
    ),
    "test_clues": Bilingual(zh="用于评判的有标签线索", en="labelled clues that judge"),
    "test_cases": Bilingual(zh="其中成案", en="of them cases"),
    "test_unlabelled": Bilingual(
        zh="测试期内无标签（未核查或未结），参与排序、不参与评判",
        en="without a label in the test: ranked, not judged",
    ),
}
# Last words on a clue that decide nothing.
UNDECIDED = {
    "returned": Bilingual(zh="退回", en="returned"),
    "withdrawn": Bilingual(zh="撤销", en="withdrawn"),
    "case_withdrawn": Bilingual(zh="立案后撤回", en="case withdrawn later"),
    "merged": Bilingual(zh="并入其他线索", en="merged into another clue"),
    "split": Bilingual(zh="拆分为多条线索", en="split into several clues"),
}


@dataclass(frozen=True)
class Warned:
    """A warning and the features it names."""

    words: Bilingual
    features: tuple[str, ...]


def counts_in_words(counts: Mapping[str, int]) -> list[tuple[Bilingual, str]]:
    """Each count with what it counts; one that is not known here keeps its name."""
    return [(_words(name), f"{count:,}") for name, count in counts.items()]


def _words(name: str) -> Bilingual:
    status = UNDECIDED.get(name.removeprefix("train_undecided_"))
    if status is not None:
        return Bilingual(
            zh=f"学习期内{status.zh}，未有定论", en=f"in training, {status.en}: nothing decided"
        )
    return COUNTS.get(name, Bilingual(zh=name, en=name.replace("_", " ")))


def input_warnings(features: Sequence[ScoredFeature], test: pa.Table) -> tuple[Warned, ...]:
    """Warnings about the inputs, by name; `test` has the test rows' features."""
    matrix = to_matrix(features, test)
    rows = max(1, len(matrix))
    missing = np.isnan(matrix).sum(axis=0) / rows
    constant, absent, moved, unknown, outside = [], [], [], [], []
    for at, feature in enumerate(features):
        if is_constant(feature):
            constant.append(feature.name)
            continue
        if feature.missing_share >= MOSTLY_MISSING:
            absent.append(f"{feature.name} ({feature.missing_share:.0%})")
        now = float(missing[at])
        if feature.type == "category":
            null = test[feature.name].null_count if feature.name in test.column_names else rows
            strange = round(now * rows) - null
            now = null / rows
            if strange:
                unknown.append(f"{feature.name} ({strange})")
        elif (share := _outside(feature, matrix[:, at])) >= OUTSIDE:
            outside.append(f"{feature.name} ({share:.0%})")
        if abs(now - feature.missing_share) >= MISSING_MOVED:
            moved.append(f"{feature.name} ({feature.missing_share:.0%} → {now:.0%})")
    told = (
        ("训练中恒定，从未使用", "constant in training, so never used", constant),
        ("训练中至少一半缺失", "missing in at least half of the training rows", absent),
        ("测试与训练的缺失比例相差很大", "missing far more or less often in the test", moved),
        ("测试中出现训练未见的类别（条数）", "categories unknown to training (rows)", unknown),
        (
            "测试值超出训练范围（占比）",
            "values outside what training saw (share of test rows)",
            outside,
        ),
    )
    return tuple(Warned(Bilingual(zh=zh, en=en), tuple(names)) for zh, en, names in told if names)


def is_constant(feature: ScoredFeature) -> bool:
    """Whether training saw one value of it, or none."""
    if feature.missing_share >= 1:
        return True
    if feature.missing_share > 0:
        return False
    if feature.type == "category":
        return len(feature.categories) <= 1
    return feature.minimum == feature.maximum


def _outside(feature: ScoredFeature, column: np.ndarray) -> float:
    if feature.minimum is None or feature.maximum is None or not len(column):
        return 0.0
    with np.errstate(invalid="ignore"):
        out = (column < feature.minimum) | (column > feature.maximum)
    return float(out.mean())
