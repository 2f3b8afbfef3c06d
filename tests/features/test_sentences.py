"""What reviewers read: every feature of every jurisdiction has a sentence that is its own."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import feature_worlds as worlds
import pyarrow as pa
import pytest
import yaml

from base.bilingual import Bilingual, Language
from base.errors import Refused
from features.declared import features_of
from features.definition import Feature, FeatureSet, load_features
from governance.jurisdiction import load_jurisdiction
from scoring.bundle import ScoredFeature
from scoring.sentences import sentence
from training.training_set import scored_features

FOLDERS = sorted(Path(__file__).resolve().parents[2].glob("jurisdictions/*/features.yaml"))
CHINESE = re.compile("[\u4e00-\u9fff]")


def read(feature: Feature, language: Language, value: float | None = 3.0) -> str:
    """The sentence as the console shows it."""
    category = feature.type == "category"
    scored = ScoredFeature(
        name=feature.name,
        type=feature.type,
        show=feature.show,
        sentence=feature.sentence,
        window_days=feature.window_days,
        missing_share=0.0,
        title=feature.title,
    )
    return sentence(scored, "value" if category and value is not None else value, language)


@pytest.fixture(params=FOLDERS, ids=[path.parent.name for path in FOLDERS])
def declared(request: pytest.FixtureRequest) -> FeatureSet:
    return features_of(load_jurisdiction(str(request.param.parent)))


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_feature_is_read_by_a_sentence_of_its_own(
    declared: FeatureSet, language: Language
) -> None:
    """There, in its language, nothing left to fill in, the window told, and none like another."""
    assert declared.features
    sentences = {feature.name: read(feature, language) for feature in declared.features}
    for name, told in sentences.items():
        assert told.strip(), name
        assert not re.search(r"[{}]", told), name
        assert bool(CHINESE.search(told)) == (language == "zh"), (name, told)
    first: dict[str, str] = {}
    for name, told in sentences.items():
        assert first.setdefault(told, name) == name, (name, first[told], told)


def test_a_sentence_names_its_window_where_a_group_has_several(declared: FeatureSet) -> None:
    """Both languages say how far back was looked."""
    groups: dict[tuple[str, str, str | None], list[Feature]] = {}
    for feature in declared.features:
        if feature.grouping is not None:
            stem = feature.name.rpartition("_")[0]
            groups.setdefault((stem, feature.kind, feature.column), []).append(feature)
    several = [feature for group in groups.values() if len(group) > 1 for feature in group]
    assert several
    for feature in several:
        assert "{window}" in feature.sentence.zh, feature.name
        assert "{window}" in feature.sentence.en, feature.name


def test_a_files_features_must_be_told_apart_by_their_sentences(tmp_path: Path) -> None:
    """Two features with one sentence once the window is filled in: named, with the cure."""
    path = tmp_path / "features.yaml"
    declared = copy.deepcopy(worlds.DEFINITIONS)
    declared["history"] = [declared["history"][0]]
    declared["history"][0]["features"] = [
        {"kind": "count", "sentence": {"zh": "{window}{value}笔", "en": "{value} payments"}}
    ]
    path.write_text(yaml.safe_dump(declared, allow_unicode=True), "utf-8")
    with pytest.raises(Refused) as refusal:
        load_features(path, sources=worlds.SOURCES, clue_columns=worlds.CLUE_COLUMNS)
    told = [fault for fault in refusal.value.faults if "own__count" in fault.where]
    assert [fault.where for fault in told] == [
        "features.yaml: own__count_3d",
        "features.yaml: own__count_all",
    ]
    assert {fault.wanted for fault in told} == {"a sentence of its own (en)"}
    assert all("as of own__count_1d" in fault.got for fault in told)
    assert all("{window} names the window" in fault.cure for fault in told)


@pytest.mark.parametrize(
    ("sentence", "got"),
    [({"zh": "", "en": "{value}"}, "''"), ({"zh": "{value}", "en": "{days} {value}"}, "'{days}")],
)
def test_a_sentence_is_there_and_is_filled_in_whole(
    tmp_path: Path, sentence: dict[str, str], got: str
) -> None:
    """Neither language is empty; nothing in braces is left over."""
    path = tmp_path / "features.yaml"
    column = {"name": "cents", "column": "cents", "sentence": sentence}
    path.write_text(yaml.safe_dump({"columns": [column]}, allow_unicode=True), "utf-8")
    with pytest.raises(Refused) as refusal:
        load_features(path, sources=worlds.SOURCES, clue_columns=worlds.CLUE_COLUMNS)
    assert refusal.value.faults[0].got.startswith(got)


def scored(name: str, show: str) -> ScoredFeature:
    words = Bilingual(zh="{window}成案率{value}", en="{value} became cases in {window}")
    return ScoredFeature(
        name=name,
        type="numeric",
        show=show,  # type: ignore[arg-type]
        window_days=None,
        sentence=words,
        missing_share=0.0,
    )


def test_a_ratio_is_told_as_an_estimate() -> None:
    """It is drawn towards a wider average, so it must not read as the share of its records."""
    ratio, rank = scored("body__ratio_all", "share"), scored("body__rank_all", "share")
    told = sentence(ratio, 0.271, "en")
    assert told.startswith("27.1% became cases in all the time before (an estimate")
    assert sentence(ratio, 0.271, "zh") == "全部历史成案率27.1%（估计值，已按更大范围的平均折算）"
    assert "estimate" not in sentence(rank, 0.271, "en")


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_what_is_not_known_has_a_sentence_of_its_own(missing: float | None) -> None:
    """No sentence about a value that is not there."""
    days = scored("own__days_since_last_all", "days")
    assert sentence(days, missing, "en") == 'no record: "... became cases in all the time before"'
    assert sentence(days, missing, "zh") == "无记录：“全部历史成案率……”"


def test_what_is_not_known_is_told_by_its_title(declared: FeatureSet) -> None:
    """The clue's own value is not recorded, of looked-up records there is none; none is cut."""
    for feature in declared.features:
        told = {language: read(feature, language, None) for language in ("zh", "en")}
        own = feature.grouping is None
        assert told["en"].startswith("not recorded: " if own else "no record: "), feature.name
        assert told["zh"].startswith("未登记：" if own else "无记录："), feature.name
        if feature.title is not None:
            assert feature.title.en in told["en"], feature.name
            assert feature.title.zh in told["zh"], feature.name
            assert "..." not in told["en"], feature.name
            assert "……" not in told["zh"], feature.name


