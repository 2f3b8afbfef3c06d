"""Every bundled supervision model stands on its examples: what it finds and what it must not."""

from __future__ import annotations

from pathlib import Path

import pytest

from base.errors import Refused
from clues.examples import (
    Example,
    check_examples,
    example_files,
    examples_wanted,
    require_examples,
)
from clues.supervision import SupervisionModel, load_supervision_models
from governance.jurisdiction import BUNDLED, Jurisdiction, load_jurisdiction

DECLARED = [load_jurisdiction(path.parent) for path in sorted(BUNDLED.glob("*/jurisdiction.yaml"))]
MODELS = [(each, model) for each in DECLARED for model in load_supervision_models(each)]
NAMES = [f"{jurisdiction.name}-{model.name}" for jurisdiction, model in MODELS]
DEATH = """says: {zh: 例, en: example}
moment: 2024-07-01
records:
  persons:
    - {person_id: 99010119500101001X, registered_on: 2020-01-01, reported_on: 2020-01-02}
  deaths:
    - {person_id: 99010119500101001X, died_on: 2024-01-10, reported_on: 2024-02-20, source: police}
  benefit_payments:
    - {person_id: 99010119500101001X, agency_id: G1, paid_on: 2024-02-05, amount_cents: 90000}
clues:
  - {subject_id: 99010119500101001X, amount_cents: 90000}
"""


@pytest.mark.parametrize(("jurisdiction", "model"), MODELS, ids=NAMES)
def test_a_supervision_model_does_what_its_examples_say(
    jurisdiction: Jurisdiction, model: SupervisionModel
) -> None:
    """Rows in, clues out; at least one example finds, at least one must not."""
    checked = check_examples(model, jurisdiction)
    assert [str(fault) for each in checked for fault in each.faults] == []
    assert list(examples_wanted(model, checked)) == []


@pytest.fixture
def changed(tmp_path: Path) -> tuple[Jurisdiction, SupervisionModel]:
    """anhui's model of pensions after death, with a folder of examples of its own."""
    from dataclasses import replace

    jurisdiction, model = next(each for each in MODELS if each[1].name == "benefit_after_death")
    (tmp_path / "examples").mkdir()
    return jurisdiction, replace(model, folder=tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("amount_cents: 90000}\n\n", "", ""),
        ("X, amount_cents: 90000", "X, amount_cents: 80000", "wanted 80000; got 90000"),
        ("clues:\n  - {subject_id: 99010119500101001X, amount_cents: 90000}", "clues: []",
         "wanted no clue of 99010119500101001X"),
        ("paid_on: 2024-02-05", "paid_on: 2024-01-05", "wanted a clue of 99010119500101001X -"),
        ("moment: 2024-07-01", "moment: 2024-02-01", "wanted a clue of"),
        ("died_on: 2024-01-10", "died_on: 10/01/2024", "a date written %Y-%m-%d"),
        ("source: police", "source: rumour", "one of police"),
        ("died_on: 2024-01-10, ", "", "give died_on: a record without its times is never seen"),
        ("source: police", "sauce: police", "write 'source'"),
        ("  deaths:", "  death:", "write 'deaths'"),
        ("99010119500101001X, died_on", "1234, died_on", "text like"),
        ("99010119500101001X, died_on", "1234, died_on", "got 1234"),
        ("source: police", "source: rumour", "got 'rumour'"),
        ("99010119500101001X", "990101195001010010", "write it in quotes: '990101195001010010'"),
        ("amount_cents: 90000}\n", "amount_cents: '90000'}\n", "write it without quotes"),
    ],
)  # fmt: skip
def test_an_example_that_does_not_hold_says_what_was_found(
    changed: tuple[Jurisdiction, SupervisionModel], old: str, new: str, told: str
) -> None:
    """The first row of the table holds; each other breaks one thing."""
    jurisdiction, model = changed
    path = Path(str(model.folder)) / "examples" / "one.yaml"
    path.write_text(DEATH.replace(old, new), "utf-8")
    [checked] = check_examples(model, jurisdiction)
    if not told:
        assert checked.faults == ()
        return
    assert told in " ".join(map(str, checked.faults))
    assert all("one.yaml" in fault.where for fault in checked.faults)


def test_examples_that_are_no_test_are_refused(
    changed: tuple[Jurisdiction, SupervisionModel], tmp_path: Path
) -> None:
    """None, only one that finds, only one that must not: both kinds are wanted of a folder."""
    from dataclasses import replace

    _, model = changed
    nothing = DEATH[: DEATH.index("clues:")] + "clues: []\n"
    finds, finds_none = tmp_path / "examples" / "a.yaml", tmp_path / "examples" / "b.yaml"
    with pytest.raises(Refused) as refusal:
        require_examples([model, model])
    assert len(refusal.value.faults) == 4
    finds_none.write_text(nothing, "utf-8")
    with pytest.raises(Refused, match="an example that finds a clue; got none"):
        require_examples([model])
    finds.write_text(DEATH.replace("clues:", "cluez:"), "utf-8")
    with pytest.raises(Refused, match=r"benefit_after_death/examples/a.yaml: .*write 'clues'"):
        require_examples([model])
    finds.write_text(DEATH, "utf-8")
    require_examples([model, replace(model, folder=None)])


def test_an_example_with_a_misspelt_key_is_refused(
    changed: tuple[Jurisdiction, SupervisionModel],
) -> None:
    """The same care as for every declared file."""
    jurisdiction, model = changed
    path = Path(str(model.folder)) / "examples" / "one.yaml"
    path.write_text(DEATH.replace("moment:", "momment:"), "utf-8")
    with pytest.raises(Refused, match="write 'moment'"):
        check_examples(model, jurisdiction)


def test_a_bare_file_runs_and_has_no_examples(tmp_path: Path) -> None:
    """`supervision/NAME.sql` loads as before; a check says what it lacks."""
    from shutil import copytree

    folder = copytree(BUNDLED / "anhui", tmp_path / "anhui")
    model = folder / "supervision" / "unserved_sentence"
    (model / "model.sql").rename(folder / "supervision" / "bare.sql")
    loaded = {each.name: each for each in load_supervision_models(load_jurisdiction(folder))}
    assert "unserved_sentence" not in loaded
    assert example_files(loaded["bare"]) == []
    assert len(list(examples_wanted(loaded["bare"], []))) == 2


def test_a_name_used_twice_is_refused(tmp_path: Path) -> None:
    """As a folder and as a bare file."""
    from shutil import copy, copytree

    folder = copytree(BUNDLED / "anhui", tmp_path / "anhui") / "supervision"
    copy(folder / "unserved_sentence" / "model.sql", folder / "unserved_sentence.sql")
    with pytest.raises(Refused, match="unserved_sentence twice"):
        load_supervision_models(load_jurisdiction(folder.parent))


def test_the_shape_of_an_example_is_published() -> None:
    """docs/schema/example.schema.json, for editors."""
    assert set(Example.model_json_schema()["properties"]) == {"says", "moment", "records", "clues"}
