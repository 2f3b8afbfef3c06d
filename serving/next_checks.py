"""What to check next on a clue, as its reader may be told."""

from __future__ import annotations

from typing import Any

from base.bilingual import Bilingual, Language
from scoring.ledger import GivenScore
from scoring.next_checks import Check, facts_of, next_checks
from scoring.scorer import Scorer
from scoring.sentences import check_sentence
from serving.evidence import CLUES_TITLE
from serving.service import Service


def told_checks(
    service: Service,
    given: GivenScore,
    scorer: Scorer,
    masked: frozenset[str],
    language: Language,
    limit: int,
) -> dict[str, Any]:
    """The checks worth most, of the score that was given, by the scorer that gave it.

    Facts of which the reader may not see everything are left out. Raises NotReady where the
    scorer keeps no reference rows.
    """
    facts = facts_of(scorer.manifest.features, service.definitions, masked)
    folder = service.home.scorers / scorer.digest
    found = next_checks(scorer, folder, facts, given.feature_values)
    return {
        "clue_id": given.clue_id,
        "scorer": given.scorer,
        "moment": given.moment.isoformat(),
        "probability": given.probability,
        "checks": [_told(service, scorer, check, language) for check in found[:limit]],
    }


def _told(service: Service, scorer: Scorer, check: Check, language: Language) -> dict[str, Any]:
    features = scorer.manifest.features
    source = _title(service, check.fact.source)
    strongest = features[check.strongest]
    stale = check.state == "stale"
    return {
        "features": [features[at].name for at in check.fact.places],
        "record_set": check.fact.source,
        "title": source.in_language(language) if source else None,
        "state": check.state,
        "sentence": check_sentence(strongest, source, stale, check.expected_change, language),
        "expected_points": 100 * check.expected_change,
        "known_share": check.known_share,
        "worth_points": 100 * check.worth,
        "lowest": check.lowest,
        "highest": check.highest,
    }


def _title(service: Service, source: str | None) -> Bilingual | None:
    if source is None:
        return None
    contracts = service.home.jurisdiction.contracts
    return contracts[source].title if source in contracts else CLUES_TITLE
