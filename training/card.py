"""The model card of a scorer: what it is for, what it learned from, how good it is, its limits.

Sections follow Mitchell et al., "Model Cards for Model Reporting" (FAT* 2019). One card is told
twice: as Markdown beside the bundle, and within the report.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from base.bilingual import Bilingual
from scoring.bundle import ScoredFeature
from scoring.sentences import show_window
from training.contributions import Contributions
from training.evaluate import Judged
from training.experiment import Experiment, OutcomeLabel
from training.fairness import GroupAudit
from training.figure_table import DASH, Line
from training.inputs_told import Warned
from training.plots import ranking_title

FEATURES_TOLD = 10
SPECIAL = "\\`*_{}[]<>#|~"


@dataclass(frozen=True)
class Table:
    """Texts in rows as wide as `head`."""

    head: tuple[Bilingual, ...]
    rows: tuple[tuple[str | Bilingual, ...], ...]


@dataclass(frozen=True)
class Section:
    """A heading, sentences, and a table or none."""

    title: Bilingual
    words: tuple[Bilingual, ...] = ()
    table: Table | None = None


@dataclass(frozen=True)
class Figures:
    """The figure table of the card: a line per figure, a cell per ranking; `reasons` explain
    the numbers of its footnotes."""

    rankings: tuple[str, ...]
    lines: Sequence[Line]
    reasons: Sequence[Bilingual]


@dataclass(frozen=True)
class ModelCard:
    """A title and sections, both languages."""

    title: Bilingual
    sections: tuple[Section, ...]


def model_card(
    experiment: Experiment,
    digest: str,
    judged: Sequence[Judged],
    figures: Figures,
    moves: Contributions,
    audits: Sequence[GroupAudit],
    warnings: Sequence[Warned],
) -> ModelCard:
    """The card of the last split's scorer; `audits`, `warnings` and `moves` are of its test."""
    return ModelCard(
        title=experiment.title,
        sections=(
            _scorer(digest, judged[-1]),
            INTENDED,
            _label(experiment),
            _data(judged),
            _figures(figures, len(judged)),
            _inputs(moves),
            _fairness(audits),
            _limits(judged[-1], warnings),
        ),
    )


def markdown(card: ModelCard) -> str:
    """The card as Markdown (GitHub tables); every text put in is escaped."""
    parts = [f"# {_both(card.title)}"]
    for section in card.sections:
        parts.append(f"## {_both(section.title)}")
        if section.words:
            parts.append("\n".join(f"- {_both(words)}" for words in section.words))
        if section.table is not None:
            head = [_both(title) for title in section.table.head]
            rows = [[_both(cell) for cell in row] for row in section.table.rows]
            lines = [head, ["---"] * len(head), *rows]
            parts.append("\n".join(f"| {' | '.join(line)} |" for line in lines))
    return "\n\n".join(parts) + "\n"


def sentences(feature: ScoredFeature) -> Bilingual:
    """A feature's sentence without a value."""
    zh = feature.sentence.zh.replace("{window}", show_window(feature.window_days, "zh"))
    en = feature.sentence.en.replace("{window}", show_window(feature.window_days, "en"))
    return Bilingual(zh=zh.replace("{value}", "…"), en=en.replace("{value}", "…"))


INTENDED = Section(
    Bilingual(zh="用途", en="Intended use"),
    (
        Bilingual(
            zh="安排线索核查的先后；由人决定办理，分数不是证据。",
            en="To order the verification of clues. A person decides; a score is not evidence.",
        ),
        Bilingual(
            zh="不得用于：认定个人责任，评价检察院或人员，给训练中没有的监督模型或地区的线索排序。",
            en="Not for: finding anyone guilty, judging offices or staff, or clues of supervision"
            " models or places that it has not learned from.",
        ),
    ),
)


