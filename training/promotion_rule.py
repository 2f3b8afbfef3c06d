"""The promotion rule as a jurisdiction writes it in `promotion.yaml`, and its verdict on a scorer.

A challenger must find more cases at capacity than the champion, surely not many fewer; must not
push more cases into the bottom half; must mean what its probabilities say; and must treat declared
groups alike where that was audited. The first champion has nobody to beat: absolute bounds only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from base.bilingual import Bilingual
from base.declared import load_declared
from training.experiment import Declared

FILE = "promotion.yaml"
RuleName = Literal["tested", "cases_found", "tail_recall", "calibration", "fairness"]
Share = Annotated[float, Field(ge=0, le=1)]
TITLES: dict[RuleName, Bilingual] = {
    "tested": Bilingual(zh="同行比较", en="judged on test rows"),
    "cases_found": Bilingual(zh="按办案力量找到的案件", en="cases found at capacity"),
    "tail_recall": Bilingual(zh="排在后一半的案件", en="cases ranked in the bottom half"),
    "calibration": Bilingual(zh="概率校准", en="calibration"),
    "fairness": Bilingual(zh="群体公平", en="fairness between groups"),
}


class PromotionRule(Declared):
    """What a scorer must show before two persons may put it in use. Shares are of 1."""

    capacity: Annotated[
        str,
        Field(pattern=r"^[1-9][0-9]?%$", description="How much of the queue offices can look at."),
    ] = "20%"
    cases_found_gain_at_least: Annotated[
        float,
        Field(
            ge=-1,
            le=1,
            description="Gain over the champion in the share of cases found within capacity;"
            " negative allows a loss.",
        ),
    ] = 0.0
    cases_found_surely_not_worse_by: Annotated[
        Share, Field(description="The paired 95 % interval of that gain lies above minus this.")
    ] = 0.05
    tail_recall_loss_worse_by_at_most: Annotated[
        Share,
        Field(description="How many more of the cases may be in the bottom half (share of them)."),
    ] = 0.02
    ece_at_most: Annotated[
        Share,
        Field(description="Calibration error beyond what chance alone shows on as many rows."),
    ] = 0.05
    fairness_gap_at_most: Annotated[
        Share,
        Field(
            description="Largest difference in selection rate or recall, where chance does not"
            " explain it, between groups that the experiment declares under `fairness`."
        ),
    ] = 0.2

    @property
    def share(self) -> float:
        """The capacity as a share of the queue."""
        return int(self.capacity.rstrip("%")) / 100


@dataclass(frozen=True)
class PairedInterval:
    """Challenger minus champion over the same rows, with a 95 % interval."""

    difference: float
    low: float
    high: float


@dataclass(frozen=True)
class RuleFigures:
    """What the rule needs to know of one scorer on the labelled test rows; undefined is None.

    `ece_by_chance`: the error that a perfectly calibrated scorer would show on as many rows.
    `fairness_gaps`: per audited gap (`column/selection_rate`, `column/recall`) the largest
    difference between two groups, 0 where chance explains it; None where nothing was audited.
    """

    cases_found: float | None
    tail_recall_loss: float | None
    ece: float | None
    ece_by_chance: float = 0.0
    fairness_gaps: Mapping[str, float] | None = None


@dataclass(frozen=True)
class Reason:
    """One line of the verdict. `value` against `bound` decides; None: could not be told."""

    rule: RuleName
    wanted: Bilingual
    got: Bilingual
    passed: bool
    bound: float | None = None
    value: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Plain values, with the rule's title."""
        texts = {name: getattr(self, name).model_dump() for name in ("wanted", "got")}
        return {**asdict(self), **texts, "title": TITLES[self.rule].model_dump()}


@dataclass(frozen=True)
class Verdict:
    """What the rule says, reason by reason."""

    reasons: tuple[Reason, ...]

    @property
    def passed(self) -> bool:
        return all(reason.passed for reason in self.reasons)

    @property
    def failed(self) -> tuple[Reason, ...]:
        return tuple(reason for reason in self.reasons if not reason.passed)


def load_promotion_rule(jurisdiction: Path) -> PromotionRule:
    """The rule in a jurisdiction's folder, or the default where it declares none."""
    path = jurisdiction / FILE
    return load_declared(path, PromotionRule) if path.is_file() else PromotionRule()


