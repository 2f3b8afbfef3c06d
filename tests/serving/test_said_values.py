"""Values of records as pages show them: declared titles, yuan, and the value as it was sent."""

from __future__ import annotations

import re
from typing import Any

import pytest
from served_hamlet import Served

from clues.register import read_clues
from governance.home import Home
from governance.jurisdiction import load_jurisdiction
from serving.console.evidence import Cell, said_by
from serving.service import Service


@pytest.fixture(scope="module")
def anhui(tmp_path_factory: pytest.TempPathFactory) -> Service:
    """A service of the province without a single record."""
    folder = tmp_path_factory.mktemp("anhui")
    return Service(Home.create(folder / "home", load_jurisdiction("anhui")))


@pytest.mark.parametrize(
    ("record_set", "column", "value", "zh", "en"),
    [
        ("sentences", "offence", "drunk_driving", "危险驾驶（醉驾）", "drunk driving"),
        ("deaths", "source", "police", "公安机关", "the police"),
        ("clues", "matched_by", "id", "身份证号", "identity number"),
        ("benefit_payments", "amount_cents", 123456, "1,234.56元", "1,234.56 yuan"),
        ("benefit_payments", "amount_cents", -5, "-0.05元", "-0.05 yuan"),
        ("clues", "repaid_cents", 100, "1.00元", "1.00 yuan"),
        ("outcomes", "status", "unfounded", "查否", "unfounded"),
        (None, "amount_cents", None, "", ""),
        ("sentences", "offence", "arson", "arson", "arson"),
        ("driving_licences", "class", "A", "A", "A"),
        ("benefit_payments", "amount_cents", "••••", "••••", "••••"),
    ],
)
def test_codes_and_cents_are_told_in_words_with_the_value_beside(
    anhui: Service, record_set: str | None, column: str, value: Any, zh: str, en: str
) -> None:
    """What nobody declared, and what is masked, stays as it is."""
    for language, shown in (("zh", zh), ("en", en)):
        cell = said_by(anhui, language, record_set)(column, value)  # type: ignore[arg-type]
        text = "" if value is None else str(value)
        assert cell == Cell(shown, None if shown == text else text)


def test_every_code_that_a_record_of_the_province_may_have_has_a_title(anhui: Service) -> None:
    """Of each value of each contract in Chinese; single letters are names of classes."""
    bare = [
        (name, column.name, value)
        for name, contract in anhui.home.jurisdiction.contracts.items()
        for column in contract.columns
        for value in column.values
        if said_by(anhui, "zh", name)(column.name, value).raw is None and len(value) > 1
    ]
    assert bare == []


def test_records_behind_a_reason_show_yuan_and_the_cents_that_were_sent(standing: Served) -> None:
    """A payment of 10,000 cents, as the page has it; the head says no unit of the file."""
    row = next(each for each in read_clues(standing.home).to_pylist() if each["subject_id"] == "p0")
    key = standing.key("reviewer", "A")["authorization"].split()[1]
    page = standing.client.get(
        f"/console/clues/{row['clue_id']}/evidence/own_payments__count_all?language=en",
        headers={"cookie": f"clues_key={key}"},
    ).text
    assert len(re.findall(r'100\.00 yuan <span class="raw soft">10000</span>', page)) == 5


def test_labels_are_read_from_the_contract(anhui: Service) -> None:
    """ODCS: `label` is the Chinese title of a value, `description` the English one."""
    contract = anhui.home.jurisdiction.contract("sentences")
    labels = contract.column("penalty").labels
    assert {value: (each.zh, each.en) for value, each in labels.items()} == {
        "custody": ("羁押", "custody"),
        "suspended": ("缓刑", "suspended sentence"),
        "fine": ("罚金", "fine"),
    }