def _scorer(digest: str, last: Judged) -> Section:
    parameters = ", ".join(f"{name} {value}" for name, value in last.fitted.parameters.items())
    trees, features = last.fitted.booster.num_trees(), len(last.features)
    notes = tuple(note.words for note in last.fitted.notes)
    return Section(
        Bilingual(zh="评分器", en="Scorer"),
        (
            Bilingual(zh=f"摘要：{digest}", en=f"Digest: {digest}"),
            Bilingual(
                zh=f"LightGBM {trees} 棵树，{features} 项特征，概率经校准。",
                en=f"LightGBM, {trees} trees over {features} features, probabilities calibrated.",
            ),
            Bilingual(zh=f"参数：{parameters}", en=f"Parameters: {parameters}"),
            Bilingual(
                zh=f"训练集：{last.training_set.digest}",
                en=f"Training set: {last.training_set.digest}",
            ),
            *notes,
        ),
    )


def _label(experiment: Experiment) -> Section:
    title = Bilingual(zh="标签", en="Label")
    label = experiment.label
    if not isinstance(label, OutcomeLabel):
        within = label.within
        zh = "".join(
            (f"{within.months} 个月" * bool(within.months), f"{within.days} 天" * bool(within.days))
        )
        en = " and ".join(
            part
            for part in (
                f"{within.months} months" * bool(within.months),
                f"{within.days} days" * bool(within.days),
            )
            if part
        )
        told = Bilingual(
            zh=f"线索之后{zh}内 {label.record_set} 有符合“{label.positive}”的记录；"
            "没有任何记录是未知。",
            en=f"Within {en} after the clue a record of {label.record_set} has {label.positive};"
            " no record at all is unknown, not negative.",
        )
        return Section(title, (told,))
    ripe = label.horizon_days + label.reporting_lag_days
    words = [
        Bilingual(
            zh=f"线索在 {label.horizon_days} 天内成案。无人核查的线索是未知，不是负例。",
            en=f"A clue became a case within {label.horizon_days} days. Clues nobody pursued are"
            " unknown, not negative.",
        ),
        Bilingual(
            zh=f"距截止不足 {ripe} 天的线索标签未成熟，也是未知。",
            en=f"Clues raised less than {ripe} days before the cut are unripe: unknown, too.",
        )
        if label.survival is None
        else Bilingual(
            zh=f"距截止不足 {ripe} 天的线索按已经历的 {label.survival.step_days} 天步长参与学习。",
            en=f"Clues raised less than {ripe} days before the cut teach the steps of"
            f" {label.survival.step_days} days that they have lived through.",
        ),
        Bilingual(zh="立案后撤回不算成案。", en="A case that was withdrawn later is no case.")
        if label.withdrawn == "negative"
        else Bilingual(zh="立案后撤回是未知。", en="A case that was withdrawn later is unknown."),
    ]
    return Section(title, tuple(words))


def _data(judged: Sequence[Judged]) -> Section:
    head = (
        Bilingual(zh="学习", en="learned from"),
        Bilingual(zh="测试", en="tested on"),
        Bilingual(zh="学习线索", en="clues that teach"),
        Bilingual(zh="其中案件", en="of them cases"),
        Bilingual(zh="评判线索", en="clues that judge"),
        Bilingual(zh="其中案件", en="of them cases"),
        Bilingual(zh="测试无标签", en="tested without a label"),
    )
    rows = tuple(
        (
            f"{each.split.train_from:%Y-%m-%d} – {each.split.train_until:%Y-%m-%d}",
            f"{each.split.test_from:%Y-%m-%d} – {each.split.test_until:%Y-%m-%d}",
            *(f"{count:,}" for count in _counted(each)),
        )
        for each in judged
    )
    told = Bilingual(
        zh="保存的是最后一次划分的评分器。", en="The scorer of the last split is the one kept."
    )
    return Section(Bilingual(zh="数据", en="Data"), (told,), Table(head, rows))


def _counted(judged: Judged) -> tuple[int, int, int, int, int]:
    """Rows that teach and cases among them, test rows with a label, cases, test rows without."""
    teaching = judged.training_set.label
    label = np.asarray(judged.scores["label"].to_numpy(), np.float64)
    known = ~np.isnan(label)
    cases = int(label[known].sum())
    return len(teaching), int(teaching.sum()), int(known.sum()), cases, int((~known).sum())


