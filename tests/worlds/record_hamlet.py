"""A jurisdiction of two record sets, small enough to check by hand."""

from __future__ import annotations

from pathlib import Path

MANIFEST = """
name: hamlet
title: {zh: 小镇, en: Hamlet}
nature: simulated
timezone: Asia/Shanghai
raise_cycle: {first: 2024-01-01T00:00:00, months: 1}
clue_columns:
  amount_cents: {type: integer, title: {zh: 金额, en: amount}}
"""
PAYMENTS = """
apiVersion: v3.1.0
kind: DataContract
id: hamlet-payments
version: 1.0.0
status: active
schema:
  - name: payments
    logicalType: object
    businessName: 发放
    description: payments
    customProperties: [{property: happenedAt, value: paid_on}]
    properties:
      - name: person_id
        logicalType: string
        required: true
        logicalTypeOptions: {pattern: "P[0-9]+"}
      - {name: paid_on, logicalType: date, required: true}
      - {name: amount_cents, logicalType: integer, required: true, logicalTypeOptions: {minimum: 0}}
      - {name: kind, logicalType: string, enum: [{value: pension}, {value: subsidy}]}
      - {name: rate, logicalType: number}
slaProperties: [{property: latency, value: 10, unit: d}]
"""
DEATHS = """
apiVersion: v3.1.0
kind: DataContract
id: hamlet-deaths
version: 1.0.0
status: active
schema:
  - name: deaths
    logicalType: object
    customProperties:
      - {property: happenedAt, value: died_on}
      - {property: knownAt, value: reported_on}
    properties:
      - {name: person_id, logicalType: string, primaryKey: true}
      - name: died_on
        logicalType: date
        required: true
        customProperties: [{property: formats, value: ["%Y-%m-%d", "%Y/%m/%d"]}]
      - {name: reported_on, logicalType: date, required: true}
"""


def write_hamlet(folder: Path) -> Path:
    """Write the jurisdiction's folder and return it."""
    (folder / "records").mkdir(parents=True)
    (folder / "supervision").mkdir()
    (folder / "jurisdiction.yaml").write_text(MANIFEST, "utf-8")
    (folder / "records" / "payments.odcs.yaml").write_text(PAYMENTS, "utf-8")
    (folder / "records" / "deaths.odcs.yaml").write_text(DEATHS, "utf-8")
    return folder
