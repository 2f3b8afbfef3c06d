"""A whole jurisdiction small enough to check by hand: pensions paid after a recorded death."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

import pyarrow as pa

from base.moment import Clock
from clues.raising import raise_until
from governance.home import Home
from governance.intake import admit_table
from governance.jurisdiction import load_jurisdiction

MANIFEST = """
name: hamlet
title: {zh: 小镇, en: Hamlet}
nature: simulated
timezone: Asia/Shanghai
raise_cycle: {first: 2024-01-01T00:00:00, months: 1}
clue_columns:
  amount_cents: {type: integer, title: {zh: 金额, en: amount}}
  agency_id: {type: string, title: {zh: 机构, en: agency}}
"""
OFFICES = """
offices:
  - {office_id: P, title: {zh: 省院, en: Province}, level: province, parent: null, weekly_capacity: 2}
  - {office_id: A, title: {zh: 甲县院, en: County A}, level: county, parent: P, weekly_capacity: 2}
  - {office_id: B, title: {zh: 乙县院, en: County B}, level: county, parent: P, weekly_capacity: 1}
"""
CONTRACT = """
apiVersion: v3.1.0
kind: DataContract
id: hamlet-{name}
version: 1.0.0
status: active
schema:
  - name: {name}
    logicalType: object
    businessName: {name}
    description: {name}
    customProperties:
{custom}
    properties:
{properties}
"""
PAYMENTS = [
    "{name: payment_no, logicalType: string, primaryKey: true}",
    "{name: person_id, logicalType: string, required: true}",
    "{name: agency_id, logicalType: string, required: true}",
    "{name: office_id, logicalType: string, required: true}",
    "{name: paid_on, logicalType: date, required: true}",
    "{name: amount_cents, logicalType: integer, required: true}",
]
DEATHS = [
    "{name: person_id, logicalType: string, primaryKey: true}",
    "{name: died_on, logicalType: date, required: true}",
    "{name: reported_on, logicalType: date, required: true}",
]
OUTCOMES = [
    "{name: clue_id, logicalType: string, primaryKey: true}",
    "{name: status, logicalType: string, required: true, enum: [{value: returned},"
    " {value: split}, {value: unfounded}, {value: transferred}, {value: case_filed}, {value: case_withdrawn}]}",
    "{name: decided_at, logicalType: date, required: true}",
    "{name: reported_at, logicalType: date, required: true}",
    "{name: became_case, logicalType: integer}",
    "{name: supervision_model, logicalType: string, required: true}",
    "{name: function, logicalType: string}",
    "{name: agency_id, logicalType: string}",
]
MODEL = """/* ---
title: {zh: 死亡后领取, en: Paid after death}
function: public_interest
legal_ground: {zh: 法律, en: law}
ground: pension_after_death
subject: person
severity: 3
evidence: [deaths, payments]
columns: [amount_cents, agency_id]
--- */
SELECT p.person_id AS subject_id, '-' AS ground_key, any_value(p.office_id) AS office_id,
       sum(p.amount_cents) AS amount_cents, any_value(p.agency_id) AS agency_id,
       list(DISTINCT 'deaths/' || d.record_no) AS evidence
FROM payments p JOIN deaths d ON d.person_id = p.person_id AND p.paid_on > d.died_on
GROUP BY p.person_id
"""
FEATURES = """
columns:
  - {name: amount_cents, column: amount_cents, show: cents, sentence: {zh: "金额{value}", en: "amount {value}"}}
  - {name: supervision_model, column: supervision_model, type: category, show: text, sentence: {zh: "监督模型{value}", en: "supervision model {value}"}}
history:
  - group: own_payments
    source: payments
    key: {subject_id: person_id}
    windows: [365, all]
    features:
      - {kind: count, sentence: {zh: "{window}{value}笔", en: "{value} payments in {window}"}}
ratios:
  - group: model_conversion
    source: outcomes
    where: "became_case IS NOT NULL"
    numerator: "became_case = 1"
    ladder: [{agency_id: agency_id}, {supervision_model: supervision_model}, {}]
    prior: 0.1
    strength: 4
    windows: [all]
    sentence: {zh: "成案率{value}", en: "{value} became cases"}
"""


def write_hamlet(folder: Path) -> Path:
    """Write the jurisdiction's folder."""
    for part in ("records", "supervision", "experiments"):
        (folder / part).mkdir(parents=True)
    (folder / "jurisdiction.yaml").write_text(MANIFEST, "utf-8")
    (folder / "offices.yaml").write_text(OFFICES, "utf-8")
    (folder / "features.yaml").write_text(FEATURES, "utf-8")
    (folder / "supervision" / "paid_after_death.sql").write_text(MODEL, "utf-8")
    for name, properties, happened, known in (
        ("payments", PAYMENTS, "paid_on", None),
        ("deaths", DEATHS, "died_on", "reported_on"),
        ("outcomes", OUTCOMES, "decided_at", "reported_at"),
    ):
        custom = [f"{{property: happenedAt, value: {happened}}}"]
        custom += [f"{{property: knownAt, value: {known}}}"] if known else []
        text = CONTRACT.format(
            name=name,
            custom="\n".join(f"      - {line}" for line in custom),
            properties="\n".join(f"      - {line}" for line in properties),
        )
        if known is None:
            text += "slaProperties: [{property: latency, value: 10, unit: d}]\n"
        (folder / "records" / f"{name}.odcs.yaml").write_text(text, "utf-8")
    return folder


def settled_hamlet(folder: Path, clock: Clock, persons: int = 12) -> Home:
    """A home with payments, deaths and one clue per person, all raised on 2024-07-01.

    Persons p0, p2, ... belong to office A, p1, p3, ... to B; their agencies are x and y.
    """
    home = Home.create(folder / "home", load_jurisdiction(write_hamlet(folder / "hamlet")))
    numbers = range(persons)
    start = datetime(2024, 1, 5)
    rows = [
        (f"n{n}-{month}", n, (start + timedelta(days=30 * month)).date(), 10_000 * (n + 1))
        for n in numbers
        for month in range(5)
    ]
    payments = {
        "payment_no": [row[0] for row in rows],
        "person_id": [f"p{row[1]}" for row in rows],
        "agency_id": ["xy"[row[1] % 2] for row in rows],
        "office_id": ["AB"[row[1] % 2] for row in rows],
        "paid_on": [row[2] for row in rows],
        "amount_cents": [row[3] for row in rows],
    }
    deaths = {
        "person_id": [f"p{n}" for n in numbers],
        "died_on": [datetime(2024, 2, 1).date()] * persons,
        "reported_on": [datetime(2024, 6, 10).date()] * persons,
    }
    admit_table(home, "payments", pa.table(payments), clock)
    admit_table(home, "deaths", pa.table(deaths), clock)
    raise_until(home, datetime(2024, 7, 1))
    return home


def payment(number: str, person: int, paid_on: date) -> pa.Table:
    """One more payment, of 100 yuan."""
    return pa.table(
        {
            "payment_no": [number],
            "person_id": [f"p{person}"],
            "agency_id": ["xy"[person % 2]],
            "office_id": ["AB"[person % 2]],
            "paid_on": [paid_on],
            "amount_cents": [10_000],
        }
    )
