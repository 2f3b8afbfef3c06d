"""A thirteenth supervision model: its folder is added, and nothing else is touched."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from shutil import copytree
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from base.moment import FixedClock
from base.progress import silent
from clues.examples import check_examples, find_model
from clues.health import model_health
from clues.raising import raise_until
from clues.register import read_clues
from clues.supervision import load_supervision_models
from dispatch.score_clues import score_clues
from features.declared import declared_features
from features.table import build_features
from governance.home import Home
from governance.jurisdiction import BUNDLED
from governance.reading import Records, known_before
from scoring.catalogue import catalogue

NAME = "licence_after_death"
MOMENT = datetime(2026, 2, 1)
MODEL = """/* ---
title: {zh: 死亡后驾驶证仍有效, en: Driving licence still valid after a recorded death}
function: administrative
legal_ground: {zh: 《机动车驾驶证申领和使用规定》, en: Provisions on Driving Licences}
ground: licence_of_the_dead
subject: person
severity: 1
evidence: [deaths, driving_licences]
columns: [records, person_id]
--- */
SELECT d.person_id AS subject_id, '-' AS ground_key, any_value(s.county_id) AS office_id,
       count(*) AS records, any_value(d.person_id) AS person_id,
       list(DISTINCT 'deaths/' || d.record_no) AS evidence
FROM deaths AS d
JOIN persons AS s ON s.person_id = d.person_id
JOIN driving_licences AS l ON l.person_id = d.person_id AND l.status = 'valid'
GROUP BY d.person_id
"""
EXAMPLE = """says: {zh: 死亡后驾驶证仍有效, en: still valid after the death}
moment: 2024-07-01
records:
  persons: [{person_id: 99010119500101001X, registered_on: 2020-01-01, reported_on: 2020-01-02}]
  deaths: [{person_id: 99010119500101001X, died_on: 2024-01-10, reported_on: 2024-02-20}]
  driving_licences: [{person_id: 99010119500101001X, status: valid, changed_on: 2015-01-01}]
clues: [{subject_id: 99010119500101001X, records: 1}]
"""


@dataclass
class Added:
    """A copied province with the folder added, raised and scored."""

    home: Home
    clues: pa.Table
    scores: list[dict[str, Any]]


@pytest.fixture(scope="module")
def added(province: Home, tmp_path_factory: pytest.TempPathFactory) -> Added:
    """The jurisdiction and the home are copies; the scorer has never heard of the newcomer."""
    folder = tmp_path_factory.mktemp("thirteenth")
    jurisdiction = copytree(BUNDLED / "anhui", folder / "anhui")
    home = Home(copytree(province.path, folder / "home"))
    note = {"jurisdiction": str(jurisdiction)}
    (home.path / "home.json").write_text(json.dumps(note), "utf-8")
    model = jurisdiction / "supervision" / NAME
    (model / "examples").mkdir(parents=True)
    (model / "model.sql").write_text(MODEL, "utf-8")
    (model / "examples" / "still_valid.yaml").write_text(EXAMPLE, "utf-8")
    raise_until(home, MOMENT)
    output = folder / "scores.parquet"
    score_clues(
        home,
        MOMENT,
        output=output,
        chosen=None,
        reasons=5,
        language="en",
        clock=FixedClock(MOMENT),
        stages=silent(),
    )
    rows = read_clues(home)
    return Added(home, rows, pq.read_table(output).to_pylist())


def own(added: Added) -> pa.Table:
    return added.clues.filter(pc.equal(added.clues["supervision_model"], NAME))


def test_its_clues_appear_among_the_others(added: Added) -> None:
    """Thirteen now; it finds some, and takes none from the twelve."""
    models = load_supervision_models(added.home.jurisdiction)
    assert len(models) == 13
    model = find_model(models, NAME)
    [checked] = check_examples(model, added.home.jurisdiction)
    assert checked.faults == ()
    rows = own(added)
    assert rows.num_rows >= 5
    assert set(rows["model_version"].to_pylist()) == {model.version}
    assert added.clues.num_rows - rows.num_rows == 1_200


def test_they_are_scored_with_their_functions_share_of_cases(added: Added) -> None:
    """No past of its own: the share starts from its function's, and that from all (by hand)."""
    ids = set(own(added)["clue_id"].to_pylist())
    scored = [row for row in added.scores if row["clue_id"] in ids]
    assert len(scored) == len(ids)
    assert all(0 < row["probability"] < 1 for row in scored)
    definitions = declared_features(added.home)
    feature = definitions.feature("model_conversion__ratio_all")
    assert feature.ratio is not None
    strength, prior = feature.ratio.strength, feature.ratio.prior
    last = own(added).sort_by("raised_at").slice(own(added).num_rows - 1, 1)
    with Records(added.home) as records:
        value = build_features(definitions, last, records, threads=1)[feature.name][0].as_py()
        counted = f"""
            SELECT count(*) FILTER (became_case = 1), count(*),
                   count(*) FILTER (became_case = 1 AND "function" = 'administrative'),
                   count(*) FILTER ("function" = 'administrative')
            FROM outcomes WHERE became_case IS NOT NULL AND {known_before("$moment")}
        """
        moment = last["raised_at"][0].as_py()
        cases, every, own_cases, own_every = (
            records.connection().execute(counted, {"moment": moment}).fetchall()[0]
        )
    of_all = (cases + strength * prior) / (every + strength)
    expected = (own_cases + strength * of_all) / (own_every + strength)
    assert value == pytest.approx(expected)
    assert own_every > 0


def test_the_catalogue_and_the_health_show_it(added: Added) -> None:
    """Which columns it uses; how many clues it raised, none of them decided."""
    entries = {each.record_set: each for each in catalogue(added.home, FixedClock(MOMENT))}
    columns = {each["name"]: each for each in entries["driving_licences"].columns}
    assert columns["status"]["supervision_models"] == ["licence_not_revoked", NAME]
    assert columns["licence_class"]["supervision_models"] == []
    amount = {each["name"]: each for each in entries["clues"].columns}["amount_cents"]
    assert amount["features"]
    assert amount["scorers"]
    payments = entries["benefit_payments"]
    assert payments.owner
    assert payments.rows == sum(each["admitted"] for each in payments.quality)
    assert 0 < (payments.quarantined_share or 0) < 0.2
    hands = dict.fromkeys(added.clues["office_id"].to_pylist(), 2)
    health = {each.name: each for each in model_health(added.home, MOMENT, hands)}
    assert health[NAME].clues == own(added).num_rows
    assert (health[NAME].concluded, health[NAME].conversion) == (0, None)
    pension = health["benefit_after_death"]
    assert 0 < pension.cases < pension.verified <= pension.concluded <= pension.clues
    assert pension.weeks_per_case == pytest.approx(pension.verified / 2 / pension.cases, abs=1e-4)
    assert pension.conversion == pytest.approx(pension.cases / pension.verified, abs=1e-4)
