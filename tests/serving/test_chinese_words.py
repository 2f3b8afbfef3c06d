"""Pages in Chinese say nothing in English: words that are no names of ours stand on a list."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path

import pyarrow as pa
import pytest
from hamlet_scorer import write_hamlet_bundle
from served_hamlet import Served, serve_hamlet

from base.moment import FixedClock
from clues.register import read_clues
from dispatch.outcome import take_outcomes
from governance import checks, csv_lines, jsonl_file
from governance.contract import load_contract
from governance.intake import admit_table
from serving.console.words import words_of
from serving.console.words_of_reasons import bound_in, reason_in

# Names of things that have no Chinese one, and what the other language's link says.
NAMES = {
    "English",
    "MLflow",
    "LightGBM",
    "Brier",
    "Ctrl",
    "JSON",
    "NUL",
    "clues",
    "weigh",
    "formats",
}
# Where ids, digests and what records say stand.
MARKED = {"id", "raw", "file"}
WORD = re.compile(r"[A-Za-z][A-Za-z'-]{3,}")
DIGEST = re.compile(r"\b[0-9a-f]{8,64}\b")
VOID = {"br", "input", "link", "meta", "line", "rect", "path", "circle", "polyline", "img", "hr"}
SPOKEN = ("aria-label", "title", "alt", "placeholder")


class Said(HTMLParser):
    """The text of a page that a person reads or hears, without what is marked as an id."""

    def __init__(self) -> None:
        super().__init__()
        self.marked: list[bool] = []
        self.said: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.said += [given[name] or "" for name in SPOKEN if name in given]
        if tag not in VOID:
            classes = set((given.get("class") or "").split())
            self.marked.append(bool(classes & MARKED) or tag in ("style", "code"))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            self.marked.pop()

    def handle_data(self, data: str) -> None:
        if not any(self.marked):
            self.said.append(data)


def english(page: str, names: set[str]) -> set[str]:
    """Words of more than three letters that no name of ours has."""
    parser = Said()
    parser.feed(page)
    plain = [DIGEST.sub("", text) for text in parser.said]
    return {each for text in plain for each in WORD.findall(text)} - names


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    """With a row put aside for each of several reasons, and another scorer."""
    made = serve_hamlet(tmp_path_factory.mktemp("chinese"))
    write_hamlet_bundle(made.home, seed=2)
    bad = {
        "person_id": ["p900", "p901", None],
        "died_on": ["2024-02-31", "never", "2024-01-01"],
        "reported_on": ["2024-03-01", "2024-01-01", "2024-03-01"],
    }
    ended = {"clue_id": read_clues(made.home)["clue_id"][0].as_py(), "status": "unfounded"}
    word = {**ended, "decided_at": "2024-07-05", "reported_at": "2024-07-06"}
    file = made.home.path / "ended.jsonl"
    file.write_text(json.dumps(word) + "\n", "utf-8")
    take_outcomes(made.home, file, made.service.clock)
    admit_table(made.home, "deaths", pa.table(bad), FixedClock(made.service.clock.now()))
    return made


def declared(served: Served) -> set[str]:
    """Words of the jurisdiction's own declarations: its names, and titles that it gave nothing
    else than an English one for."""
    folder = served.home.jurisdiction.folder
    texts = [path.read_text("utf-8") for path in folder.rglob("*") if path.is_file()]
    return {word for text in texts for word in WORD.findall(text)}


def pages(served: Served) -> Iterator[tuple[str, str]]:
    """Every page of the console that a role may open, by following its links."""
    seen = set()
    for role in ("reviewer", "dispatcher", "data_scientist", "steward", "auditor"):
        key = served.key(role)["authorization"].split()[1]
        ended = read_clues(served.home)["clue_id"][0].as_py()
        waiting = ["/console/first?language=zh", "/console/account?language=zh"]
        waiting += [f"/console/clues/{ended}?language=zh"] if role == "reviewer" else []
        kinds: dict[str, int] = {}
        while waiting:
            address = waiting.pop(0)
            kind = re.sub(r"[0-9a-f]{16,64}|\?.*|evidence/[^?]+", "", address)
            if (role, address) in seen or kinds.get(kind, 0) >= 3:
                continue
            seen.add((role, address))
            kinds[kind] = kinds.get(kind, 0) + 1
            headers = {"cookie": f"clues_key={key}"}
            reply = served.client.get(address, headers=headers)
            assert reply.status_code == 200, address
            yield f"{role} {address}", reply.text
            links = re.findall(r'href="(/console/[^"]+)"', reply.text)
            waiting += [
                link.replace("&amp;", "&")
                for link in links
                if "language=en" not in link and "style.css" not in link
            ]


def test_no_page_in_chinese_says_anything_in_english(served: Served) -> None:
    """All pages of all roles, whatever leads to them; and every role has some."""
    # Wang is who approved the champion.
    names, told, count = NAMES | declared(served) | {"Wang"}, {}, 0
    for address, page in pages(served):
        count += 1
        if left := english(page, names):
            told[address] = left
    assert told == {}
    assert count > 30


def test_a_word_left_in_english_would_be_found() -> None:
    """The looking itself: text and labels, not what is marked as an id."""
    page = '<p aria-label="Hidden">中文 shown <span class="id">deaths</span><br></p>'
    assert english(page, {"deaths"}) == {"Hidden", "shown"}


def test_every_word_of_the_console_has_its_chinese() -> None:
    """None is the English one again."""
    for name, word in words_of("zh").items():
        assert not english(f"<p>{word}</p>", NAMES), name


EVERYTHING = """
apiVersion: v3.1.0
kind: DataContract
id: all
version: 1.0.0
status: active
schema:
  - name: all
    logicalType: object
    businessName: 全
    description: all
    customProperties: [{property: happenedAt, value: d}, {property: knownAt, value: t}]
    properties:
      - {name: k, logicalType: string, primaryKey: true}
      - {name: i, logicalType: integer, logicalTypeOptions: {minimum: 0, maximum: 5}}
      - {name: n, logicalType: number}
      - {name: b, logicalType: boolean}
      - {name: s, logicalType: string, logicalTypeOptions: {pattern: 'a+'}}
      - {name: e, logicalType: string, enum: [{value: x}, {value: y}]}
      - {name: d, logicalType: date, required: true}
      - {name: t, logicalType: timestamp, required: true}
