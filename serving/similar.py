"""Clues like this one, among those that stand at the reader's offices, with what became of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from base.bilingual import Language
from clues.clue import clues_asked_at
from clues.register import read_clues
from scoring.bundle import Value
from scoring.ledger import GivenScore
from scoring.past_outcomes import PastOutcomes
from scoring.scorer import Scorer
from scoring.similar import Likeness, Mask
from serving.principal import Principal
from serving.service import Service


def similar_clues(
    service: Service,
    who: Principal,
    clue: Mapping[str, Any],
    given: GivenScore,
    giver: Scorer,
    language: Language,
    limit: int,
) -> dict[str, Any]:
    """The nearest past clues whose end is known now, in the words of the champion's trees.

    Where no outcomes come back at all (none is declared), the nearest past clues. What the reader
    may not see is taken out before anything is ranked or counted (P-10).
    """
    champion, outcomes, now = service.champion(), service.outcomes, service.clock.now()
    handed = service.handed_on.offices()

    def may_see(clues: pa.Table) -> Mask:
        seen = _of_offices(clues, who, handed) & np.asarray(
            pc.not_equal(clues["clue_id"], given.clue_id).to_numpy(), bool
        )
        return seen & outcomes.ended(clues, now) if outcomes.declared else seen

    values = _inputs(service, clue, given, giver, champion)
    found = service.similar(champion).nearest(values, may_see, limit)
    told = _told(service, found, handed, outcomes, language)
    ended = [each for each in told if each["outcome"] is not None]
    return {
        "clue_id": given.clue_id,
        "scorer": champion.digest,
        "similar": told,
        "ended": len(ended),
        "cases": sum(each["outcome"]["became_case"] for each in ended),
    }


def _of_offices(clues: pa.Table, who: Principal, handed: Mapping[str, str]) -> Mask:
    """Clues that stand at the reader's offices now; `handed`: where those stand that moved on."""
    if who.offices is None:
        return np.ones(clues.num_rows, bool)
    own = pa.array(sorted(who.offices), pa.string())
    seen = np.array(pc.is_in(clues["office_id"], own).to_numpy(), bool)
    if handed:
        place = pc.index_in(clues["clue_id"], pa.array(list(handed), pa.string()))
        place = pc.fill_null(place, -1).to_numpy()
        moved = np.array([office in who.offices for office in handed.values()], bool)
        seen[place >= 0] = moved[place[place >= 0]]
    return seen


def _inputs(
    service: Service,
    clue: Mapping[str, Any],
    given: GivenScore,
    giver: Scorer,
    champion: Scorer,
) -> list[Value]:
    """What the champion's trees are asked with: the values of the score that was given.

    If the score came from other definitions, the clue's values as of the same moment.
    """
    names = [feature.name for feature in champion.manifest.features]
    if giver.manifest.features_fingerprint == champion.manifest.features_fingerprint:
        values = dict(
            zip((each.name for each in giver.manifest.features), given.feature_values, strict=True)
        )
        if set(names) <= set(values):
            return [values[name] for name in names]
    clues = read_clues(service.home, [str(clue["clue_id"])])
    rows, _ = service.feature_rows(clues_asked_at(clues, given.moment))
    row = rows.to_pylist()[0]
    return [row[name] for name in names]


def _told(
    service: Service,
    found: list[Likeness],
    handed: Mapping[str, str],
    outcomes: PastOutcomes,
    language: Language,
) -> list[dict[str, Any]]:
    ids = [each.clue_id for each in found]
    rows = {row["clue_id"]: row for row in read_clues(service.home, ids).to_pylist()}
    ends = outcomes.of_clues(ids, service.clock.now()) if outcomes.declared else {}
    told = []
    for each in found:
        row = rows[each.clue_id]
        model = service.supervision_models.get(row["supervision_model"])
        stands = handed.get(each.clue_id, row["office_id"])
        office = service.offices.by_id.get(str(stands))
        told.append(
            {
                "clue_id": each.clue_id,
                "likeness": each.share,
                "supervision_model": row["supervision_model"],
                "title": model.head.title.in_language(language) if model else None,
                "office_id": stands,
                "office": office.title.in_language(language) if office else None,
                "raised_at": row["raised_at"],
                "outcome": ends.get(each.clue_id),
            }
        )
    return told
