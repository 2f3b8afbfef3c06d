"""What a reviewer is told of a score adds up, by feature, by group and in points of probability."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_scorer
from hypothesis import given, settings
from hypothesis import strategies as st

from base.bilingual import Bilingual
from scoring.bundle import FeatureGroup
from scoring.ledger import GivenScore
from scoring.points import Points
from scoring.scorer import Scorer
from scoring.telling import tell_given

MONEY = FeatureGroup(name="money", title=Bilingual(zh="金额", en="money"))
PAST = FeatureGroup(name="past", title=Bilingual(zh="过往", en="past"))
NAMES = ("amount", "count_365d", "kind")


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    """The tiny scorer; amount and kind are read as one group, the count as another."""
    folder: Path = tmp_path_factory.mktemp("scorers")
    digest = tiny_scorer.write_tiny_bundle(folder)
    loaded = Scorer.load(folder / digest, digest)
    grouped = [
        each.model_copy(update={"group": PAST if each.name == "count_365d" else MONEY})
        for each in loaded.manifest.features
    ]
    manifest = loaded.manifest.model_copy(update={"features": tuple(grouped)})
    return replace(loaded, manifest=manifest)


def given_by(scorer: Scorer, seed: int) -> GivenScore:
    """One random row's score as the ledger keeps it."""
    rows = tiny_scorer.random_rows(1, seed)
    scores, explanation = scorer.score(rows), scorer.explain(rows)
    return GivenScore(
        clue_id="c",
        office_id="A",
        moment=datetime(2024, 1, 1),
        scorer=scorer.digest,
        features_fingerprint="f" * 64,
        versions={},
        margin=float(scores.margin[0]),
        probability=float(scores.probability[0]),
        base=float(explanation.base[0]),
        feature_values=list(rows.to_pylist()[0].values()),
        contributions=explanation.contributions[0],
        flags=scores.flags[0],
        given_at=datetime(2024, 1, 1),
    )


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    count=st.integers(0, 4),
    masked=st.sets(st.sampled_from(NAMES)),
    language=st.sampled_from(["zh", "en"]),
)
def test_every_telling_adds_up_whatever_is_masked(
    scorer: Scorer, seed: int, count: int, masked: set[str], language: Any
) -> None:
    """P-6: by feature, by group and in points; and nothing masked is named anywhere."""
    given_score = given_by(scorer, seed)
    told = tell_given(given_score, scorer, language, count, frozenset(masked))
    by_feature = [told["base"], told["other"], *(r["contribution"] for r in told["reasons"])]
    by_group = [told["base"], told["groups_other"], *(g["contribution"] for g in told["groups"])]
    assert abs(math.fsum(by_feature) - told["margin"]) <= 1e-9
    assert abs(math.fsum(by_group) - told["margin"]) <= 1e-9
    start = 100 * told["base_probability"]
    for parts, rest in (("reasons", "other_points"), ("groups", "groups_other_points")):
        points = math.fsum(each["points"] for each in told[parts])
        assert abs(start + points + told[rest] - 100 * told["probability"]) <= 1e-9
    assert not {each["feature"] for each in told["reasons"]} & masked
    assert not {flag.partition(":")[2] for flag in told["flags"]} & masked
    if not masked:
        assert told["groups_other"] == 0.0
    assert len(told["flags"]) == len(told["flag_sentences"])
    assert told["masked_features"] == len(masked)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), masked=st.sets(st.sampled_from(NAMES)))
def test_a_group_is_the_sum_of_its_features_that_are_seen(
    scorer: Scorer, seed: int, masked: set[str]
) -> None:
    """In log-odds and in points alike; a group of which nothing is seen is not told."""
    told = tell_given(given_by(scorer, seed), scorer, "en", 9, frozenset(masked))
    for unit in ("contribution", "points"):
        sums: dict[str, float] = {}
        for reason in told["reasons"]:
            group = "past" if reason["feature"] == "count_365d" else "money"
            sums[group] = sums.get(group, 0.0) + reason[unit]
        assert {each["group"] for each in told["groups"]} == set(sums)
        for each in told["groups"]:
            assert each[unit] == pytest.approx(sums[each["group"]], abs=1e-9)


@settings(max_examples=200, deadline=None)
@given(base=st.floats(-6, 6), way=st.one_of(st.just(0.0), st.floats(-6, 6)))
def test_points_are_the_mean_slope_on_the_straight_way(base: float, way: float) -> None:
    """The oracle: a contribution times the calibrator's slope, integrated from base to margin."""

    def probability(margin: float) -> float:
        return round(1 / (1 + math.exp(-margin)), 6)

    points = Points.along(probability, base=base, margin=base + way)
    nodes, weights = np.polynomial.legendre.leggauss(24)
    at = base + way * (nodes + 1) / 2
    slope = float((np.exp(-at) / (1 + np.exp(-at)) ** 2) @ weights) / 2
    assert points.per_unit == pytest.approx(100 * slope, abs=0.02)
    assert points.per_unit >= 0


def test_a_group_name_that_nothing_has_is_refused() -> None:
    """With the nearest name; a feature in two groups is refused too."""
    from feature_worlds import CLUE_COLUMNS, DEFINITIONS, SOURCES

    from base.errors import Refused
    from features.definition import load_features

    def load(*groups: dict[str, Any]) -> Any:
        given_definitions = {**DEFINITIONS, "groups": groups}
        return load_features(given_definitions, sources=SOURCES, clue_columns=CLUE_COLUMNS)

    title = {"zh": "组", "en": "group"}
    with pytest.raises(Refused, match="write 'own'"):
        load({"name": "g", "title": title, "of": ["owm"]})
    with pytest.raises(Refused, match="own twice"):
        load(*({"name": name, "title": title, "of": ["own"]} for name in ("g", "h")))
    grouped = load({"name": "g", "title": title, "of": ["own", "weekday", "conversion"]})
    plain = load()
    assert grouped.fingerprint == plain.fingerprint
    told_in = {each.name: each.told_in and each.told_in.name for each in grouped.features}
    assert told_in["own__count_3d"] == told_in["weekday"] == told_in["conversion__ratio_2d"] == "g"
    assert told_in["cents"] is None


def test_flags_are_told_in_words_in_both_languages(scorer: Scorer) -> None:
    """Each kind of flag, with the feature's own sentence."""
    from scoring.sentences import flag_sentence

    features = {each.name: each for each in scorer.manifest.features}
    values = {"amount": 250_000.0, "kind": "unheard of", "count_365d": None}
    told = {
        flag: flag_sentence(flag, features, values, "zh")
        for flag in ("missing:count_365d", "unknown_category:kind", "out_of_range:amount")
    }
    assert told["missing:count_365d"] == "无记录：“此前365天……次”；学习时几乎都有"
    assert told["unknown_category:kind"] == "类型：unheard of：学习时未见过"
    assert told["out_of_range:amount"].startswith("涉及金额2,500.00元：超出学习时的范围（0.00元至")
    english = flag_sentence("out_of_range:amount", features, values, "en")
    assert english.startswith("amount 2,500.00 yuan: outside what was seen")
