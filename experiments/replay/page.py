"""The replay drawn: one HTML file that needs nothing else."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from base.bilingual import Bilingual
from training.drawing import COLOURS, Axis, Chart, share_axis

TITLES = {
    "scorer": Bilingual(zh="评分排序（含抽查）", en="scorer, with exploration"),
    "without_exploration": Bilingual(zh="评分排序（无抽查）", en="scorer, without exploration"),
    "oracle": Bilingual(zh="全知排序", en="oracle"),
    "severity": Bilingual(zh="按严重程度", en="severity"),
    "first_come": Bilingual(zh="先来先办", en="first come, first served"),
}
STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;color:#1b2733;max-width:62rem;margin:2rem auto;"
    "padding:0 1rem}table{border-collapse:collapse;margin:1rem 0}td,th{padding:.25rem .7rem;"
    "border-bottom:1px solid #d8dee4;text-align:right}td:first-child,th:first-child{text-align:"
    "left}svg{max-width:100%;height:auto;margin:1rem 1rem 1rem 0}small{color:#5a6672}"
)


def write_page(result: dict[str, Any], path: Path) -> Path:
    """Write the page of a replay's result (what `replay` returns)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    charts = found_chart(result["months"]).svg() + calibration_chart(result["months"]).svg()
    head = "月度回放 · The loop replayed"
    path.write_text(
        f'<!doctype html><html lang="zh"><meta charset="utf-8"><title>{head}</title>'
        f"<style>{STYLE}</style><h1>{head}</h1>"
        "<p>模拟省份，一切均为虚构。A simulated province; everything is fictitious.</p>"
        f"{_table(result)}{charts}{_notes(result)}</html>\n",
        "utf-8",
    )
    return path


def found_chart(months: list[dict[str, Any]]) -> Chart:
    """Cases found, added up over the months, per arm."""
    added = {name: np.cumsum([_cases(month, name) for month in months]) for name in TITLES}
    most = max(1.0, *(float(line[-1]) for line in added.values()))
    title = Bilingual(zh="累计成案数", en="cases found, added up")
    chart = Chart(title, _months_axis(months), _count_axis(most, f"{title.zh} {title.en}"), 460)
    across = np.arange(1, len(months) + 1, dtype=np.float64)
    for colour, (name, line) in zip(COLOURS, added.items(), strict=False):
        told = TITLES[name]
        chart.line(across, line.astype(np.float64), colour, f"{told.zh} {told.en}")
    return chart


def calibration_chart(months: list[dict[str, Any]]) -> Chart:
    """Mean probability told each month, and the share of those clues that are cases."""
    told = [(at, m["calibration"]) for at, m in enumerate(months, 1) if m["calibration"]]
    most = max([0.1, *(max(each["said"], each["came"]) for _, each in told)])
    title = Bilingual(zh="每月：所给概率与实际成案", en="each month: probability told, cases come")
    chart = Chart(title, _months_axis(months), share_axis(f"{title.zh} {title.en}", most), 460)
    across = np.array([at for at, _ in told], np.float64)
    for colour, key, name in ((0, "said", "概率 told"), (1, "came", "成案 came")):
        line = np.array([each[key] for _, each in told], np.float64)
        chart.line(across, line, COLOURS[colour], name, dashed=key == "came")
    return chart


def _cases(month: dict[str, Any], arm: str) -> int:
    return int(month["cases_found" if arm == "scorer" else arm])


def _months_axis(months: list[dict[str, Any]]) -> Axis:
    step = max(1, len(months) // 4)
    ticks = tuple((at + 1.0, months[at]["month"]) for at in range(0, len(months), step))
    return Axis(1.0, float(max(2, len(months))), "", ticks)


def _count_axis(most: float, label: str) -> Axis:
    step = max(1, round(most / 4))
    ticks = tuple((float(step * part), str(step * part)) for part in range(5))
    return Axis(0.0, most * 1.05, label, ticks)


def _table(result: dict[str, Any]) -> str:
    best = max(1, result["cases_found"]["oracle"])
    lines = "".join(
        f"<tr><td>{escape(TITLES[name].zh)} {escape(TITLES[name].en)}</td>"
        f"<td>{result['dispatched'][name]}</td><td>{found}</td><td>{found / best:.1%}</td></tr>"
        for name, found in sorted(result["cases_found"].items(), key=lambda each: -each[1])
    )
    return (
        "<table><tr><th>排序 order</th><th>分派 dispatched</th><th>成案 cases</th>"
        f"<th>占全知 of the oracle's</th></tr>{lines}</table>"
    )


def _notes(result: dict[str, Any]) -> str:
    found = {
        "先来先办的倍数 times first come": result["cases_vs_first_come"],
        "占全知 share of the oracle's cases": result["share_of_oracle"],
        "校准误差 calibration error": result["ece"],
        "发现新型线索用月 months until the new pattern was found": result[
            "new_pattern_found_after_months"
        ],
        "同上，无抽查 the same without exploration": result["without_exploration"][
            "new_pattern_found_after_months"
        ],
    }
    items = "".join(
        f"<li>{escape(name)}: {'—' if value is None else value}</li>"
        for name, value in found.items()
    )
    return f"<ul>{items}</ul>"
