"""A reply's line, put together from text, says what the reasons and groups themselves say."""

from __future__ import annotations

import json
import math
from datetime import datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from base.bilingual import Bilingual, Language
from scoring.bundle import FeatureGroup, ScoredFeature
from scoring.calibration import SigmoidCalibrator
from scoring.lines import Lines, Score
from scoring.points import Points, points_along
from scoring.quadrature.engine import strongest_of
from scoring.reasons import groups_of, reasons_of

ODD = 'a"b\\{window}{value}\n\u2028罪'
SHOWS = ("number", "cents", "share", "days")
CALIBRATOR = SigmoidCalibrator(slope=0.9, intercept=-1.5, fitted_on=10)
numbers = st.floats(allow_nan=False, allow_infinity=False, width=64)
parts = st.floats(-5, 5)


def words(text: str) -> Bilingual:
    return Bilingual(zh=f"{text}为{{value}}（{{window}}）", en=f"{text} {{value}} in {{window}}")


def feature(at: int) -> ScoredFeature:
    """Numbers of every show, then a category; every other one in a group."""
    category = at == len(SHOWS)
    return ScoredFeature(
        name="f3__ratio_all" if SHOWS[at : at + 1] == ("share",) else f'f"{at}',
        type="category" if category else "numeric",
        show="text" if category else SHOWS[at],  # type: ignore[arg-type]
        window_days=None if at % 2 else 30,
        sentence=words(f'f{at} \\ "' + ("{value}" if at == 1 else "")),
        categories=("x", ODD) if category else (),
        labels={"x": words("label")} if category else {},
        missing_share=0.1,
        title=words("title") if at in (0, 2) else None,
        group=FeatureGroup(name=f"g{at % 4}", title=words("g")) if at % 2 == 0 else None,
    )


FEATURES = [feature(at) for at in range(len(SHOWS) + 1)]
IN_ONE = FeatureGroup(name="one", title=words("one"))
ALL_GROUPED = [each.model_copy(update={"group": each.group or IN_ONE}) for each in FEATURES]


@settings(max_examples=60, deadline=None)
@given(
    values=st.tuples(*[st.none() | numbers] * 4, st.sampled_from([None, "x", ODD, "unheard"])),
    contributions=st.lists(parts, min_size=5, max_size=5),
    base=parts,
    count=st.integers(0, 6),
    language=st.sampled_from(["zh", "en"]),
    grouped=st.booleans(),
)
def test_a_line_says_what_the_reasons_and_groups_say(
    values: Any,
    contributions: list[float],
    base: float,
    count: int,
    language: Language,
    grouped: bool,
) -> None:
    """Sentences, values, odd texts, sums and points, to the bit; P-6 in both units. Where every
    feature is in a group nothing at all is outside."""
    features = ALL_GROUPED if grouped else FEATURES
    margin = base + math.fsum(contributions)
    points = Points.along(
        lambda m: float(CALIBRATOR.probability(np.array([m]))[0]), base=base, margin=margin
    )
    places = strongest_of(np.array([contributions]), min(count, 5)).tolist()[0]
    score = Score(
        ODD,
        points.probability,
        margin,
        base,
        values,
        contributions,
        places,
        ["missing:f0"],
        points,
        datetime(2024, 8, 1, 9, 30),
    )
    told = json.loads(Lines(features, language).of(score, count))
    common: dict[str, Any] = {
        "language": language, "margin": margin, "base": base, "points": points,
    }  # fmt: skip
    reasons = reasons_of(features, values, contributions, count=count, **common)
    groups = groups_of(features, contributions, **common)
    assert {name: told[name] for name in ("reasons", "other")} == reasons.as_json()
    assert told["groups"] == [vars(group) for group in groups.groups]
    assert told["moment"] == "2024-08-01T09:30:00"
    assert told["groups_other"] == groups.other
    assert told["groups_other_points"] == groups.other_points
    assert told["groups_other"] == 0.0 or not grouped
    assert (told["clue_id"], told["flags"]) == (ODD, ["missing:f0"])
    assert told["probability"] == points.probability
    for kind, other in (("reasons", "other_points"), ("groups", "groups_other_points")):
        whole = told[other] + sum(each["points"] for each in told[kind])
        assert whole == pytest.approx(100 * (told["probability"] - told["base_probability"]))


@settings(max_examples=30, deadline=None)
@given(rows=st.lists(st.tuples(parts, parts), min_size=1, max_size=9))
def test_points_of_many_rows_are_those_of_each(rows: list[tuple[float, float]]) -> None:
    """Short ways included, where the slope is taken over a longer one."""
    base, margin = (np.array(column) for column in zip(*rows, strict=True))
    margin[0] = base[0]
    together = points_along(CALIBRATOR.probability, base=base, margin=margin)
    for at, each in enumerate(together):
        alone = Points.along(
            lambda m: float(CALIBRATOR.probability(np.array([m]))[0]),
            base=float(base[at]),
            margin=float(margin[at]),
        )
        assert each == alone
