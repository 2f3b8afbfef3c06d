"""Institutions that all of the province shares: 121 offices with their habits; agencies, courts,
hospitals and lawyers, of which a few are hot.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]
Texts = npt.NDArray[np.object_]

CITIES, COUNTIES = 16, 104
FUNCTIONS = ("criminal", "civil", "administrative", "public_interest")
BODIES = {"agency": 32, "court": 16, "hospital": 20, "lawyer": 60}
HOT_SHARE, HOT_EFFECT, BODY_SPREAD = 0.15, 1.8, 0.4
TOO_FAST_SHARE, TOO_FAST_SKILL = 0.1, 0.6
# Agency whose sender counts in yuan until the month UNIT_CHANGE, and that which mends its ways.
YUAN_AGENCY = 7


@dataclass(frozen=True)
class Institutions:
    """`bodies` and `effect` (log-odds of guilt) by kind. `offices`: one row per office with staff,
    effort, whim, habit and skill_FUNCTION (1: average). `mending`: the agency that mends."""

    bodies: dict[str, Texts]
    effect: dict[str, Floats]
    offices: pd.DataFrame
    county_weight: Floats
    mending: int

    def skill_of(self, office: Texts, function: Texts) -> Floats:
        """Skill of each office in a function, beside the average of all offices. Both (n,)."""
        table = self.offices.set_index("office_id")
        row = table.index.get_indexer(list(office))
        column = np.array([FUNCTIONS.index(each) for each in function], np.int64)
        skill = table[[f"skill_{name}" for name in FUNCTIONS]].to_numpy(np.float64)
        return np.asarray(skill[row, column], np.float64)

    def whim_of(self, office: Texts) -> Floats:
        """How readily each office takes up a clue at all, in log-odds. (n,)."""
        return np.asarray(self.offices.set_index("office_id")["whim"].loc[list(office)], np.float64)


def counties() -> list[str]:
    """Office ids of the 104 counties: AH, city, county."""
    return [f"AH{i % CITIES + 1:02d}{i // CITIES + 1:02d}" for i in range(COUNTIES)]


def office_ids() -> list[str]:
    """All 121: the province, its cities, their counties."""
    return ["AH", *(f"AH{city + 1:02d}" for city in range(CITIES)), *counties()]


def make_institutions(draw: np.random.Generator) -> Institutions:
    """Draw what is hidden about offices and bodies."""
    names, effects = {}, {}
    for kind, count in BODIES.items():
        names[kind] = np.array([f"{kind[0].upper()}{i:03d}" for i in range(count)], dtype=object)
        hot = draw.permutation(count) < round(HOT_SHARE * count)
        effects[kind] = draw.normal(0, BODY_SPREAD, count) + HOT_EFFECT * hot
        effects[kind] -= effects[kind].mean()
    return Institutions(
        bodies=names,
        effect=effects,
        offices=_offices(draw),
        county_weight=draw.dirichlet(np.full(COUNTIES, 3.0)),
        mending=int(np.argmax(effects["agency"])),
    )


def _offices(draw: np.random.Generator) -> pd.DataFrame:
    """Skill by function (one office in ten closes too fast), effort, whim and staff."""
    ids = office_ids()
    too_fast = draw.random(len(ids)) < TOO_FAST_SHARE
    effort = np.where(too_fast, TOO_FAST_SKILL, draw.uniform(0.9, 1.1, len(ids)))
    skills = effort[:, None] * draw.uniform(0.9, 1.1, (len(ids), len(FUNCTIONS)))
    skills /= skills.mean(axis=0)
    level = np.array([len(each) for each in ids])
    return pd.DataFrame(
        {
            "office_id": ids,
            "staff": np.select([level == 2, level == 4], [60, 25], 8)
            + draw.integers(0, 9, len(ids)),
            "effort": effort,
            "whim": draw.normal(0, 0.6, len(ids)),
            "habit": np.where(too_fast, "closes too fast", "ordinary"),
            **{f"skill_{name}": skills[:, at] for at, name in enumerate(FUNCTIONS)},
        }
    )