def judge(
    rule: PromotionRule,
    challenger: RuleFigures,
    champion: RuleFigures | None = None,
    paired: Mapping[str, PairedInterval] | None = None,
) -> Verdict:
    """Every reason for and against, never only the first.

    `champion`: None for the first one. `paired` has `cases_found` (at the rule's capacity).
    """
    reasons = []
    if champion is not None:
        reasons.append(_cases_found(rule, (paired or {}).get("cases_found")))
        reasons.append(_tail_recall(rule, challenger, champion))
    reasons.append(_calibration(rule, challenger))
    reasons.append(_fairness(rule, challenger))
    return Verdict(tuple(reasons))


def untested(why: Bilingual) -> Verdict:
    """The verdict on a scorer that cannot be judged: it fails, and says why."""
    wanted = Bilingual(
        zh="与现行评分器在同一批测试线索上的结果",
        en="figures on test rows that the champion can be judged on too",
    )
    return Verdict((Reason("tested", wanted, why, False),))


def _cases_found(rule: PromotionRule, interval: PairedInterval | None) -> Reason:
    gain, worse = rule.cases_found_gain_at_least, rule.cases_found_surely_not_worse_by
    wanted = Bilingual(
        zh=f"前 {rule.capacity} 找到的案件份额比现行评分器多至少 {_points(gain)}，"
        f"区间下限高于 {_points(-worse)}",
        en=f"at least {_points(gain)} more of the cases in the first {rule.capacity} than the"
        f" champion, and the interval above {_points(-worse)}",
    )
    if interval is None:
        return Reason("cases_found", wanted, _undefined(), False, -worse)
    span = f"{_points(interval.difference)} [{_points(interval.low)}, {_points(interval.high)}]"
    return Reason(
        "cases_found",
        wanted,
        Bilingual(zh=span, en=span),
        interval.difference >= gain and interval.low > -worse,
        -worse,
        interval.low,
    )


def _tail_recall(rule: PromotionRule, challenger: RuleFigures, champion: RuleFigures) -> Reason:
    bound = rule.tail_recall_loss_worse_by_at_most
    wanted = Bilingual(
        zh=f"排在后一半的案件比现行评分器最多多 {_points(bound)}",
        en=f"at most {_points(bound)} more of the cases in the bottom half than the champion",
    )
    ours, theirs = challenger.tail_recall_loss, champion.tail_recall_loss
    if ours is None or theirs is None:
        return Reason("tail_recall", wanted, _undefined(), False, bound)
    got = Bilingual(
        zh=f"{ours:.1%}，现行评分器 {theirs:.1%}", en=f"{ours:.1%}, the champion {theirs:.1%}"
    )
    return Reason("tail_recall", wanted, got, ours - theirs <= bound, bound, ours - theirs)


def _calibration(rule: PromotionRule, challenger: RuleFigures) -> Reason:
    bound, chance = rule.ece_at_most, challenger.ece_by_chance
    wanted = Bilingual(
        zh=f"校准误差超出偶然部分不多于 {bound:.3f}",
        en=f"a calibration error at most {bound:.3f} beyond chance",
    )
    if challenger.ece is None:
        return Reason("calibration", wanted, _undefined(), False, bound)
    beyond = max(0.0, challenger.ece - chance)
    got = Bilingual(
        zh=f"{beyond:.3f}（误差 {challenger.ece:.3f}，其中偶然 {chance:.3f}）",
        en=f"{beyond:.3f} (an error of {challenger.ece:.3f}, of which chance {chance:.3f})",
    )
    return Reason("calibration", wanted, got, beyond <= bound, bound, beyond)


def _fairness(rule: PromotionRule, challenger: RuleFigures) -> Reason:
    bound = rule.fairness_gap_at_most
    wanted = Bilingual(
        zh=f"各群体入选率、召回率之差不大于 {_points(bound)}",
        en=f"selection rates and recalls of groups at most {_points(bound)} apart",
    )
    gaps = challenger.fairness_gaps
    if gaps is None:
        got = Bilingual(zh="未审计：实验未声明群体", en="not audited: no groups are declared")
        return Reason("fairness", wanted, got, True, bound)
    if not gaps:
        got = Bilingual(zh="各群体过小，无法比较", en="groups too small to be compared")
        return Reason("fairness", wanted, got, True, bound)
    name = max(gaps, key=lambda each: gaps[each])
    told = f"{name} {_points(gaps[name])}"
    return Reason(
        "fairness", wanted, Bilingual(zh=told, en=told), gaps[name] <= bound, bound, gaps[name]
    )


def _undefined() -> Bilingual:
    return Bilingual(zh="无法计算：测试线索中没有两类", en="not defined: one class only was tested")


def _points(share: float) -> str:
    """Percentage points, with a sign where it falls."""
    return f"{100 * share:.1f} pp"
