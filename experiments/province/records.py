"""Records: each finding's own, planted so that its supervision model raises exactly that clue in
its month; and those of everybody else, which raise none.

Every table carries `planned` (bool): rows a finding needs. It is dropped before writing.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from experiments.province import benefits, claims, courts, enforcement, people
from experiments.province.findings import Findings
from experiments.province.frames import Setting
from experiments.province.world import World

Frames = dict[str, pd.DataFrame]


def make_records(
    world: World, found: Findings, months: int, plenty: float, draw: np.random.Generator
) -> Frames:
    """All record sets of a block, without dirt, rows in order of their times.

    `plenty`: how many times the ordinary number of harmless records there are.
    """
    rest = np.setdiff1d(np.arange(len(world.person_id)), found.person)
    setting = Setting(world, found, draw.permutation(rest), months * 30, plenty, draw)
    frames = {
        "persons": people.persons(setting),
        "companies": people.companies(setting),
        "deaths": benefits.deaths(setting),
        "custody": benefits.custody(setting),
        "benefit_payments": benefits.payments(setting),
        "sentences": courts.sentences(setting),
        "driving_licences": courts.licences(setting),
        "court_judgments": courts.judgments(setting),
        "insurance_enrolment": claims.enrolment(setting),
        "injury_claims": claims.claims(setting),
        "employment": claims.employment(setting),
        "medical_settlements": claims.settlements(setting),
        "penalties": enforcement.penalties(setting),
        "tax_invoices": enforcement.invoices(setting),
        "vehicle_tracks": enforcement.tracks(setting),
        "permits": enforcement.permits(setting),
    }
    frames["fine_payments"] = enforcement.fine_payments(setting, frames["penalties"])
    return {name: table.reset_index(drop=True) for name, table in frames.items()}
