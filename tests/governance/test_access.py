"""Who reads which column for which purpose; pseudonyms; masks."""

from __future__ import annotations

import stat
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from record_hamlet import write_hamlet

from governance.access import CLEARED, SENSITIVE, cleared, masked_value, readable
from governance.home import Home
from governance.jurisdiction import OPEN, Jurisdiction, load_jurisdiction
from governance.pseudonyms import pseudonym, pseudonym_key, told_apart, under_pseudonyms

READERS = ("case_system", "reviewer", "dispatcher", "data_scientist")
ROLES = (*READERS, "steward", "administrator", "auditor", "somebody")
ACCESS = """
access:
  - {purpose: handling, roles: [reviewer], classifications: [restricted], offices: [A]}
  - {purpose: export, roles: [steward], classifications: [confidential]}
"""


def classified(folder: Path, access: str = "") -> Jurisdiction:
    """The hamlet; the person is restricted, the amount confidential."""
    write_hamlet(folder)
    path = folder / "records" / "payments.odcs.yaml"
    text = path.read_text("utf-8").replace(
        "      - name: person_id\n", "      - name: person_id\n        classification: restricted\n"
    )
    text = text.replace(
        "{name: amount_cents,", "{name: amount_cents, classification: confidential,"
    )
    path.write_text(text, "utf-8")
    manifest = folder / "jurisdiction.yaml"
    manifest.write_text(
        manifest.read_text("utf-8") + "subject_classification: restricted\n" + access, "utf-8"
    )
    return load_jurisdiction(folder)


def test_nobody_reads_beyond_what_is_open_unless_the_table_says_so(tmp_path: Path) -> None:
    """For every role and purpose, a classification that nobody cleared stays hidden."""
    jurisdiction = classified(tmp_path / "hamlet")
    for purpose, roles in CLEARED.items():
        for role in ROLES:
            seen = cleared(jurisdiction, role, purpose)
            assert seen == OPEN | roles.get(role, frozenset())
            assert "a_word_of_tomorrow" not in seen
    assert cleared(jurisdiction, "dispatcher") >= SENSITIVE


def test_each_column_is_seen_in_one_way(tmp_path: Path) -> None:
    """Masked where a case is handled, under a pseudonym where rows are told apart."""
    jurisdiction = classified(tmp_path / "hamlet")
    reviewer = readable(jurisdiction, "payments", "reviewer")
    assert reviewer.columns["person_id"] == "masked"
    assert reviewer.columns["amount_cents"] == "plain"
    assert reviewer.columns["kind"] == "plain"
    assert reviewer.privileged
    scientist = readable(jurisdiction, "payments", "data_scientist", "training")
    assert scientist.of("pseudonym") == ("person_id",)
    assert not readable(jurisdiction, "payments", "auditor").privileged


def test_a_jurisdiction_decides_by_purpose_and_office(tmp_path: Path) -> None:
    """Its rule stands in place of the platform's, at the offices it names and no other."""
    jurisdiction = classified(tmp_path / "hamlet", ACCESS)
    assert "restricted" in cleared(jurisdiction, "reviewer", "handling", {"A", "A1"})
    assert cleared(jurisdiction, "reviewer", "handling", {"B"}) == OPEN
    assert "restricted" in cleared(jurisdiction, "reviewer", "handling", None)
    assert cleared(jurisdiction, "steward", "export") == OPEN | {"confidential"}
    assert cleared(jurisdiction, "dispatcher", "handling", {"B"}) >= SENSITIVE


def test_a_pseudonym_is_one_to_one_within_a_home_and_says_nothing_in_another(
    tmp_path: Path,
) -> None:
    """The key is made once, for its owner alone; another home gives other names."""
    jurisdiction = classified(tmp_path / "hamlet")
    one, other = (Home.create(tmp_path / name, jurisdiction) for name in ("one", "other"))
    key = pseudonym_key(one)
    assert pseudonym_key(one) == key
    assert pseudonym_key(other) != key
    place = one.path / "keys" / "pseudonyms.key"
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    people = [f"99000019{at:010}" for at in range(2_000)]
    named = under_pseudonyms(one, pa.table({"who": [*people, None, people[0]]}), ["who"])
    values = named["who"].to_pylist()
    assert len(set(values[:2_000])) == 2_000
    assert values[2_000] is None
    assert values[-1] == values[0] == pseudonym(key, people[0])
    assert not any(person in str(values) for person in people[:50])


def test_a_table_for_training_has_its_subjects_under_pseudonyms(tmp_path: Path) -> None:
    """What the clue's columns are classified decides, not their names; the rest stays."""
    home = Home.create(tmp_path / "home", classified(tmp_path / "hamlet"))
    table = pa.table({"clue_id": ["c"], "subject_id": ["P1"], "amount_cents": [5], "label": [1.0]})
    told = told_apart(home, table, "data_scientist", "training").to_pylist()[0]
    assert told["subject_id"].startswith("p")
    assert told["subject_id"] != "P1"
    assert {name: told[name] for name in ("clue_id", "amount_cents", "label")} == {
        "clue_id": "c", "amount_cents": 5, "label": 1.0,
    }  # fmt: skip


@given(value=st.one_of(st.text(), st.integers(), st.floats()))
def test_a_mask_shows_four_signs_of_a_long_text_and_nothing_else(value: object) -> None:
    """Of anything shorter, and of any number, nothing."""
    shown = masked_value(value)
    assert shown == "****" or (len(str(value)) >= 12 and shown == "****" + str(value)[-4:])
    assert masked_value(None) is None


@pytest.mark.parametrize("wrong", ["purpose: sale", "roles: reviewer", "colour: red"])
def test_a_rule_that_says_nothing_clear_is_refused(wrong: str, tmp_path: Path) -> None:
    """A misspelt rule of access must not pass for a promise."""
    from base.errors import Refused

    rule = f"access:\n  - {{purpose: export, roles: [steward], {wrong}}}\n"
    if "purpose" in wrong or "roles" in wrong:
        rule = f"access:\n  - {{{wrong}}}\n"
    with pytest.raises(Refused):
        classified(tmp_path / "hamlet", rule)
