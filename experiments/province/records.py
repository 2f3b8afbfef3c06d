"""Records: each finding's own, planted so that its supervision model raises exactly that clue in
its month; and those of everybody else, which raise none.

Every table carries `planned` (bool): rows a finding needs. It is dropped before writing.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from experiments.province.benefits import companies, custody, deaths, payments, persons
from experiments.province.claims import claims, enrolment, judgments
from experiments.province.enforcement import fine_payments, licences, penalties, sentences
from experiments.province.findings import Findings
from experiments.province.world import World

Frames = dict[str, pd.DataFrame]


def make_records(world: World, found: Findings, months: int, draw: np.random.Generator) -> Frames:
    """All record sets of the province, without dirt, rows in order of their times."""
    rest = np.setdiff1d(np.arange(len(world.person_id)), found.person)
    others = draw.permutation(rest)
    span = months * 30
    frames = {
        "persons": persons(world),
        "companies": companies(world, draw),
        "deaths": deaths(world, found, others, span, draw),
        "custody": custody(world, found, others, span, draw),
        "benefit_payments": payments(world, found, others, span, draw),
        "sentences": sentences(world, found, others, span, draw),
        "driving_licences": licences(world, found, others, draw),
        "penalties": penalties(world, found, span, draw),
        "insurance_enrolment": enrolment(world, found, others, span, draw),
        "injury_claims": claims(world, found, others, span, draw),
        "court_judgments": judgments(world, found, others, span, draw),
    }
    frames["fine_payments"] = fine_payments(frames["penalties"], found, draw)
    return {name: table.reset_index(drop=True) for name, table in frames.items()}
