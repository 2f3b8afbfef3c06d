"""Promotion over HTTP: propose, approve by a second person, withdraw; and rolling back likewise.

What serves is written as the command line writes it (scoring/champion.py). The promotion rule is
asked beforehand, by `clues weigh` or a retraining, as the service never trains nor judges; what
was weighed beside another champion than the one in use is not taken.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, field_validator

from base.errors import Conflict, Fault
from dispatch.life_cycle import has_controls
from dispatch.scoring_run import require_same_features
from scoring.alias import move_in_own_process
from scoring.champion import (
    find_before,
    find_champion,
    require_two_persons,
    roll_back,
    write_champion,
)
from scoring.promotions import decide, open_proposal, propose, require_another
from scoring.scorer import Scorer
from scoring.trial import try_bundle
from serving.messages import STRICT
from serving.principal import Principal
from serving.refusals import UnfitMessage
from serving.scorers import read_note, scorer_folder, told_proposal
from serving.service import Service


class PromotionRequest(BaseModel):
    """`POST /v1/scorers/{digest}/promotion`. `roll_back` proposes the champion before this one.
    `despite`: why, though the rule is not met, or why the champion is taken back; kept."""

    model_config = STRICT

    step: Literal["propose", "roll_back", "approve", "withdraw"] = "propose"
    despite: Annotated[str, Field(max_length=2_000)] | None = None

    @field_validator("despite")
    @classmethod
    def _plain(cls, why: str | None) -> str | None:
        if why is not None and has_controls(why):
            raise ValueError("plain text, without control characters")
        return why


class ProposalMessage(BaseModel):
    """A proposal and what became of it; `failed`: the promotion rules that were not met."""

    scorer: str
    change: Literal["promoted", "rolled_back"]
    champion: str | None
    state: Literal["open", "approved", "withdrawn"]
    proposed_by: str
    proposed_at: str
    why: str | None
    failed: list[str]
    decided_by: str | None
    decided_at: str | None


class PromotionReply(BaseModel):
    """The proposal, and the champion that serves now."""

    proposal: ProposalMessage
    champion: str | None


def promote(
    service: Service, who: Principal, digest: str, asked: PromotionRequest
) -> dict[str, Any]:
    """Take one step. Raises NotFound, Conflict, NotAllowed for one's own proposal, or Refused."""
    scorer_folder(service, digest)
    steps = {
        "propose": _propose, "roll_back": _propose_back, "approve": _approve, "withdraw": _withdraw,
    }  # fmt: skip
    proposal = steps[asked.step](service, who, digest, asked.despite)
    champion = find_champion(service.home.scorers)
    return {
        "proposal": told_proposal(proposal),
        "champion": None if champion is None else champion.scorer,
    }


def _propose(service: Service, who: Principal, digest: str, despite: str | None) -> dict[str, Any]:
    weighing = _weighed(service, digest)
    failed = [str(each["rule"]) for each in weighing["reasons"] if not each["passed"]]
    why = (despite or "").strip() or None
    if failed and why is None:
        raise UnfitMessage.gather(
            Fault(
                each["wanted"]["en"],
                each["got"]["en"],
                "train a better scorer, or give the reason in `despite`",
                each["rule"],
            )
            for each in weighing["reasons"]
            if not each["passed"]
        )
    return propose(
        service.ledger,
        digest,
        champion=weighing["champion"],
        by=who.person,
        key_id=who.key_id,
        why=why,
        failed=failed,
        at=service.clock.now(),
    )


def _propose_back(
    service: Service, who: Principal, digest: str, despite: str | None
) -> dict[str, Any]:
    """It served before: no rule is asked, a reason is."""
    why = (despite or "").strip()
    if not why:
        raise UnfitMessage(
            wanted="why the champion is taken back", got="nothing", cure="say why", where="despite"
        )
    _require_before(service, digest)
    return propose(
        service.ledger,
        digest,
        champion=_champion(service),
        by=who.person,
        key_id=who.key_id,
        why=why,
        failed=[],
        at=service.clock.now(),
        change="rolled_back",
    )


def _approve(service: Service, who: Principal, digest: str, _: str | None) -> dict[str, Any]:
    proposal = open_proposal(service.ledger, digest)
    require_another(proposal, who.person)
    back = proposal["change"] == "rolled_back"
    if back:
        _require_before(service, digest)
    else:
        _weighed(service, digest)
    _require_serves(service, digest)
    now = service.clock.now()

    def apply(proposal: dict[str, Any]) -> None:
        by, approved_by, why = proposal["proposed_by"], who.person, proposal["why"]
        require_two_persons(by, approved_by)
        if proposal["champion"] != _champion(service):
            raise _overtaken()
        scorers = service.home.scorers
        if back:
            roll_back(scorers, by=by, approved_by=approved_by, at=now, why=why)
            return
        failed = tuple(proposal["failed"])
        write_champion(
            scorers, digest, by=by, approved_by=approved_by, at=now, why=why, failed=failed
        )

    decided = decide(
        service.ledger, digest, "approved", by=who.person, key_id=who.key_id, at=now, apply=apply
    )
    move_in_own_process(service.home)
    return decided


def _withdraw(service: Service, who: Principal, digest: str, _: str | None) -> dict[str, Any]:
    return decide(
        service.ledger,
        digest,
        "withdrawn",
        by=who.person,
        key_id=who.key_id,
        at=service.clock.now(),
        apply=lambda _: None,
    )


def _weighed(service: Service, digest: str) -> dict[str, Any]:
    """What the promotion rule said, beside the champion that serves now."""
    weighing = read_note(service.home.proposals / f"{digest}.json")
    champion = _champion(service)
    if champion == digest:
        raise Conflict(wanted="another scorer than the champion", got="it", cure="nothing to do")
    if weighing is None or not isinstance(weighing.get("reasons"), list):
        raise Conflict(
            wanted="a scorer weighed by the promotion rule",
            got="one that was not",
            cure=f"run: clues weigh {digest[:12]}",
        )
    if weighing.get("champion") != champion:
        raise _overtaken()
    return weighing


def _require_before(service: Service, digest: str) -> None:
    """Raises Conflict for any other scorer than the one a roll back leads to."""
    if find_before(service.home.scorers) != digest:
        raise Conflict(
            wanted="the champion before the one in use",
            got="another scorer",
            cure="see GET /v1/scorers",
        )


def _overtaken() -> Conflict:
    return Conflict(
        wanted="a scorer weighed beside the champion in use",
        got="one weighed beside another",
        cure="run: clues weigh SCORER, then propose again (withdraw first where one waits)",
    )


def _champion(service: Service) -> str | None:
    champion = find_champion(service.home.scorers)
    return None if champion is None else champion.scorer


def _require_serves(service: Service, digest: str) -> None:
    """What the service would refuse is not put in use (P-7)."""
    folder = service.home.scorers / digest
    try_bundle(folder, digest)
    require_same_features(Scorer.load(folder, digest), service.definitions.fingerprint)
