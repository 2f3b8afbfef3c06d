"""The twelve supervision models as the simulator sees them: how many clues, how often a case."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Kind:
    """A supervision model as the simulator sees it.

    `share` of all clues; `rate`: share of its clues that would become cases. `field`: a person has
    at most one clue in each (records of one would be read by another model). `amount_cents`: the
    median, 0 where none is at stake; `speaks`: 1 where large amounts speak for a case, -1 against.
    `lag_days`: from the event until it is known. `counted`: fewest records behind a clue, 0 where
    it is always one. `dated`: the time between its two events tells something. `money_back`: some
    is repaid. `city`: it goes to the city office. `from_month`: the first month of the model.
    """

    name: str
    ground: str
    function: Literal["criminal", "civil", "administrative", "public_interest"]
    severity: int
    share: float
    rate: float
    body: Literal["agency", "court", "hospital"]
    field: str
    lag_days: tuple[int, int]
    amount_cents: float = 0.0
    speaks: int = 0
    counted: int = 0
    dated: bool = False
    money_back: bool = False
    lawyer: bool = False
    subject: Literal["person", "company"] = "person"
    city: bool = False
    from_month: int = 0


KINDS = (
    Kind(
        name="benefit_after_death",
        ground="pension_after_death",
        function="public_interest",
        severity=3,
        share=0.2,
        rate=0.0096,
        body="agency",
        field="custody",
        lag_days=(75, 170),
        amount_cents=150_000.0,
        speaks=1,
        counted=1,
        dated=True,
        money_back=True,
    ),
    Kind(
        name="benefit_in_custody",
        ground="pension_in_custody",
        function="public_interest",
        severity=3,
        share=0.1,
        rate=0.027,
        body="agency",
        field="custody",
        lag_days=(75, 170),
        amount_cents=160_000.0,
        speaks=1,
        counted=1,
        dated=True,
        money_back=True,
    ),
    Kind(
        name="licence_not_revoked",
        ground="licence_after_conviction",
        function="administrative",
        severity=4,
        share=0.09,
        rate=0.088,
        body="court",
        field="licence",
        lag_days=(15, 90),
    ),
    Kind(
        name="unserved_sentence",
        ground="sentence_not_served",
        function="criminal",
        severity=5,
        share=0.04,
        rate=0.38,
        body="court",
        field="custody",
        lag_days=(15, 60),
    ),
    Kind(
        name="banned_from_occupation",
        ground="banned_occupation",
        function="administrative",
        severity=4,
        share=0.05,
        rate=0.1936,
        body="court",
        field="work",
        lag_days=(15, 90),
        dated=True,
    ),
    Kind(
        name="double_reimbursement",
        ground="double_compensation",
        function="public_interest",
        severity=3,
        share=0.08,
        rate=0.0528,
        body="hospital",
        field="injury suit",
        lag_days=(30, 120),
        amount_cents=2_000_000.0,
        speaks=1,
        counted=1,
        dated=True,
        money_back=True,
        lawyer=True,
    ),
    Kind(
        name="staged_outpatient_disease",
        ground="outpatient_entitlement",
        function="public_interest",
        severity=3,
        share=0.09,
        rate=0.0264,
        body="hospital",
        field="outpatient",
        lag_days=(20, 100),
        amount_cents=600_000.0,
        speaks=1,
        counted=3,
        dated=True,
        money_back=True,
    ),
    Kind(
        name="injury_before_insurance",
        ground="injury_fraud",
        function="criminal",
        severity=5,
        share=0.05,
        rate=0.264,
        body="hospital",
        field="insured",
        lag_days=(5, 60),
        amount_cents=4_000_000.0,
        speaks=1,
        money_back=True,
    ),
    Kind(
        name="serial_plaintiff",
        ground="false_litigation",
        function="civil",
        severity=4,
        share=0.05,
        rate=0.176,
        body="court",
        field="lending",
        lag_days=(40, 120),
        amount_cents=8_000_000.0,
        speaks=1,
        counted=5,
        dated=True,
        lawyer=True,
        city=True,
        from_month=20,
    ),
    Kind(
        name="shell_company",
        ground="shell_company",
        function="administrative",
        severity=3,
        share=0.06,
        rate=0.088,
        body="agency",
        field="shell",
        lag_days=(20, 100),
        amount_cents=5_000_000.0,
        speaks=1,
        counted=3,
        subject="company",
        city=True,
    ),
    Kind(
        name="illegal_sand_mining",
        ground="illegal_sand",
        function="public_interest",
        severity=3,
        share=0.05,
        rate=0.1056,
        body="agency",
        field="sand",
        lag_days=(2, 60),
        amount_cents=300_000.0,
        speaks=1,
        counted=4,
        dated=True,
    ),
    Kind(
        name="fine_not_enforced",
        ground="fine_unpaid",
        function="administrative",
        severity=2,
        share=0.14,
        rate=0.0014,
        body="agency",
        field="fine",
        lag_days=(15, 60),
        amount_cents=900_000.0,
        speaks=-1,
        money_back=True,
        subject="company",
    ),
)
PLACE = {kind.name: at for at, kind in enumerate(KINDS)}
# Beyond this a feed is late, and what it says is usually settled already.
LATE_DAYS, LATEST_DAYS = 200, 400
# A sentence must be served, and a fine paid, so many days after it was pronounced or due.
SERVE_DAYS, PAY_DAYS, DUE_DAYS = 60, 90, 15


def per_clue(kind: npt.NDArray[np.int64], name: str) -> npt.NDArray[Any]:
    """An attribute of each clue's supervision model, (n,)."""
    return np.array([getattr(each, name) for each in KINDS])[kind]