"""


def test_every_reason_of_intake_is_told_in_chinese(tmp_path: Path) -> None:
    """Wanted, got and cure of each check and of each kind of spoilt line."""
    (tmp_path / "all.odcs.yaml").write_text(EVERYTHING, "utf-8")
    contract = load_contract(tmp_path / "all.odcs.yaml")
    moment = datetime(2026, 1, 1)
    arrived = {column.name: pa.string() for column in contract.columns}
    look = checks.Look(formula=True, unseen=True)
    found = checks.checks(contract, arrived, dict.fromkeys(arrived, look), {"t": moment})
    texts = {each.wanted for each in found} | {each.cure for each in found} | {"nothing"}
    lines = [*csv_lines.WHY.values()]
    lines += [each for each in vars(jsonl_file).values() if isinstance(each, csv_lines.Why)]
    texts |= {part for why in lines for part in why}
    texts |= {"7 values", "quote values that hold the separator, or fill the gap"}
    assert len(texts) > 30
    left = {text for text in texts if reason_in(text, "zh") == text}
    assert left == set()
    assert all(reason_in(text, "en") == text for text in texts)


def test_the_bound_of_a_quality_rule_is_told_in_words() -> None:
    """Not by the standard's operator."""
    assert bound_in("mustBeLessThan 5 percent", "zh") == "小于 5 %"
    assert bound_in("mustBeLessThan 5 percent", "en") == "less than 5 %"
    assert bound_in("mustBeBetween 1 and 5", "zh") == "介于 1与5"
