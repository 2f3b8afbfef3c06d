"""People, companies, bodies and offices of the province, with what is hidden about them.

Everything is fictitious: identity numbers begin with 99, a region code that is not assigned.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Texts = npt.NDArray[np.object_]

START = date(2021, 1, 1)
CITIES, COUNTIES = 16, 104
PERSONS_PER_CLUE, COMPANIES_PER_CLUE = 10, 0.75
RING_SHARE = 0.15
FAMILY_SIZE, RING_SIZE = 3, 40
BODIES = {"agency": 32, "court": 16, "hospital": 20}
HOT_SHARE = 0.12


@dataclass(frozen=True)
class World:
    """Parallel arrays per person and per company; propensities are log-odds, never written out."""

    person_id: Texts
    county: Texts
    birth_year: Ints
    sex: Texts
    family_id: Texts
    phone_id: Texts
    employer: Ints
    propensity: Floats
    ring: npt.NDArray[np.bool_]
    company_id: Texts
    company_county: Texts
    company_address: Texts
    company_phone: Texts
    company_trade: Texts
    company_propensity: Floats
    bodies: dict[str, Texts]
    body_propensity: dict[str, Floats]
    skill: dict[str, float]
    whim: dict[str, float]


def counties() -> list[str]:
    """Office ids of the 104 counties: AH, city, county."""
    return [f"AH{i % CITIES + 1:02d}{i // CITIES + 1:02d}" for i in range(COUNTIES)]


def make_world(clues: int, draw: np.random.Generator) -> World:
    """Draw the province. Sizes follow the number of clues (120,000 persons for 12,000)."""
    persons, companies = clues * PERSONS_PER_CLUE, max(20, int(clues * COMPANIES_PER_CLUE))
    offices = np.array(counties(), dtype=object)
    weight = draw.dirichlet(np.full(COUNTIES, 3.0))
    family = np.arange(persons) // FAMILY_SIZE
    home = draw.choice(COUNTIES, size=family[-1] + 1, p=weight)[family]
    birth = draw.integers(1935, 2003, persons)
    ring = draw.random(persons) < RING_SHARE
    phone = np.array([f"T{number:07d}" for number in family], dtype=object)
    ringed = np.flatnonzero(ring)
    phone[ringed] = [f"T9{place // RING_SIZE:06d}" for place in range(len(ringed))]
    ring_effect = draw.normal(1.6, 0.6, len(ringed) // RING_SIZE + 1)
    propensity = draw.normal(0, 0.7, family[-1] + 1)[family] + draw.normal(0, 0.4, persons)
    propensity[ringed] += ring_effect[np.arange(len(ringed)) // RING_SIZE]
    company_address = draw.integers(0, max(2, companies // 2), companies)
    shells = draw.normal(0, 0.9, companies)[company_address]
    return World(
        person_id=_identity_numbers(offices[home], birth, draw),
        county=offices[home],
        birth_year=birth,
        sex=np.where(draw.random(persons) < 0.5, "F", "M").astype(object),
        family_id=np.array([f"F{number:06d}" for number in family], dtype=object),
        phone_id=phone,
        employer=draw.integers(0, companies, persons),
        propensity=propensity,
        ring=ring,
        company_id=np.array([f"C{number:06d}" for number in range(companies)], dtype=object),
        company_county=offices[draw.choice(COUNTIES, size=companies, p=weight)],
        company_address=np.array([f"D{number:06d}" for number in company_address], dtype=object),
        company_phone=np.array([f"T8{n:06d}" for n in company_address // 2], dtype=object),
        company_trade=draw.choice(TRADES, companies).astype(object),
        company_propensity=shells + draw.normal(0, 0.4, companies),
        **_bodies(draw),
        **_offices(draw),
    )


TRADES = np.array(["food", "transport", "building", "trade", "services", "manufacture"])


def _bodies(draw: np.random.Generator) -> dict[str, Any]:
    """Agencies, courts and hospitals; one in eight is hot."""
    names, effects = {}, {}
    for kind, count in BODIES.items():
        names[kind] = np.array([f"{kind[0].upper()}{i:03d}" for i in range(count)], dtype=object)
        hot = draw.random(count) < HOT_SHARE
        effects[kind] = draw.normal(-0.2, 0.5, count) + 1.7 * hot
    return {"bodies": names, "body_propensity": effects}


def _offices(draw: np.random.Generator) -> dict[str, Any]:
    """Skill (one in ten closes too fast) and how often an office takes a clue up at all."""
    ids = counties()
    skill = np.where(draw.random(len(ids)) < 0.1, 0.45, draw.uniform(0.75, 1.0, len(ids)))
    whim = draw.normal(0, 0.6, len(ids))
    return {
        "skill": dict(zip(ids, skill.tolist(), strict=True)),
        "whim": dict(zip(ids, whim.tolist(), strict=True)),
    }


def _identity_numbers(county: Texts, birth: Ints, draw: np.random.Generator) -> Texts:
    """18 characters: 99, city, county, birthday, a serial number."""
    month, day = draw.integers(1, 13, len(birth)), draw.integers(1, 29, len(birth))
    return np.array(
        [
            f"99{c[2:]}{y}{m:02d}{d:02d}{i % 9999:04d}"
            for i, (c, y, m, d) in enumerate(zip(county, birth, month, day, strict=True))
        ],
        dtype=object,
    )
