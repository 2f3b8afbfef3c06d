"""Declared YAML: plain values only, no key twice, told as one refusal."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from base.declared import load_declared, read_yaml
from base.errors import Refused, nearest

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


class Office(BaseModel):
    """A shape to read into."""

    office_id: str
    hands: int


@given(PLAIN)
def test_it_reads_what_pyyamls_own_loader_reads(value: object) -> None:
    """The loader in C and the one in Python agree, also on every kind of scalar."""
    text = yaml.safe_dump(value, allow_unicode=True)
    assert read_yaml(text) == yaml.safe_load(text)


def test_a_key_that_stands_twice_is_refused_with_its_line(tmp_path: Path) -> None:
    """YAML's own rule: the last one would win in silence."""
    path = tmp_path / "office.yaml"
    path.write_text("office_id: hefei\nhands: 2\nhands: 20\n", "utf-8")
    with pytest.raises(Refused) as refused:
        load_declared(path, Office)
    (fault,) = refused.value.faults
    assert "'hands' stands twice" in fault.got
    assert "line 3" in fault.got
    assert fault.where == "office.yaml"


@pytest.mark.parametrize(
    "text",
    ["office_id: !!python/object/apply:os.getcwd []\nhands: 1", "office_id: [1\nhands: 1", "\0"],
)
def test_what_is_not_plain_yaml_is_refused(tmp_path: Path, text: str) -> None:
    """No objects, no broken brackets, no control characters."""
    path = tmp_path / "office.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(Refused, match="YAML"):
        load_declared(path, Office)


def test_names_that_are_equally_near_are_told_in_their_order() -> None:
    """The first few of them, not the last; one that is nearest stands alone."""
    offices = [f"AH{city:02}" for city in range(1, 17)]
    assert nearest("AH99", offices) == "write 'AH09'"
    assert nearest("AH0", offices).startswith("write 'AH01' or 'AH02' or")
    assert nearest("reviwer", ["reviewer", "viewer"]) == "write 'reviewer'"
    assert nearest("zz", [f"a{at:02}" for at in range(30)]).startswith("use one of a00, a01, a02")
