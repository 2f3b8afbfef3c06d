"""Offices form a tree; an office sees itself and what is below it."""

from __future__ import annotations

from pathlib import Path

import pytest

from base.errors import NotFound, Refused
from dispatch.offices import load_offices

ROOT = Path(__file__).resolve().parents[2]


def write(path: Path, *rows: tuple[str, str | None]) -> Path:
    lines = ["offices:"]
    for office, parent in rows:
        lines.append(
            f"  - {{office_id: {office}, title: {{zh: 院, en: Office}}, level: county,"
            f" parent: {parent or 'null'}, weekly_capacity: 3}}"
        )
    path.write_text("\n".join(lines), "utf-8")
    return path


def test_a_subtree_is_the_office_and_all_below(tmp_path: Path) -> None:
    """Two steps down, nothing beside."""
    offices = load_offices(
        write(tmp_path / "o.yaml", ("P", None), ("A", "P"), ("a", "A"), ("B", "P"))
    )
    assert offices.subtree("A") == {"A", "a"}
    assert offices.subtree("P") == {"P", "A", "a", "B"}
    with pytest.raises(NotFound):
        offices.subtree("C")


def test_faults_of_the_tree_are_told_together(tmp_path: Path) -> None:
    """A doubled office and an unknown parent; a ring of offices."""
    with pytest.raises(Refused) as refusal:
        load_offices(write(tmp_path / "o.yaml", ("P", None), ("P", None), ("A", "Q")))
    assert len(refusal.value.faults) == 2
    with pytest.raises(Refused, match="a tree"):
        load_offices(write(tmp_path / "o.yaml", ("P", None), ("A", "B"), ("B", "A")))


def test_the_simulated_province_has_its_121_offices() -> None:
    """1 province, 16 cities, 104 counties, all below the province."""
    offices = load_offices(ROOT / "jurisdictions" / "anhui" / "offices.yaml")
    levels = [office.level for office in offices.offices]
    assert (levels.count("province"), levels.count("city"), levels.count("county")) == (1, 16, 104)
    assert len(offices.subtree("AH")) == 121


def test_an_unknown_office_is_answered_with_the_nearest_few() -> None:
    """A slip of the pen with the one that was meant; something else not with all 121."""
    offices = load_offices(ROOT / "jurisdictions" / "anhui" / "offices.yaml")
    with pytest.raises(NotFound, match="write 'AH0101'"):
        offices.office("AH0101x")
    with pytest.raises(NotFound, match=r"\(121 in all\)") as refusal:
        offices.office("340100")
    assert str(refusal.value).count("AH") == 5
