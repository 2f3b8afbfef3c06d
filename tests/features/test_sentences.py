"""What reviewers read: every feature of every jurisdiction has a sentence that is its own."""

from __future__ import annotations

import copy
import re
from pathlib import Path

import feature_worlds as worlds
import pytest
import yaml

from base.bilingual import Bilingual, Language
from base.errors import Refused
from features.declared import features_of
from features.definition import Feature, FeatureSet, load_features
from governance.jurisdiction import load_jurisdiction
from scoring.bundle import ScoredFeature
from scoring.sentences import sentence

FOLDERS = sorted(Path(__file__).resolve().parents[2].glob("jurisdictions/*/features.yaml"))
CHINESE = re.compile("[\u4e00-\u9fff]")


def read(feature: Feature, language: Language) -> str:
    """The sentence as the console shows it, for a value of 3."""
    category = feature.type == "category"
    scored = ScoredFeature(
        name=feature.name,
        type=feature.type,
        show=feature.show,
        sentence=feature.sentence,
        window_days=feature.window_days,
        missing_share=0.0,
    )
    return sentence(scored, "value" if category else 3.0, language)


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
    days = scored("lag_days", "days")
    assert sentence(days, missing, "en") == 'no record: "... became cases in all the time before"'
    assert sentence(days, missing, "zh") == "无记录：“全部历史成案率……”"


def test_every_declared_ratio_is_known_by_its_name(declared: FeatureSet) -> None:
    """Bundles name their features and nothing else tells a ratio."""
    for feature in declared.features:
        told = scored(feature.name, feature.show)
        assert told.is_ratio == (feature.kind == "ratio"), feature.name
