"""Values and windows as a reviewer reads them, in zh-CN and English."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from base.bilingual import Bilingual, Language
from features.shapes import Show
from scoring.bundle import ScoredFeature

MISSING = {"zh": "（无记录）", "en": "(no record)"}
ASKED = {"zh": "……", "en": "..."}
# A ratio is drawn towards a wider share (docs/reasons.md): it is not the share of its records.
DRAWN = {
    "zh": "（估计值，已按更大范围的平均折算）",
    "en": " (an estimate, drawn towards a wider average)",
}


def sentence(feature: ScoredFeature, value: float | str | None, language: Language) -> str:
    """The feature's sentence with its value and window filled in."""
    if is_missing(value):
        return missing_sentence(feature, language)
    words = sentence_words(feature, language)
    return words.replace("{value}", show_value(feature, value, language))


def sentence_words(feature: ScoredFeature, language: Language) -> str:
    """The feature's sentence about a known value, which is still to be filled in."""
    words = _with_window(feature, language)
    return words + DRAWN[language] if feature.is_ratio else words


def missing_sentence(feature: ScoredFeature, language: Language) -> str:
    """What is told where nothing is known: what it is of, where that has a title.

    Of the clue itself nothing is recorded, be it that nobody knows or that its supervision model
    has no such thing (a fine of a licence): neither is claimed. Of records looked up there is none.
    """
    if language == "zh":
        return f"{'无记录' if feature.is_looked_up else '未登记'}：{_titled(feature, language)}"
    return (
        f"{'no record' if feature.is_looked_up else 'not recorded'}: {_titled(feature, language)}"
    )


def _titled(feature: ScoredFeature, language: Language) -> str:
    """The title with its window; of a bundle of before the sentence with its value left open."""
    if feature.title is None:
        asked = asked_sentence(feature, language)
        return f"“{asked}”" if language == "zh" else f'"{asked}"'
    title = feature.title.in_language(language)
    if feature.window_days is None:
        return title
    window = show_window(feature.window_days, language)
    return f"{title}（{window}）" if language == "zh" else f"{title} ({window})"


def asked_sentence(feature: ScoredFeature, language: Language) -> str:
    """The feature's sentence with its value left open: what is to be looked up."""
    return _with_window(feature, language).replace("{value}", ASKED[language])


def _with_window(feature: ScoredFeature, language: Language) -> str:
    words = feature.sentence.in_language(language)
    return words.replace("{window}", show_window(feature.window_days, language))


def flag_sentence(
    flag: str,
    features: Mapping[str, ScoredFeature],
    values: Mapping[str, float | str | None],
    language: Language,
) -> str:
    """A flag (`kind:feature`) as a reviewer reads it."""
    kind, _, name = flag.partition(":")
    feature = features.get(name)
    if feature is None:
        return flag
    said = sentence(feature, values.get(name), language)
    chinese = language == "zh"
    match kind:
        case "missing":
            return f"{said}；学习时几乎都有" if chinese else f"{said}; nearly always known"
        case "unknown_category":
            return f"{said}：学习时未见过" if chinese else f"{said}: never seen when learning"
        case "out_of_range":
            low, high = (
                show_value(feature, bound, language) for bound in (feature.minimum, feature.maximum)
            )
            seen = f"：超出学习时的范围（{low}至{high}）"
            return said + (seen if chinese else f": outside what was seen ({low} to {high})")
        case _:
            return said


def check_sentence(
    feature: ScoredFeature, source: Bilingual | None, stale: bool, change: float, language: Language
) -> str:
    """What to look up, where it would come from, and what knowing it would move.

    `change`: the expected absolute change of probability, 0 to 1.
    """
    asked = asked_sentence(feature, language)
    points = f"{100 * change:.1f}"
    if language == "zh":
        place = f"数据集“{source.zh}”" if source else "线索本身的要素"
        why = "已有记录较旧" if stale else "尚无记录"
        return f"请核查“{asked}”（来源：{place}；{why}）：查明后成案概率预计变动{points}个百分点"
    place = f"record set {source.en}" if source else "a fact of the clue itself"
    why = "what is there is old" if stale else "nothing is there"
    return (
        f'look up "{asked}" (from: {place}; {why}):'
        f" knowing it is expected to move the probability by {points} percentage points"
    )


def show_value(feature: ScoredFeature, value: float | str | None, language: Language) -> str:
    """A value with its unit: cents as yuan, days, shares in per cent, categories by title."""
    if value is None or is_missing(value):
        return MISSING[language]
    if isinstance(value, str):
        label = feature.labels.get(value)
        return label.in_language(language) if label else value
    return number_shower(feature.show, language)(value)


def is_missing(value: float | str | None) -> bool:
    """Whether nothing is known."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def number_shower(show: Show, language: Language) -> Callable[[float], str]:
    """How a feature's numbers are shown."""
    match show:
        case "cents":
            unit = "元" if language == "zh" else " yuan"
            return lambda value: f"{value / 100:,.2f}{unit}"
        case "days":
            unit = "天" if language == "zh" else " days"
            return lambda value: f"{value:,.0f}{unit}"
        case "share":
            return lambda value: f"{value:.1%}"
        case _:
            return lambda value: f"{value:,.0f}" if value == round(value) else f"{value:,.2f}"


def show_window(days: int | None, language: Language) -> str:
    """A window before the clue's moment."""
    if days is None:
        return "全部历史" if language == "zh" else "all the time before"
    return f"此前{days}天" if language == "zh" else f"the {days} days before"
