"""What to check next, against a plain loop over the reference rows."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import feature_worlds
import numpy as np
import pytest
import tiny_scorer
from hypothesis import given, settings
from hypothesis import strategies as st

import scoring.next_checks as module
from base.bilingual import Bilingual
from base.errors import NotReady, Refused
from features.definition import load_features
from scoring.bundle import REFERENCE, ScoredFeature, bundle_digest, read_reference
from scoring.leaves import leaves_of
from scoring.matrix import to_matrix
from scoring.next_checks import LEAST_WORTH, Fact, facts_of, next_checks
from scoring.scorer import Scorer, table_of_rows

FACTS = (Fact((0,), None), Fact((1,), "payments", age=1), Fact((2,), None), Fact((0, 2), None))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    scorers: Path = tmp_path_factory.mktemp("scorers")
    return scorers / tiny_scorer.write_tiny_bundle(scorers, reference=True)


@pytest.fixture(scope="module")
def scorer(folder: Path) -> Scorer:
    return Scorer.load(folder, folder.name)


def probability(scorer: Scorer, values: list[Any]) -> float:
    rows = table_of_rows(scorer.manifest, [tuple(values)])
    return float(scorer.score(rows).probability[0])


def leaves(scorer: Scorer, values: list[Any]) -> list[int]:
    matrix = to_matrix(scorer.manifest.features, table_of_rows(scorer.manifest, [tuple(values)]))
    return list(scorer.booster.predict(matrix, pred_leaf=True)[0])


def is_known(scorer: Scorer, place: int, value: Any) -> bool:
    """A category nobody saw tells the trees nothing."""
    categories = scorer.manifest.features[place].categories
    return value is not None and (not categories or value in categories)


def by_a_loop(
    scorer: Scorer, folder: Path, fact: Fact, values: list[Any], kind: str | None = None
) -> Any:
    """(expected change, known share) of an open fact; None where it is known and fresh.

    With a kind, rows of any other count for nothing.
    """
    rows = [list(row) for row in read_reference(folder).rows]
    ages = sorted(
        row[fact.age] for row in rows if fact.age is not None and row[fact.age] is not None
    )
    missing = not any(is_known(scorer, at, values[at]) for at in fact.places)
    if not missing:
        if fact.age is None or not values[fact.age] > np.quantile(ages, 0.9):
            return None
        rows = [
            r if r[fact.age] is not None and r[fact.age] < values[fact.age] else None for r in rows
        ]
    if not any(scorer.booster.feature_importance("gain")[list(fact.places)]):
        return None
    weights = leaves_of(scorer).weights
    mine, now = leaves(scorer, values), probability(scorer, values)
    total = known = moved = 0.0
    for row, whole in zip(rows, read_reference(folder).rows, strict=True):
        alike_but_for_the_fact = list(whole)
        for at in fact.places:
            alike_but_for_the_fact[at] = values[at]
        theirs = leaves(scorer, alike_but_for_the_fact)
        alike = (kind is None or whole[2] == kind) * sum(
            int(w) for w, a, b in zip(weights, mine, theirs, strict=True) if a == b
        )
        total += alike
        if row is None or not any(is_known(scorer, at, row[at]) for at in fact.places):
            continue
        put = list(values)
        for at in fact.places:
            put[at] = row[at]
        known += alike
        moved += alike * abs(probability(scorer, put) - now)
    return moved / known, known / total


@settings(max_examples=5, deadline=None)
@given(
    amount=st.one_of(st.none(), st.floats(0, 100_000)),
    count=st.one_of(st.none(), st.just(9.0), st.integers(0, 9).map(float)),
    kind=st.sampled_from([None, "civil", "criminal", "unheard of"]),
)
def test_checks_are_those_of_a_plain_loop(
    scorer: Scorer, folder: Path, amount: Any, count: Any, kind: Any
) -> None:
    """Which facts are open, what each would move and how often it is there; best first."""
    values = [amount, count, kind]
    told = next_checks(scorer, folder, FACTS, values)
    expected = {}
    for fact in FACTS:
        found = by_a_loop(scorer, folder, fact, values)
        if found is not None and found[0] * found[1] >= LEAST_WORTH:
            expected[fact.places] = found
    assert {check.fact.places for check in told} == set(expected)
    for check in told:
        moved, share = expected[check.fact.places]
        assert check.expected_change == pytest.approx(moved, abs=1e-9)
        assert check.known_share == pytest.approx(share, abs=1e-6)
        assert 0 <= check.lowest <= check.highest <= 1
    worth = [check.worth for check in told]
    assert worth == sorted(worth, reverse=True)


def test_only_clues_of_the_same_supervision_model_say_what_a_clue_can_have(
    scorer: Scorer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there are eight of them; of a model with fewer, all that are alike."""
    monkeypatch.setattr(module, "ALIKE_BY", "kind")
    kinds = [row[2] for row in read_reference(folder).rows]
    assert kinds.count("civil") >= 8 > kinds.count("unheard of")
    told_at_all = 0
    for kind, counted in (("civil", "civil"), ("unheard of", None)):
        for values in ([None, 5.0, kind], [70_000.0, None, kind]):
            fact = FACTS[values.index(None)]
            moved, share = by_a_loop(scorer, folder, fact, values, counted)
            told = next_checks(scorer, folder, [fact], values)
            told_at_all += len(told)
            assert bool(told) == (moved * share >= LEAST_WORTH)
            for check in told:
                assert check.expected_change == pytest.approx(moved, abs=1e-9)
                assert check.known_share == pytest.approx(share, abs=1e-6)
    assert told_at_all >= 2


