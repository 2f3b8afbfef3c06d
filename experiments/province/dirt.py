"""Dirt: about one row in twenty carries a fault; each is noted, so that the quarantine can be
checked exactly. Rows a finding needs are spared from faults that keep a row out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from experiments.province.records import Frames

FAULT_SHARE = 0.05


@dataclass(frozen=True)
class Fault:
    """What is done to a row, and what must become of it."""

    kind: str
    column: str
    expected: str
    spoil: Callable[[str], str]


def _letters(text: str) -> str:
    return text.replace("0", "O", 1) + "x"


MONEY = Fault("letters_in_amount", "amount_cents", "quarantined", _letters)
PERSON = Fault("typing_error_in_identity_number", "person_id", "quarantined", lambda t: t[:-2])
FAULTS: dict[str, tuple[Fault, ...]] = {
    "deaths": (
        Fault("impossible_date", "died_on", "quarantined", lambda t: t[:5] + "02-30"),
        Fault("unknown_source", "source", "quarantined", lambda t: t + "?"),
        PERSON,
    ),
    "custody": (PERSON, Fault("missing_court", "court_id", "quarantined", lambda _: "")),
    "benefit_payments": (MONEY, PERSON),
    "sentences": (
        Fault("unknown_offence", "offence", "quarantined", lambda _: "其他"),
        PERSON,
    ),
    "penalties": (Fault("letters_in_amount", "fine_cents", "quarantined", _letters),),
    "insurance_enrolment": (
        Fault("impossible_date", "enrolled_on", "quarantined", lambda t: t[:5] + "13-01"),
    ),
    "injury_claims": (
        Fault("negative_amount", "amount_cents", "quarantined", lambda t: "-" + t),
        PERSON,
    ),
    "court_judgments": (
        Fault("impossible_date", "judged_on", "quarantined", lambda t: t[:8] + "32"),
        MONEY,
    ),
}
UNIT_CHANGE_DAY = np.datetime64("2024-07-01")


def soil(frames: Frames, draw: np.random.Generator) -> tuple[Frames, pd.DataFrame]:
    """Frames of text with faults, and the list of faults: record_set, place, kind, expected.

    `place` is the row's place in the frame (from 0), after doubling.
    """
    soiled, notes = {}, []
    for name, frame in frames.items():
        text = frame.drop(columns=["planned", *({"finding"} & set(frame.columns))])
        if name not in FAULTS:
            soiled[name] = text
            continue
        if name == "benefit_payments":
            notes += _change_unit(text, frame)
        text = _as_text(text)
        spare = np.flatnonzero(~frame["planned"].to_numpy())
        drawn = draw.choice(spare, size=int(len(spare) * FAULT_SHARE), replace=False)
        kinds = draw.integers(0, len(FAULTS[name]), len(drawn))
        for place, kind in zip(drawn, kinds, strict=True):
            fault = FAULTS[name][kind]
            column = text.columns.get_loc(fault.column)
            text.iat[place, column] = fault.spoil(text.iat[place, column])
            notes.append((name, int(place), fault.kind, fault.expected))
        soiled[name], doubled = _doubled(text, set(drawn.tolist()), draw)
        notes += [(name, place, "sent_twice", "already_admitted") for place in doubled]
    columns = ["record_set", "place", "kind", "expected"]
    return soiled, pd.DataFrame(notes, columns=columns)


def _as_text(frame: pd.DataFrame) -> pd.DataFrame:
    whole = {}
    for name in frame.columns:
        column = frame[name]
        if column.dtype.kind == "M":
            whole[name] = column.dt.strftime("%Y-%m-%d").astype(object)
        else:
            whole[name] = column.astype(str).astype(object)
    return pd.DataFrame(whole)


def _change_unit(text: pd.DataFrame, frame: pd.DataFrame) -> list[tuple[str, int, str, str]]:
    """From July 2024 one agency sends yuan where it sent cents: admitted, and wrong."""
    rows = np.flatnonzero(
        (text["agency_id"] == "A007").to_numpy()
        & (frame["paid_on"].to_numpy() >= UNIT_CHANGE_DAY)
        & ~frame["planned"].to_numpy()
    )
    amount = text.columns.get_loc("amount_cents")
    text.iloc[rows, amount] = text.iloc[rows, amount] // 100
    return [("benefit_payments", int(row), "yuan_for_cents", "admitted") for row in rows]


def _doubled(
    text: pd.DataFrame, spoilt: set[int], draw: np.random.Generator
) -> tuple[pd.DataFrame, list[int]]:
    """Some good rows come a second time at the end of the file."""
    good = np.array([place for place in range(len(text)) if place not in spoilt])
    again = np.sort(draw.choice(good, size=int(len(good) * 0.01), replace=False))
    whole = pd.concat([text, text.iloc[again]], ignore_index=True)
    return whole, list(range(len(text), len(whole)))
