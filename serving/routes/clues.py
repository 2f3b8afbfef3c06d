"""GET /v1/clues/{id}: a clue, why it has its score, and the records that say so."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request

from base.bilingual import Language
from base.errors import NotFound
from scoring.audit import note_read
from scoring.ledger import GivenScore, latest_score
from scoring.scorer import Scorer
from scoring.sentences import sentence
from scoring.telling import tell_given
from serving.access import principal_of, service_of
from serving.clearance import cleared, seen_row
from serving.evidence import Evidence, reads_closed
from serving.messages import ChecksReply, EvidenceReply, ReasonsReply, SimilarReply
from serving.next_checks import told_checks
from serving.principal import Principal
from serving.queue import visible_clue
from serving.service import Service
from serving.similar import similar_clues

router = APIRouter()
SYSTEM = ("record_no", "happened_at", "known_at", "retracted_at", "batch")
AskedLanguage = Literal["zh", "en"]


@router.get("/v1/clues/{clue_id}")
def get_clue(request: Request, clue_id: str) -> dict[str, Any]:
    """The clue's columns and the records it was raised from."""
    service, who = service_of(request), principal_of(request)
    return seen_clue(service, who, require_clue(service, who, clue_id))


@router.get("/v1/clues/{clue_id}/reasons", response_model=ReasonsReply)
def get_reasons(
    request: Request,
    clue_id: str,
    language: AskedLanguage = "zh",
    reasons: Annotated[int, Query(ge=0, le=100)] = 10,
    evidence: Annotated[int, Query(ge=0, le=100)] = 5,
) -> dict[str, Any]:
    """The newest score given to the clue, with its reasons in words.

    `evidence`: tell of each reason the first so many records behind it.
    """
    return reasons_for(
        service_of(request), principal_of(request), clue_id, language, reasons, evidence
    )


@router.get("/v1/clues/{clue_id}/evidence/{feature}", response_model=EvidenceReply)
def get_evidence(
    request: Request,
    clue_id: str,
    feature: str,
    language: AskedLanguage = "zh",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: Annotated[int, Query(ge=0, le=10**9)] = 0,
) -> dict[str, Any]:
    """The records behind a value of the score that was given, in order of happening.

    They are read as they were then. A feature that the reader's role may not see is as unknown as
    one that is none.
    """
    return evidence_for(
        service_of(request), principal_of(request), clue_id, feature, language, limit, after
    )


@router.get("/v1/clues/{clue_id}/similar", response_model=SimilarReply)
def get_similar(
    request: Request,
    clue_id: str,
    language: AskedLanguage = "zh",
    limit: Annotated[int, Query(ge=1, le=100)] = 10,
) -> dict[str, Any]:
    """Past clues of your offices that are most like this one, with what became of them."""
    return similar_for(service_of(request), principal_of(request), clue_id, language, limit)


@router.get("/v1/clues/{clue_id}/next-checks", response_model=ChecksReply)
def get_next_checks(
    request: Request,
    clue_id: str,
    language: AskedLanguage = "zh",
    limit: Annotated[int, Query(ge=1, le=100)] = 5,
) -> dict[str, Any]:
    """The facts not known of this clue that would move its score most, and where to look."""
    return checks_for(service_of(request), principal_of(request), clue_id, language, limit)


def reasons_for(
    service: Service,
    who: Principal,
    clue_id: str,
    language: Language,
    count: int,
    evidence: int = 0,
) -> dict[str, Any]:
    """From the ledger alone. Raises NotFound where there is no score the caller may see."""
    clue = require_clue(service, who, clue_id)
    given = latest_score(service.ledger, clue_id)
    told = told_score(service, who, given, language, count)
    if evidence:
        names = [reason["feature"] for reason in told["reasons"]]
        numbers = Evidence(service, who, clue, given).numbers(names, evidence)
        for reason in told["reasons"]:
            reason["evidence"] = numbers.get(reason["feature"])
    return told


