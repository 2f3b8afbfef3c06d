"""Values and windows as a reviewer reads them, in zh-CN and English."""

from __future__ import annotations

import math

from base.bilingual import Language
from scoring.bundle import ScoredFeature

MISSING = {"zh": "（无记录）", "en": "(no record)"}


def sentence(feature: ScoredFeature, value: float | str | None, language: Language) -> str:
    """The feature's sentence with its value and window filled in."""
    words = feature.sentence.in_language(language)
    return words.replace("{value}", show_value(feature, value, language)).replace(
        "{window}", show_window(feature.window_days, language)
    )


def show_value(feature: ScoredFeature, value: float | str | None, language: Language) -> str:
    """A value with its unit: cents as yuan, days, shares in per cent, categories by title."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return MISSING[language]
    if isinstance(value, str):
        label = feature.labels.get(value)
        return label.in_language(language) if label else value
    match feature.show:
        case "cents":
            unit = "元" if language == "zh" else " yuan"
            return f"{value / 100:,.2f}{unit}"
        case "days":
            unit = "天" if language == "zh" else " days"
            return f"{value:,.0f}{unit}"
        case "share":
            return f"{value:.1%}"
        case _:
            return f"{value:,.0f}" if value == round(value) else f"{value:,.2f}"


def show_window(days: int | None, language: Language) -> str:
    """A window before the clue's moment."""
    if days is None:
        return "全部历史" if language == "zh" else "all the time before"
    return f"此前{days}天" if language == "zh" else f"the {days} days before"
