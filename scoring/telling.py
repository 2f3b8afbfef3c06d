"""A score that was given, told to a reader: reasons, groups, points, notes on its inputs."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import asdict
from typing import Any

import numpy as np

from base.bilingual import Language
from scoring.ledger import GivenScore
from scoring.points import Points
from scoring.reasons import NOTHING_MASKED, groups_of, reasons_of
from scoring.scorer import Scorer
from scoring.sentences import flag_sentence


def tell_given(
    given: GivenScore,
    scorer: Scorer,
    language: Language,
    count: int,
    masked: Collection[str] = NOTHING_MASKED,
) -> dict[str, Any]:
    """A score from the ledger in words; nothing is computed anew.

    `masked` names the features that the reader may not see: they are in the sums called `other`
    and in no sentence or flag; `masked_features` says how many there are.
    """
    features = scorer.manifest.features
    contributions = [float(value) for value in given.contributions]
    values = dict(zip((each.name for each in features), given.feature_values, strict=True))
    calibrator = scorer.calibrator
    own = values.get(calibrator.per) if calibrator.per is not None else None
    points = Points.along(
        lambda margin: float(calibrator.probability_in(np.array([margin]), own)[0]),
        base=given.base,
        margin=given.margin,
    )
    common: dict[str, Any] = {
        "language": language,
        "margin": given.margin,
        "base": given.base,
        "points": points,
        "masked": masked,
    }
    told = reasons_of(features, given.feature_values, contributions, count=count, **common)
    groups = groups_of(features, contributions, **common)
    flags = [flag for flag in given.flags if flag.partition(":")[2] not in masked]
    by_name = {each.name: each for each in features}
    return {
        "clue_id": given.clue_id,
        "scorer": given.scorer,
        "moment": given.moment.isoformat(),
        "probability": given.probability,
        "margin": given.margin,
        "base": given.base,
        **told.as_json(),
        "flags": flags,
        "flag_sentences": [flag_sentence(flag, by_name, values, language) for flag in flags],
        "base_probability": points.base_probability,
        "other_points": points.rest(math.fsum(r.points or 0.0 for r in told.reasons)),
        "groups": [asdict(group) for group in groups.groups],
        "groups_other": groups.other,
        "groups_other_points": groups.other_points,
        "masked_features": sum(each.name in masked for each in features),
    }