def told_score(
    service: Service, who: Principal, given: GivenScore, language: Language, count: int
) -> dict[str, Any]:
    """A score of a clue that the reader may see, in the words that he may read."""
    scorer = scorer_of(service, given)
    return tell_given(given, scorer, language, count, masked_for(service, who, scorer))


def evidence_for(
    service: Service,
    who: Principal,
    clue_id: str,
    feature: str,
    language: Language,
    limit: int,
    after: int,
) -> dict[str, Any]:
    """A page of the records behind a value, with the value in words. Raises NotFound.

    That somebody read values which not everybody may read is told in the audit.
    """
    clue = require_clue(service, who, clue_id)
    given = latest_score(service.ledger, clue_id)
    scorer = scorer_of(service, given)
    names = [each.name for each in scorer.manifest.features]
    if feature not in names or feature in masked_for(service, who, scorer):
        raise NotFound(wanted="a feature of this score", got="none", cure="see the clue's reasons")
    at = names.index(feature)
    page = Evidence(service, who, clue, given).page(feature, language, limit, after)
    if page.records and page.record_set is not None and reads_closed(service, who, page.record_set):
        note_read(
            service.ledger,
            who=who.key_id,
            about=clue_id,
            what=f"evidence {feature}",
            clock=service.clock,
        )
    return {
        "clue_id": clue_id,
        "scorer": given.scorer,
        "moment": given.moment.isoformat(),
        "feature": feature,
        "value": given.feature_values[at],
        "sentence": sentence(scorer.manifest.features[at], given.feature_values[at], language),
        **asdict(page),
    }


def similar_for(
    service: Service, who: Principal, clue_id: str, language: Language, limit: int
) -> dict[str, Any]:
    """Past clues like a scored one. Raises NotFound as above."""
    clue = require_clue(service, who, clue_id)
    given = latest_score(service.ledger, clue_id)
    giver = scorer_of(service, given)
    return similar_clues(service, who, clue, given, giver, language, limit)


def checks_for(
    service: Service, who: Principal, clue_id: str, language: Language, limit: int
) -> dict[str, Any]:
    """What to check next on a scored clue. Raises NotFound as above, NotReady for a scorer of
    before reference rows were kept."""
    require_clue(service, who, clue_id)
    given = latest_score(service.ledger, clue_id)
    scorer = scorer_of(service, given)
    return told_checks(service, given, scorer, masked_for(service, who, scorer), language, limit)


def scorer_of(service: Service, given: GivenScore) -> Scorer:
    """The scorer that gave a score: the champion, or one of before."""
    scorer = service.champion()
    if scorer.digest == given.scorer:
        return scorer
    return Scorer.load(service.home.scorers / given.scorer, given.scorer)


def masked_for(service: Service, who: Principal, scorer: Scorer) -> frozenset[str]:
    """Features of a scorer that the reader may not see.

    What an older scorer learned from and nobody declares any longer is classified by nobody, so
    it is seen by nobody.
    """
    jurisdiction = service.home.jurisdiction
    masked = service.masked_features(cleared(who, jurisdiction))
    declared = set(service.definitions.names)
    return masked | {each.name for each in scorer.manifest.features if each.name not in declared}


def seen_clue(service: Service, who: Principal, row: dict[str, Any]) -> dict[str, Any]:
    """A clue's own columns, masked where the reader's role asks for it."""
    jurisdiction = service.home.jurisdiction
    own = {name: value for name, value in row.items() if name not in SYSTEM}
    return seen_row(own, jurisdiction.clue_classifications, cleared(who, jurisdiction))


def require_clue(service: Service, who: Principal, clue_id: str) -> dict[str, Any]:
    """The clue's row; NotFound both where it is absent and where it is another office's (P-10)."""
    return found(visible_clue(service, who, clue_id))


def found(row: dict[str, Any] | None) -> dict[str, Any]:
    """A row that is there. Raises NotFound for None."""
    if row is None:
        raise NotFound(wanted="a clue of your offices", got="none", cure="check the clue's id")
    return row
