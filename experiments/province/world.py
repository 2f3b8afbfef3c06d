"""People, companies, bodies and offices of the province, with what is hidden about them.

Everything is fictitious: identity numbers begin with 99, a region code that is not assigned. A
large province is made block by block: each has its own people and companies, and all share the
institutions.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from experiments.province.names import company_names, identity_numbers, person_names
from experiments.province.offices import Institutions, counties, make_institutions

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Texts = npt.NDArray[np.object_]
Days = npt.NDArray[np.datetime64]

START = date(2021, 1, 1)
FIRST_DAY = np.datetime64(START)
DAY = np.timedelta64(1, "D")
OLD_DAYS = 1_200
PERSONS_PER_CLUE, COMPANIES_PER_CLUE = 10, 0.75
FAMILY_SIZE, SHARED_PHONE_SIZE = 3, 24
# Telephones that many use: rings (people of many employers) and dormitories (people of one).
FAMILY_PHONE, RING_PHONE, DORMITORY_PHONE = range(3)
RING_SHARE, DORMITORY_SHARE = 0.04, 0.04
MARKED_SHARE, OFFENCES_IF_MARKED, OFFENCES_OTHERWISE = 0.04, 1.2, 0.05
CROWD_SHARE, CROWD_SIZES = 0.2, (6, 12)
PENALTIES_PER_COMPANY = 0.9
TRADES = np.array(["food", "transport", "building", "trade", "services", "manufacture"], object)


@dataclass(frozen=True)
class Events:
    """What happened to whom on which day: `owner` (n,) a place in the world's arrays, `day` (n,).

    Ordered by owner, then day.
    """

    owner: Ints
    day: Days

    def before(self, owner: Ints, day: Days) -> Ints:
        """How many events each owner had before each day. Both (m,)."""
        key = _key(self.owner, self.day)
        until = np.searchsorted(key, _key(owner, day))
        return np.asarray(until - np.searchsorted(key, _key(owner, np.datetime64("1900-01-01"))))


def _key(owner: Ints, day: Days | np.datetime64) -> Ints:
    days = np.asarray(day, "datetime64[D]").astype(np.int64) + 50_000
    return np.asarray(owner.astype(np.int64) * 200_000 + days, np.int64)


@dataclass(frozen=True)
class World:
    """Parallel arrays per person and per company; what is hidden is never written out.

    `phone_kind`: FAMILY_PHONE, RING_PHONE or DORMITORY_PHONE. `marked`: prone to offences. `crowd`:
    companies at the company's address. `hidden`: log-odds that no record shows.
    """

    block: int
    person_id: Texts
    name: Texts
    county: Texts
    born: Days
    sex: Texts
    family_id: Texts
    phone_id: Texts
    phone_kind: Ints
    employer: Ints
    marked: Bools
    hidden: Floats
    company_id: Texts
    company_name: Texts
    company_county: Texts
    company_address: Texts
    company_phone: Texts
    company_trade: Texts
    crowd: Ints
    legal_rep: Ints
    offences: Events
    penalties: Events
    institutions: Institutions


def make_world(
    clues: int,
    draw: np.random.Generator,
    *,
    block: int = 0,
    institutions: Institutions | None = None,
    months: int = 60,
) -> World:
    """Draw a block of the province, its size after its clues (120,000 persons for 12,000)."""
    institutions = institutions or make_institutions(draw)
    persons, companies = clues * PERSONS_PER_CLUE, max(24, int(clues * COMPANIES_PER_CLUE))
    offices = np.array(counties(), dtype=object)
    weight = institutions.county_weight
    family = np.arange(persons) // FAMILY_SIZE
    home = draw.choice(len(offices), size=family[-1] + 1, p=weight)[family]
    woman = draw.random(persons) < 0.5
    born = np.datetime64("1935-01-01") + draw.integers(0, 68 * 365, persons) * DAY
    person_id, born = identity_numbers(offices[home], born, woman, block, draw)
    marked = draw.random(persons) < MARKED_SHARE
    often = np.where(marked, OFFENCES_IF_MARKED, OFFENCES_OTHERWISE)
    employer = draw.integers(0, companies, persons)
    phone_id, phone_kind, employer = _phones(family, employer, block, draw)
    place = _addresses(companies, draw)
    trade = draw.choice(TRADES, companies).astype(object)
    fined = np.full(companies, PENALTIES_PER_COMPANY)
    return World(
        block=block,
        person_id=person_id,
        name=person_names(persons, draw),
        county=offices[home],
        born=born,
        sex=np.where(woman, "F", "M").astype(object),
        family_id=np.array([f"F{block:03d}{n:06d}" for n in family], dtype=object),
        phone_id=phone_id,
        phone_kind=phone_kind,
        employer=employer,
        marked=marked,
        hidden=draw.normal(0, 1, family[-1] + 1)[family],
        company_id=np.array([f"C{block:03d}{n:06d}" for n in range(companies)], dtype=object),
        company_name=company_names(trade, draw),
        company_county=offices[draw.choice(len(offices), size=place.max() + 1, p=weight)][place],
        company_address=np.array([f"D{block:03d}{n:06d}" for n in place], dtype=object),
        company_phone=np.array([f"T8{block:03d}{n:06d}" for n in place], dtype=object),
        company_trade=trade,
        crowd=np.bincount(place)[place],
        legal_rep=draw.integers(0, persons, companies),
        offences=_events(draw.poisson(often), OLD_DAYS, 0, draw),
        penalties=_events(draw.poisson(fined), OLD_DAYS, (months - 6) * 30, draw),
        institutions=institutions,
    )


def _phones(
    family: Ints, employer: Ints, block: int, draw: np.random.Generator
) -> tuple[Texts, Ints, Ints]:
    """Telephone and its kind per person, and employers: people of a dormitory share theirs."""
    persons = len(family)
    phone = np.array([f"T{block:03d}{number:07d}" for number in family], dtype=object)
    kind = np.zeros(persons, np.int64)
    employer = employer.copy()
    mixed = draw.permutation(persons)
    rings = mixed[: int(persons * RING_SHARE)]
    dormitories = mixed[len(rings) : len(rings) + int(persons * DORMITORY_SHARE)]
    for of_kind, members in ((RING_PHONE, rings), (DORMITORY_PHONE, dormitories)):
        number = np.arange(len(members)) // SHARED_PHONE_SIZE
        phone[members] = [f"T9{block:03d}{of_kind}{each:06d}" for each in number]
        kind[members] = of_kind
        if of_kind == DORMITORY_PHONE:
            employer[members] = employer[members[number * SHARED_PHONE_SIZE]]
    return phone, kind, employer


def _addresses(companies: int, draw: np.random.Generator) -> Ints:
    """The number of each company's address: most have one of their own, some stand in crowds."""
    crowded = int(companies * CROWD_SHARE)
    sizes = draw.integers(*CROWD_SIZES, max(1, crowded))
    together = np.repeat(np.arange(len(sizes)), sizes)[:crowded]
    alone = np.arange(companies - crowded) + len(sizes)
    return np.asarray(draw.permutation(np.concatenate([together, alone])), np.int64)


def _events(count: Ints, back: int, forward: int, draw: np.random.Generator) -> Events:
    """`count` (owners,) events each, between `back` days before the start and `forward` after."""
    owner = np.repeat(np.arange(len(count)), count)
    day = FIRST_DAY + draw.integers(-back, forward, len(owner)) * DAY
    order = np.lexsort((day, owner))
    return Events(owner[order], day[order])
