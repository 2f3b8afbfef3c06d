"""Names and identity numbers that look real and belong to nobody.

An identity number has 18 characters: region, birthday, serial number, check character (ISO 7064,
MOD 11-2, as GB 11643-1999 has it). Region codes that begin with 99 are not assigned.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Texts = npt.NDArray[np.object_]

SURNAMES = (
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏"
    "薛叶阎余潘杜戴夏钟汪田任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武"
)
GIVEN = (
    "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰红文辉力峰建国志海斌宇浩凯健俊帆鑫雪梅琳晨"
    "佳欣怡嘉宁博轩子涵梓萱雨桐思源一诺若曦天佑春生福贵长根水生金宝银花翠莲淑珍凤仙月娥"
)
STEMS = (
    "安源",
    "恒泰",
    "瑞丰",
    "鼎盛",
    "华信",
    "新远",
    "德润",
    "金穗",
    "宏达",
    "天禾",
    "嘉禾",
    "清泉",
)
TRADE_WORDS = {
    "food": "食品",
    "transport": "运输",
    "building": "建筑",
    "trade": "商贸",
    "services": "服务",
    "manufacture": "制造",
}
WEIGHTS = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2])
CHECK = np.array(list("10X98765432"), dtype=object)
# Persons of one county and birthday in one block; more are born on another day.
SAME_DAY, SERIALS = 4, 1_000
MOST_BLOCKS = SERIALS // (2 * SAME_DAY)


def person_names(count: int, draw: np.random.Generator) -> Texts:
    """A surname and one or two further characters."""
    surnames, given = np.array(list(SURNAMES)), np.array(list(GIVEN))
    # Few surnames are common, most are rare.
    family = surnames[(len(surnames) * draw.random(count) ** 2).astype(np.int64)]
    first, second = given[draw.integers(0, len(given), (2, count))]
    single = draw.random(count) < 0.15
    return np.char.add(np.char.add(family, first), np.where(single, "", second)).astype(object)


def company_names(trades: Texts, draw: np.random.Generator) -> Texts:
    """Two words, the trade, and that it is made up."""
    stems = np.array(STEMS)
    one, two = stems[draw.integers(0, len(stems), (2, len(trades)))]
    words = np.array([TRADE_WORDS[trade] for trade in trades])
    whole = np.char.add(np.char.add(one, two), np.char.add(words, "有限公司（虚构）"))
    return whole.astype(object)


def check_character(seventeen: str) -> str:
    """The 18th character of an identity number."""
    total = sum(int(digit) * int(weight) for digit, weight in zip(seventeen, WEIGHTS, strict=True))
    return str(CHECK[total % 11])


def identity_numbers(
    county: Texts,
    born: npt.NDArray[np.datetime64],
    woman: npt.NDArray[np.bool_],
    block: int,
    draw: np.random.Generator,
) -> tuple[Texts, npt.NDArray[np.datetime64]]:
    """One number for each person of a block, unlike any of another block; and birthdays (n,).

    `county` holds office ids (AHxxyy). Serial numbers of men are odd. Where a birthday of a county
    has used up its numbers, the rest are born on other days.
    """
    regions, of_region = np.unique(county.astype(str), return_inverse=True)
    of_county = np.array([each[2:] for each in regions])[of_region]
    born = born.copy()
    serial = _place_within(of_county, born, woman)
    while (late := serial >= SAME_DAY).any():
        born[late] += draw.integers(1, 300, int(late.sum())).astype("timedelta64[D]")
        serial = _place_within(of_county, born, woman)
    number = (block * SAME_DAY + serial) * 2 + ~woman
    day = np.char.replace(np.datetime_as_string(born, "D"), "-", "")
    parts = np.char.add(np.char.add("99", of_county), np.char.add(day, _three(number)))
    digits = parts.view(np.uint32).reshape(len(parts), -1)[:, :17].astype(np.int64) - ord("0")
    checks = CHECK[(digits @ WEIGHTS) % 11].astype(str)
    return np.char.add(parts, checks).astype(object), born


def _place_within(
    county: npt.NDArray[np.str_],
    born: npt.NDArray[np.datetime64],
    woman: npt.NDArray[np.bool_],
) -> Ints:
    """How many before each person share county, birthday and sex."""
    key = county.astype(np.int64) * 200_000 + born.astype("datetime64[D]").astype(np.int64) * 2
    key = key + woman
    order = np.argsort(key, kind="stable")
    ranked = key[order]
    starts = np.append(0, np.flatnonzero(ranked[1:] != ranked[:-1]) + 1)
    sizes = np.diff(np.append(starts, len(ranked)))
    place = np.empty(len(key), np.int64)
    place[order] = np.arange(len(key)) - np.repeat(starts, sizes)
    return place


def _three(number: Ints) -> npt.NDArray[np.str_]:
    return np.array([f"{each:03d}" for each in range(SERIALS)])[number]
