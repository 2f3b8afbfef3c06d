"""The steward's pages: what is held, what was put aside and why, masked by role."""

from __future__ import annotations

from pathlib import Path

import pytest
from served_hamlet import Served

from base.moment import FixedClock
from governance.intake import admit
from scoring.catalogue import catalogue
from scoring.ledger.tables import audit

ROWS = (
    "payment_no,person_id,agency_id,office_id,paid_on,amount_cents\n"
    'n1,p77,x,A,2024-01-05,"<script>alert(1)</script>"\nn2,SECRET9,x,A,2024-01-05,much\n'
)


@pytest.fixture
def stewarded(served: Served, tmp_path: Path, clock: FixedClock) -> Served:
    """A steward, signed in; two rows of payments were put aside."""
    path = tmp_path / "new.csv"
    path.write_text(ROWS, "utf-8")
    assert admit(served.home, "payments", [path], clock).quarantined == 2
    enter(served, "steward")
    return served


def enter(served: Served, role: str, office: str | None = None) -> None:
    key = served.key(role, office)["authorization"].split()[1]
    served.client.cookies.clear()
    served.client.post("/console", data={"key": key}, follow_redirects=False)


def close_a_column(served: Served) -> None:
    contract = served.home.jurisdiction.folder / "records" / "payments.odcs.yaml"
    text = contract.read_text("utf-8")
    plain = "{name: person_id, logicalType: string, required: true}"
    assert plain in text
    contract.write_text(
        text.replace(plain, plain.replace("}", ", classification: restricted}")), "utf-8"
    )
    served.home.__dict__.pop("jurisdiction", None)


def test_the_catalogue_leads_to_each_record_set_and_its_refused_rows(stewarded: Served) -> None:
    """Counts, the reason, the row in its place; crafted text is shown, not run."""
    page = stewarded.client.get("/console/records?language=en")
    for name in ("payments", "deaths", "outcomes"):
        assert f"/console/records/{name}?" in page.text
        assert stewarded.client.get(f"/console/records/{name}").status_code == 200
    told = stewarded.client.get("/console/records/payments?language=en").text
    assert "SECRET9" in told, "every column of the hamlet is internal"
    assert "<script>" not in told
    assert "&lt;script&gt;" in told
    only = stewarded.client.get("/console/records/payments?column=paid_on").text
    assert "SECRET9" not in only


def test_each_column_tells_who_uses_it_as_the_catalogue_does(stewarded: Served) -> None:
    """Supervision models, features and scorers by name; what nobody uses says so."""
    [entry] = [
        each
        for each in catalogue(stewarded.home, stewarded.service.clock)
        if each.record_set == "payments"
    ]
    told = stewarded.client.get("/console/records/payments?language=en").text
    rows = told[told.index('id="columns"') :].split("<tr>")[2:]
    assert len(rows) == len(entry.columns)
    for row, column in zip(rows, entry.columns, strict=True):
        users = [column["supervision_models"], column["features"]]
        users.append([digest[:12] for digest in column["scorers"]])
        for name in [name for names in users for name in names]:
            assert f'<span class="id">{name}</span>' in row
        counts = [len(each) for each in users]
        summary = "used by {} supervision models · {} features · {} scorers".format(*counts)
        assert (summary in row) == bool(sum(counts))
        assert ("used by nothing" in row) == (not sum(counts))
    assert {bool(each["features"]) for each in entry.columns} == {True, False}


def test_a_row_of_closed_columns_is_told_by_its_shape_and_reading_it_is_kept(
    stewarded: Served,
) -> None:
    """Unless the jurisdiction clears the role; then the audit tells who looked."""
    close_a_column(stewarded)
    told = stewarded.client.get("/console/records/payments?language=en").text
    assert "SECRET9" not in told
    assert "aaaaaa9" in told
    assert "much" in told, "its column is open"
    manifest = stewarded.home.jurisdiction.folder / "jurisdiction.yaml"
    cleared = "access: [{purpose: quality, roles: [steward], classifications: [restricted]}]\n"
    manifest.write_text(manifest.read_text("utf-8") + cleared, "utf-8")
    stewarded.home.__dict__.pop("jurisdiction", None)
    assert "SECRET9" in stewarded.client.get("/console/records/payments?language=en").text
    with stewarded.service.ledger.connect() as connection:
        kinds = [row.kind for row in connection.execute(audit.select().order_by(audit.c.seq))]
    assert kinds[-1] == "read"
    assert kinds.count("read") == 1


def test_records_are_of_every_office_or_of_none(stewarded: Served) -> None:
    """A steward who is kept to an office counts nobody's records; an absent set is not found."""
    assert stewarded.client.get("/console/records/nothing").status_code == 404
    assert stewarded.client.get("/console/records/payments?start=-1").status_code == 422
    for role, office, status in (
        ("steward", "A", 403),
        ("auditor", None, 200),
        ("reviewer", None, 403),
    ):
        enter(stewarded, role, office)
        assert stewarded.client.get("/console/records").status_code == status
        assert stewarded.client.get("/console/records/payments").status_code == status