def _figures(figures: Figures, splits: int) -> Section:
    head = (
        Bilingual(zh="指标", en="figure"),
        *(ranking_title(name) for name in figures.rankings),
    )
    rows: tuple[tuple[str | Bilingual, ...], ...] = tuple(
        (
            line.title,
            *(cell.text + (f" [{cell.note}]" if cell.note else "") for cell in line.cells),
        )
        for line in figures.lines
    )
    words = (
        Bilingual(
            zh=f"{splits} 次测试的平均；只计有标签的测试线索，同分按期望计。",
            en=f"Mean over {splits} tests, labelled test clues only, ties by their expectation.",
        ),
        *(
            Bilingual(zh=f"{DASH} [{at}] {why.zh}", en=f"{why.en}")
            for at, why in enumerate(figures.reasons, 1)
        ),
    )
    return Section(Bilingual(zh="结果", en="Figures"), words, Table(head, rows))


def _inputs(moves: Contributions) -> Section:
    title = Bilingual(zh="依据的特征", en="What it looks at")
    told = moves.order[:FEATURES_TOLD]
    if not told:
        nothing = Bilingual(
            zh="没有任何特征改变分数，所有线索同分。",
            en="No feature moves the score: every clue has the same.",
        )
        return Section(title, (nothing,))
    shares = moves.shares
    head = (
        Bilingual(zh="特征", en="feature"),
        Bilingual(zh="含义", en="meaning"),
        Bilingual(zh="占全部贡献", en="share of all movement"),
    )
    rows: list[tuple[str | Bilingual, ...]] = []
    for at in told:
        feature = moves.features[at]
        rows.append((feature.name, sentences(feature), f"{shares[feature.name]:.1%}"))
    return Section(title, (), Table(head, tuple(rows)))


def _fairness(audits: Sequence[GroupAudit]) -> Section:
    nothing = Bilingual(
        zh="实验未声明要比较的群体，未作审计。",
        en="The experiment declares no groups to compare: not audited.",
    )
    return Section(
        Bilingual(zh="公平", en="Fairness"),
        tuple(audit.reading for audit in audits) or (nothing,),
    )


def _limits(last: Judged, warnings: Sequence[Warned]) -> Section:
    _, _, known, cases, unknown = _counted(last)
    whole = known + unknown
    words = [
        Bilingual(
            zh=f"最后一次测试的 {whole:,} 条线索中 {unknown:,} 条没有标签"
            f"（{unknown / whole:.0%}）；结果只对 {known:,} 条有标签的线索"
            f"（{cases:,} 件案件）成立，谁被核查由派发决定。",
            en=f"Of the {whole:,} clues of the last test {unknown:,} have no label"
            f" ({unknown / whole:.0%}); the figures hold for the {known:,} that have one"
            f" ({cases:,} cases). Dispatch decides who gets a label.",
        ),
        Bilingual(
            zh="贡献说明评分器如何使用特征，不说明因果。",
            en="Contributions tell how the scorer uses a feature, not what causes a case.",
        ),
    ]
    for warned in warnings:
        names = ", ".join(warned.features)
        words.append(Bilingual(zh=f"{warned.words.zh}：{names}", en=f"{warned.words.en}: {names}"))
    return Section(Bilingual(zh="局限", en="Limits"), tuple(words))


def _both(words: Bilingual | str) -> str:
    """Both languages in one line, once where they are the same."""
    if isinstance(words, str):
        return _escaped(words)
    if words.zh == words.en:
        return _escaped(words.en)
    return f"{_escaped(words.zh)} · {_escaped(words.en)}"


def _escaped(text: Any) -> str:
    """Text that Markdown shows as it is, on one line."""
    line = " ".join(str(text).split())
    return "".join(f"\\{letter}" if letter in SPECIAL else letter for letter in line)
