"""Who lives in the province, and its companies."""

from __future__ import annotations

import numpy as np
import pandas as pd

from experiments.province.frames import Setting, frame
from experiments.province.world import DAY, FIRST_DAY, OLD_DAYS

SNAPSHOT = FIRST_DAY - OLD_DAYS * DAY


def persons(setting: Setting) -> pd.DataFrame:
    """Who lives in the province; a few are sent with a wrong county first, and put right later."""
    world = setting.world
    everybody = frame(
        True,
        person_id=world.person_id,
        name=world.name,
        county_id=world.county,
        birth_year=world.born.astype("datetime64[Y]").astype(np.int64) + 1970,
        sex=world.sex,
        family_id=world.family_id,
        phone_id=world.phone_id,
        company_id=world.company_id[world.employer],
        registered_on=SNAPSHOT,
        reported_on=SNAPSHOT + DAY,
    )
    moved = np.sort(setting.some(0.005, skip=0.9))
    right = everybody.iloc[moved].assign(reported_on=SNAPSHOT + 40 * DAY)
    everybody.loc[moved, "county_id"] = setting.draw.choice(world.county, len(moved))
    return pd.concat([everybody, right], ignore_index=True)


def companies(setting: Setting) -> pd.DataFrame:
    """Its companies; some are renamed later, and keep their number."""
    world = setting.world
    count = len(world.company_id)
    whole = frame(
        True,
        company_id=world.company_id,
        name=world.company_name,
        county_id=world.company_county,
        address_id=world.company_address,
        phone_id=world.company_phone,
        legal_rep_id=world.person_id[world.legal_rep],
        trade=world.company_trade,
        registered_on=FIRST_DAY - setting.draw.integers(30, OLD_DAYS, count) * DAY,
    )
    whole["reported_on"] = whole["registered_on"] + DAY
    renamed = np.flatnonzero(setting.draw.random(count) < 0.02)
    again = whole.iloc[renamed].copy()
    again["name"] = "新" + again["name"]
    again["reported_on"] = setting.days(len(renamed))
    return pd.concat([whole, again], ignore_index=True)
