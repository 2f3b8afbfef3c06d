"""Dirt: about one row in twenty carries a fault; each is noted, so that the quarantine can be
checked exactly. Rows a finding needs are spared from faults that keep a row out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from experiments.province.findings import last_day
from experiments.province.offices import YUAN_AGENCY
from experiments.province.records import Frames
from experiments.province.world import Ints

FAULT_SHARE, DOUBLED_SHARE = 0.04, 0.01
UNIT_CHANGE_MONTH = 42
NOT_SENT = ("planned", "finding")


@dataclass(frozen=True)
class Fault:
    """What is done to a row, and what must become of it."""

    kind: str
    column: str
    spoil: Callable[[str], str]
    expected: str = "quarantined"


def _letters(text: str) -> str:
    return text.replace("0", "O", 1) + "x"


MONEY = Fault("letters_in_amount", "amount_cents", _letters)
PERSON = Fault("typing_error_in_identity_number", "person_id", lambda text: text[:-2])
FAULTS: dict[str, tuple[Fault, ...]] = {
    "deaths": (
        Fault("impossible_date", "died_on", lambda text: text[:5] + "02-30"),
        Fault("unknown_source", "source", lambda text: text + "?"),
        PERSON,
    ),
    "custody": (PERSON, Fault("missing_court", "court_id", lambda _: "")),
    "benefit_payments": (MONEY, PERSON),
    "sentences": (Fault("unknown_offence", "offence", lambda _: "其他"), PERSON),
    "penalties": (Fault("letters_in_amount", "fine_cents", _letters),),
    "insurance_enrolment": (Fault("impossible_date", "enrolled_on", lambda t: t[:5] + "13-01"),),
    "injury_claims": (Fault("negative_amount", "amount_cents", lambda text: "-" + text), PERSON),
    "court_judgments": (Fault("impossible_date", "judged_on", lambda t: t[:8] + "32"), MONEY),
    "employment": (Fault("unknown_post", "post", lambda _: "astronaut"), PERSON),
    "medical_settlements": (MONEY, Fault("unknown_kind", "kind", lambda text: text.upper())),
    "tax_invoices": (
        Fault("nothing_sold", "amount_cents", lambda _: "0"),
        Fault("missing_seller", "company_id", lambda _: ""),
    ),
    "vehicle_tracks": (
        Fault("clock_beyond_midnight", "minute", lambda text: str(int(text) + 1_440)),
        Fault("impossible_date", "passed_on", lambda text: text[:8] + "00"),
    ),
}


def soil(frames: Frames, draw: np.random.Generator) -> tuple[Frames, pd.DataFrame]:
    """Frames of text with faults, and the list of faults: record_set, place, kind, expected.

    `place` is the row's place in the frame (from 0), after doubling.
    """
    soiled, notes = {}, []
    for name, frame in frames.items():
        text = frame.drop(columns=[column for column in NOT_SENT if column in frame.columns])
        if name not in FAULTS:
            soiled[name] = text
            continue
        if name == "benefit_payments":
            notes.append(_in_yuan(text, frame))
        text = _as_text(text)
        spoilt, told = _spoilt(name, text, np.flatnonzero(~frame["planned"].to_numpy()), draw)
        soiled[name], doubled = _doubled(text, spoilt, draw)
        notes += [told, _noted(name, doubled, "sent_twice", "already_admitted")]
    return soiled, pd.concat(notes, ignore_index=True)


def _noted(name: str, places: Ints, kind: object, expected: object) -> pd.DataFrame:
    return pd.DataFrame({"record_set": name, "place": places, "kind": kind, "expected": expected})


def _spoilt(
    name: str, text: pd.DataFrame, spare: Ints, draw: np.random.Generator
) -> tuple[Ints, pd.DataFrame]:
    """Spoil a share of the spare rows in place."""
    drawn = draw.choice(spare, size=int(len(spare) * FAULT_SHARE), replace=False)
    which = draw.integers(0, len(FAULTS[name]), len(drawn))
    for at, fault in enumerate(FAULTS[name]):
        rows, column = drawn[which == at], text.columns.get_loc(fault.column)
        text.iloc[rows, column] = [fault.spoil(each) for each in text.iloc[rows, column]]
    kinds = np.array([fault.kind for fault in FAULTS[name]], dtype=object)
    expected = np.array([fault.expected for fault in FAULTS[name]], dtype=object)
    return drawn, _noted(name, drawn, kinds[which], expected[which])


def _as_text(frame: pd.DataFrame) -> pd.DataFrame:
    whole = {}
    for name in frame.columns:
        column = frame[name]
        if column.dtype.kind == "M":
            days = np.datetime_as_string(column.to_numpy().astype("datetime64[D]"))
            whole[name] = days.astype(object)
        else:
            whole[name] = column.astype(str).to_numpy().astype(object)
    return pd.DataFrame(whole)


def _in_yuan(text: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """Until month UNIT_CHANGE_MONTH one agency sends yuan where cents are meant: admitted, and
    wrong, the rows of findings too."""
    rows = np.flatnonzero(
        (text["agency_id"] == f"A{YUAN_AGENCY:03d}").to_numpy()
        & (frame["paid_on"].to_numpy() < last_day(UNIT_CHANGE_MONTH))
    )
    amount = text.columns.get_loc("amount_cents")
    text.iloc[rows, amount] = text.iloc[rows, amount] // 100
    return _noted("benefit_payments", rows, "yuan_for_cents", "admitted")


def _doubled(
    text: pd.DataFrame, spoilt: Ints, draw: np.random.Generator
) -> tuple[pd.DataFrame, Ints]:
    """Some good rows come a second time at the end of the file."""
    good = np.setdiff1d(np.arange(len(text)), spoilt)
    again = np.sort(draw.choice(good, size=int(len(good) * DOUBLED_SHARE), replace=False))
    whole = pd.concat([text, text.iloc[again]], ignore_index=True)
    return whole, np.arange(len(text), len(whole))
