"""Why rows were put aside, in Chinese: intake writes its reasons once, in English, as they stand in
files that are kept; a page tells them in the reader's language.

A reason that no line here knows is shown as it was written; a test holds this list beside every
reason that intake can give.
"""

from __future__ import annotations

import re

from base.bilingual import Language

TYPES = {"date": "日期", "timestamp": "时间"}
REASONS: tuple[tuple[str, str], ...] = (
    ("a value", "有值"),
    ("nothing", "无值"),
    ("a whole number", "整数"),
    ("a finite number", "有限数值"),
    ("text", "文本"),
    ("true or false", "是或否"),
    (r"a (date|timestamp) written (.+)", r"按 {2} 书写的{1}"),
    ("text, not a formula", "文本，不是公式"),
    ("visible characters", "可见字符"),
    (r"at least (.+)", r"不小于 {1}"),
    (r"at most (.+)", r"不大于 {1}"),
    (r"text like (.+)", r"符合格式 {1}"),
    (r"one of (.+)", r"下列之一：{1}"),
    (r"a (\w+) admitted in (\w+)", r"{2} 中已接入的 {1}"),
    (r"a time not before (\w+)", r"不早于 {1} 的时间"),
    ("a moment not after now", "不晚于现在的时间"),
    ("UTF-8 text", "UTF-8 文本"),
    ("UTF-8", "UTF-8 编码"),
    (r"a row of at most (\d+) bytes", r"不超过 {1} 字节的一行"),
    ("one row a line", "每行一条记录"),
    ("quotes around a whole value, and two for one inside it", "引号括住整个值，值内引号写两次"),
    (r"(\d+) values", r"{1} 个值"),
    ("one flat JSON object", "一个不嵌套的 JSON 对象"),
    ("each name once", "每个名称只出现一次"),
    ("rows that two readers see alike", "两种读法结果一致的行"),
    ("a NUL character", "空字符（NUL）"),
    ("undecodable bytes", "无法解码的字节"),
    ("a longer one", "更长"),
    ("a carriage return inside a row", "行内有回车符"),
    ("a quote that is not closed or stands inside a value", "引号未闭合或出现在值内"),
    ("something else", "其他内容"),
    ("a name twice", "名称重复"),
    ("rows they part differently", "两种读法分行不同"),
    ("mend the value at its source", "在来源处改正"),
    (
        "mend the value at its source or declare the form in `formats`",
        "在来源处改正，或在契约的 formats 中声明此写法",
    ),
    ("fill it at its source", "在来源处补填"),
    ("export values, not formulas", "导出数值，不要导出公式"),
    ("take the characters out that cannot be seen", "去掉不可见字符"),
    ("mend the value, or widen the bound in the contract", "改正该值，或在契约中放宽范围"),
    ("mend the value, or add it to the enum", "改正该值，或在契约的取值表中加入它"),
    (r"admit (\w+) first, then this file again", r"先接入 {1}，再接入本文件"),
    ("mend the two times at their source", "在来源处改正这两个时间"),
    (
        r"mend the time at its source, or send the row when it is so far( \(see `planned`\))?",
        "在来源处改正时间，或到时再报送",
    ),
    ("quote the value it is in", "用引号括住该值"),
    ("mend the quotes at their source", "在来源处改正引号"),
    ("quote values that hold the separator, or fill the gap", "含分隔符的值加引号，或补齐缺项"),
    ("write one object of plain values a line", "每行写一个不嵌套的对象"),
    ("take out what is not meant", "去掉多余的"),
    ("ask for this row again", "请来源重报该行"),
    ("ask the sender for this row again", "请来源重报该行"),
    ("ask for it again", "请来源重报"),
)
KNOWN = tuple((re.compile(english), chinese) for english, chinese in REASONS)
OPERATORS: dict[str, tuple[str, str]] = {
    "mustBe": ("等于", "exactly"),
    "mustNotBe": ("不等于", "not"),
    "mustBeGreaterThan": ("大于", "more than"),
    "mustBeGreaterOrEqualTo": ("不小于", "at least"),
    "mustBeLessThan": ("小于", "less than"),
    "mustBeLessOrEqualTo": ("不大于", "at most"),
    "mustBeBetween": ("介于", "between"),
    "mustNotBeBetween": ("不介于", "not between"),
}
JOINED = {" and ": "与", " percent": " %"}


def reason_in(text: str, language: Language) -> str:
    """A reason of intake, what was wanted, got or its cure, in a language."""
    if language == "en":
        return text
    for english, chinese in KNOWN:
        if found := english.fullmatch(text):
            parts = [TYPES.get(each, each) for each in found.groups()]
            return chinese.format(text, *parts)
    return text


def bound_in(text: str, language: Language) -> str:
    """The bound of a quality rule (`mustBeLessThan 5 percent`), in words."""
    operator, _, bounds = text.partition(" ")
    if operator not in OPERATORS:
        return text
    said = OPERATORS[operator][0 if language == "zh" else 1]
    bounds = bounds.replace(" percent", JOINED[" percent"])
    if language == "zh":
        bounds = bounds.replace(" and ", JOINED[" and "])
    return f"{said} {bounds}"