def test_nothing_is_to_be_checked_where_everything_is_known(scorer: Scorer, folder: Path) -> None:
    """And what the trees never look at is never proposed."""
    assert next_checks(scorer, folder, FACTS, [5_000.0, 1.0, "civil"]) == []
    used = scorer.booster.feature_importance("gain")
    unused = [Fact((at,), None) for at in range(3) if used[at] == 0]
    assert next_checks(scorer, folder, unused, [None, None, None]) == []


def test_a_bundle_of_before_loads_and_says_that_it_has_no_reference_rows(tmp_path: Path) -> None:
    """Three files are a bundle still; the fourth belongs to the digest."""
    old = tmp_path / tiny_scorer.write_tiny_bundle(tmp_path)
    assert not (old / REFERENCE).exists()
    scorer = Scorer.load(old, old.name)
    with pytest.raises(NotReady, match="reference rows"):
        next_checks(scorer, old, FACTS, [None, None, None])
    (old / REFERENCE).write_text('{"rows": []}', "utf-8")
    assert bundle_digest(old) != old.name
    with pytest.raises(Refused, match="digest"):
        Scorer.load(old, old.name)


def test_a_fact_is_what_one_look_up_tells() -> None:
    """Features over the same records are one fact, whose age is known; what the platform itself
    holds is none; a fact with a masked feature is left out whole."""
    kinds = [{"kind": "count"}, {"kind": "days_since_last"}, {"kind": "sum", "column": "cents"}]
    words = feature_worlds.WORDS
    own = {
        "group": "own",
        "source": "payments",
        "key": {"person": "person"},
        "windows": [3, "all"],
        "features": [{**kind, "sentence": words} for kind in kinds],
    }
    definitions = load_features(
        {**feature_worlds.DEFINITIONS, "history": [own]},
        sources=feature_worlds.SOURCES,
        clue_columns=feature_worlds.CLUE_COLUMNS,
    )
    scored = [
        ScoredFeature(
            name=each.name,
            type=each.type,
            show=each.show,
            window_days=each.window_days,
            sentence=Bilingual(zh="{value}", en="{value}"),
            missing_share=0.0,
        )
        for each in definitions.features
    ]
    facts = facts_of(scored, definitions)
    payments = next(fact for fact in facts if fact.source == "payments")
    names = [scored[at].name for at in payments.places]
    assert [name.split("__")[0] for name in names] == ["own"] * 5
    assert payments.age is not None
    assert scored[payments.age].name == "own__days_since_last_all"
    told = {scored[at].name for fact in facts for at in fact.places}
    assert sorted({each.name for each in scored} - told) == [
        "conversion__ratio_2d",
        "conversion__ratio_all",
        "weekday",
    ]
    left = facts_of(scored, definitions, {"own__count_3d"})
    assert payments not in left
    assert len(left) == len(facts) - 1
    plain = [*feature_worlds.DEFINITIONS["columns"]]
    plain[0] = {**plain[0], "to_check": False}
    declared = load_features(
        {**feature_worlds.DEFINITIONS, "columns": plain, "history": [{**own, "to_check": False}]},
        sources=feature_worlds.SOURCES,
        clue_columns=feature_worlds.CLUE_COLUMNS,
    )
    assert declared.fingerprint == definitions.fingerprint  # no word of it is learned from
    fewer = facts_of(scored, declared)
    gone = {scored[at].name for fact in facts if fact not in fewer for at in fact.places}
    assert gone == {plain[0]["name"], *names}


def test_trees_weigh_by_what_they_move(scorer: Scorer) -> None:
    """The spread of leaf values over the rows each grew on; LightGBM's own dump is the oracle."""
    weights = leaves_of(scorer).weights
    trees = scorer.booster.dump_model()["tree_info"]
    spreads = []
    for tree in trees:
        found: list[tuple[float, int]] = []
        waiting = [tree["tree_structure"]]
        while waiting:
            node = waiting.pop()
            if "leaf_value" in node:
                found.append((node["leaf_value"], node.get("leaf_count", 1)))
            else:
                waiting += [node["left_child"], node["right_child"]]
        rows = sum(count for _, count in found)
        mean = sum(value * count for value, count in found) / rows
        spreads.append(math.sqrt(sum(c * (v - mean) ** 2 for v, c in found) / rows))
    expected = np.array(spreads) / sum(spreads)
    assert np.allclose(weights / 2**30, expected, atol=1e-6)
