"""The console's own words, in zh-CN and English (docs/words.md)."""

from __future__ import annotations

from base.bilingual import Language

WORDS: dict[str, tuple[str, str]] = {
    "queue": ("线索队列", "Queue of clues"),
    "sign_in": ("登录", "Sign in"),
    "sign_out": ("退出", "Sign out"),
    "key": ("访问密钥", "Key"),
    "wrong_key": ("密钥无效或已停用。", "This key is not in force."),
    "rank": ("本院排序", "Rank"),
    "clue": ("线索", "Clue"),
    "supervision_model": ("监督模型", "Supervision model"),
    "office": ("院", "Office"),
    "raised": ("发现日期", "Raised"),
    "probability": ("成案概率", "Probability"),
    "within": ("本周办案力量之内", "within this week's capacity"),
    "exploration": ("抽查", "drawn by lot"),
    "capacity": ("本周可核查", "to verify this week"),
    "of": ("，共有待处理线索", " of open clues"),
    "next": ("下一页", "Next page"),
    "reasons": ("理由", "Reasons"),
    "contribution": ("作用（对数几率）", "Contribution (log-odds)"),
    "points": ("个百分点", "points"),
    "further": ("下一步核查建议与相似线索", "What to check next, and similar clues"),
    "next_checks": ("下一步核查建议", "What to check next"),
    "no_checks": ("没有待查明的事项。", "Nothing is left to look up."),
    "similar": ("相似线索", "Similar clues"),
    "no_similar": ("没有已办结的相似线索。", "No clue like this one has ended yet."),
    "likeness": ("相似度", "Likeness"),
    "end": ("结果", "What became of it"),
    "became_case": ("成案", "became a case"),
    "no_case": ("未成案", "no case"),
    "in_clue": ("该值见于线索本身。", "This value stands in the clue itself."),
    "counted": ("条记录", "records"),
    "hit": ("计入分子", "in the numerator"),
    "to_clue": ("返回线索", "Back to the clue"),
    "base": ("起点", "Base"),
    "others": ("其余各项合计", "All others together"),
    "margin": ("合计", "Sum (margin)"),
    "records": ("依据记录", "Records"),
    "record": ("记录编号", "Record"),
    "no_records": ("没有可打开的记录。", "No records to open."),
    "legal_ground": ("法律依据", "Legal ground"),
    "flags": ("输入提示", "Notes on the inputs"),
    "scorer": ("评分器", "Scorer"),
    "as_of": ("评分时点", "As of"),
    "subject": ("主体", "Subject"),
    "not_evidence": (
        "评分只用于安排核查先后，不是证据，不代表任何结论。",
        "A score orders the work. It is not evidence and concludes nothing.",
    ),
    "fictitious": (
        "模拟数据：人物、单位、事件均为虚构。",
        "Simulated data: persons, companies and events are fictitious.",
    ),
    "refused": ("无法显示", "This cannot be shown"),
    "back": ("返回队列", "Back to the queue"),
}


def words_of(language: Language) -> dict[str, str]:
    """Every word in one language."""
    at = 0 if language == "zh" else 1
    return {name: pair[at] for name, pair in WORDS.items()}