def test_every_group_of_the_province_has_a_title() -> None:
    """Columns of the clue have that of `clue_columns` at least."""
    features = features_of(load_jurisdiction("anhui")).features
    fixed = {"supervision_model", "function", "severity", "raised_month"}
    assert {each.name for each in features if each.title is None} == fixed
    lag = next(each for each in features if each.name == "lag_days")
    assert read(lag, "en", None) == "not recorded: days until it became known"
    suits = next(each for each in features if each.name == "person_care__count_365d")
    assert read(suits, "en", None) == (
        "no record: medical settlements of the person (the 365 days before)"
    )
    assert read(suits, "zh", None) == "无记录：本人医保结算（此前365天）"


def test_codes_with_titles_are_told_in_words() -> None:
    """Those that training saw and those that it did not; the contracts' codes all have titles."""
    jurisdiction = load_jurisdiction("anhui")
    declared = features_of(jurisdiction)
    named = [each for each in declared.features if each.values]
    assert {each.column for each in named} == {"matched_by", "source"}
    told = {"matched_by": {"id"}, "source": {"police", "crematorium"}}
    for feature in named:
        seen = sorted(told[str(feature.column)])
        (scorers,) = scored_features((feature,), pa.table({feature.name: seen}), {})
        assert set(scorers.labels) == set(feature.values)
        for code, title in feature.values.items():
            assert title.zh in sentence(scorers, code, "zh")
            assert not re.search("[A-Za-z_]", sentence(scorers, code, "zh"))
            assert sentence(scorers, code, "en").endswith(title.en)
    codes = {each.name: each.values for each in jurisdiction.contract("deaths").columns}
    assert set(codes["matched_by"]) == set(declared.feature("matched_by").values)
    assert set(codes["source"]) == set(declared.feature("death_record__last_source_all").values)


def test_titles_are_no_part_of_the_identity() -> None:
    """Words for readers ask for no new training; a title for numbers' codes is refused."""
    plain, worded = copy.deepcopy(worlds.DEFINITIONS), copy.deepcopy(worlds.DEFINITIONS)
    title = {"zh": "题名", "en": "title"}
    for group in worded["history"]:
        group["title"] = title
        for each in group["features"]:
            if each.get("type") == "category":
                each["values"] = {"x": title}
    worded["columns"][0]["title"] = title
    known: Any = {"sources": worlds.SOURCES, "clue_columns": worlds.CLUE_COLUMNS}
    with_words = load_features(worded, **known)
    assert with_words.features[0].title == Bilingual(**title)
    assert with_words.fingerprint == load_features(plain, **known).fingerprint
    worded["columns"][0]["values"] = {"x": title}
    with pytest.raises(Refused, match="type: category"):
        load_features(worded, **known)


def test_every_declared_ratio_is_known_by_its_name(declared: FeatureSet) -> None:
    """Bundles name their features and nothing else tells a ratio."""
    for feature in declared.features:
        told = scored(feature.name, feature.show)
        assert told.is_ratio == (feature.kind == "ratio"), feature.name
