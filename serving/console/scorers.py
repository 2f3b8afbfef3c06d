"""What the scorer pages tell: which one serves, how each did, what is proposed, how it fares."""

from __future__ import annotations

from typing import Any

from base.bilingual import Language
from base.errors import CluesError
from scoring.alias import is_behind
from scoring.bundle import Manifest, read_manifest
from scoring.champion import find_before, find_champion, read_history
from scoring.promotions import open_proposals
from scoring.sentences import show_window
from serving.console.card import sections_of
from serving.console.curves import curves_of, drawn
from serving.monitoring import monitor
from serving.principal import Principal
from serving.scorers import list_scorers, report_of, scorer_folder, tell_scorer, told_proposal
from serving.service import Service
from serving.shadow import shadow_agreement
from serving.watching import too_few

MONTHS = 12
FEATURES_SHOWN = 20
# Figures side by side: (name, whether more is better).
FIGURES = (
    ("cases_found/10", True),
    ("cases_found/20", True),
    ("cases_found/30", True),
    ("tail_recall_loss", False),
    ("auc", True),
    ("average_precision", True),
    ("ece", False),
    ("brier", False),
)


def scorers_told(service: Service, who: Principal) -> dict[str, Any]:
    """Values of scorers.html."""
    told = list_scorers(service)
    return {
        **told,
        "before": find_before(service.home.scorers),
        "registry_behind": is_behind(service.home),
        "waiting": [told_proposal(each) for each in open_proposals(service.ledger)],
        "changes": list(reversed(read_history(service.home.scorers))),
        "decides": may_decide(who),
        "figure": figure,
    }


def scorer_told(
    service: Service, who: Principal, digest: str, language: Language
) -> dict[str, Any]:
    """Values of scorer.html. Raises NotFound, or Refused for a spoilt bundle."""
    told = tell_scorer(service, digest)
    manifest = read_manifest(scorer_folder(service, digest))
    champion = find_champion(service.home.scorers)
    serving = None if champion is None else champion.scorer
    other = _champion_told(service, serving) if serving != digest else None
    card = told["card"]
    return {
        "told": told,
        "serving": serving,
        "before": find_before(service.home.scorers),
        "open": next((each for each in told["proposals"] if each["state"] == "open"), None),
        "curves": curves_of(report_of(service, manifest, digest)),
        "drawn": drawn,
        "ours": _metrics(told),
        "theirs": None if other is None else _metrics(other),
        "tests": (told["judged_on"], None if other is None else other["judged_on"]),
        "same_test": other is not None and _tests(told) == _tests(other),
        "together": together(told["weighing"], serving),
        "names": [name for name, _ in FIGURES],
        "figure": figure,
        "better": better,
        "shadow": _shadow(service, digest),
        "sections": sections_of(card, language) if card else [],
        "decides": may_decide(who),
        "person": who.person,
    }


def together(weighing: dict[str, Any] | None, serving: str | None) -> dict[str, Any] | None:
    """Figures of a scorer and of the champion on the same clues, where the one in use was weighed
    beside it: `rows`, `challenger`, `champion`."""
    if weighing is None or serving is None or weighing.get("champion") != serving:
        return None
    figures = weighing.get("figures")
    names = ("rows", "challenger", "champion")
    if not isinstance(figures, dict) or any(
        not isinstance(figures.get(name), dict) for name in names
    ):
        return None
    return figures


def monitoring_told(service: Service, who: Principal, language: Language) -> dict[str, Any]:
    """Values of monitoring.html. Raises NotReady without a champion."""
    told = monitor(service, who, MONTHS)
    manifest = read_manifest(service.home.scorers / told["scorer"])
    return {
        "told": told,
        "titles": feature_titles(manifest, language),
        "features": told["drift"]["features"][:FEATURES_SHOWN],
        "models": service.supervision_models,
        "offices": service.offices.by_id,
        "too_few": too_few,
    }


def may_decide(who: Principal) -> bool:
    """Whether he may propose and approve: a data scientist for every office."""
    return who.role == "data_scientist" and who.offices is None


def figure(metrics: dict[str, Any] | None, name: str) -> float | None:
    """A figure by its path, such as cases_found/20; None where it was not told."""
    value: Any = metrics
    for part in name.split("/"):
        value = value.get(part) if isinstance(value, dict) else None
    return float(value) if isinstance(value, int | float) else None


def better(name: str, ours: float, theirs: float) -> bool | None:
    """Whether ours is the better figure; None: as it is shown, they are the same."""
    if round(ours, 3) == round(theirs, 3):
        return None
    return (ours > theirs) == dict(FIGURES)[name]


def feature_titles(manifest: Manifest, language: Language) -> dict[str, str]:
    """Feature -> its sentence without a value."""
    return {
        feature.name: feature.sentence.in_language(language)
        .replace("{window}", show_window(feature.window_days, language))
        .replace("{value}", "…")
        for feature in manifest.features
    }


def _champion_told(service: Service, serving: str | None) -> dict[str, Any] | None:
    """What is told of the champion; None where there is none, or a spoilt one."""
    try:
        return None if serving is None else tell_scorer(service, serving)
    except CluesError:
        return None


def _tests(told: dict[str, Any]) -> list[Any]:
    """Every test of a scorer: when, and how many clues and cases. Two that know none are not the
    same."""
    splits = (told["figures"] or {}).get("splits")
    names = ("test_from", "test_until", "test_clues", "test_cases")
    if not isinstance(splits, list) or not splits:
        return [told["scorer"]]
    return [[each.get(name) for name in names] for each in splits if isinstance(each, dict)]


def _metrics(told: dict[str, Any]) -> dict[str, Any] | None:
    figures = told["figures"]
    found = figures.get("metrics") if figures else None
    return found if isinstance(found, dict) else None


def _shadow(service: Service, digest: str) -> dict[str, Any] | None:
    """How far the challenger agrees with the champion; None for any other scorer."""
    try:
        told = shadow_agreement(service.home.scorers, service.ledger)
    except CluesError:
        return None
    return told if told["challenger"] == digest else None
